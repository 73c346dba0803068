"""The fixture `cost`, in a pytest of its own, as a user's project runs it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support.commands import in_a_process

from dualcost.errors import UsageError
from dualcost.pytest_plugin import Costed

pytestmark = pytest.mark.usefixtures("warm_python")

TESTS = """
import pytest
from torch import nn


def small():
    return nn.Sequential(nn.Conv2d(3, 8, 3, bias=False), nn.Flatten(), nn.Linear(8 * 36, 10))


def test_within(cost):
    cost(small(), "1x3x8x8").assert_within(params="3.2 K", macs=10656, peak_activations="2 KiB")


def test_beyond(cost):
    cost(small(), (1, 3, 8, 8)).assert_within(params="3 K", unknown_ops=0)


def test_a_name(cost):
    cost("resnet18", conv="dual", G=4).assert_within(params="5 M", reduction_params="60 %")


def test_a_word_that_does_not_fit(cost):
    cost("resnet18").assert_within(parms="5 M")
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What pytest prints about these tests."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "test_cost.py").write_text(TESTS)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rA", "test_cost.py"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout


@pytest.mark.parametrize(
    ("name", "outcome"),
    [
        ("test_within", "PASSED"),
        ("test_beyond", "FAILED"),
        ("test_a_name", "PASSED"),
        ("test_a_word_that_does_not_fit", "FAILED"),
    ],
)
def test_a_model_passes_or_fails(run: str, name: str, outcome: str) -> None:
    assert f"{outcome} test_cost.py::{name}" in run


def test_the_failure_names_the_number_and_the_layers(run: str) -> None:
    # 3*3*3*8 = 216 weights of the convolution, 288*10 + 10 of the linear layer
    assert 216 + 2890 == 3106
    expected = (
        "Sequential on 1x3x8x8 costs too much",
        "params is 3106: 106 over the budget of 3000",
        "largest: 2 2890, 0 216",
    )
    for line in expected:
        assert line in run
    # the traceback ends at the user's line, not in ours
    _, _, beyond = run.partition("test_beyond")
    assert "pytest_plugin.py" not in beyond.partition("test_a_word_that_does_not_fit")[0]


def test_a_misspelt_metric_is_a_clear_error(run: str) -> None:
    assert "no metric is called 'parms'" in run


def test_pytest_starts_without_anything_heavy() -> None:
    code = (
        "import sys, pytest; pytest.main(['--version']); import dualcost.pytest_plugin; "
        "heavy = {'torch', 'numpy', 'sympy', 'typer', 'rich', 'dualcost.costs.profile'}; "
        "print(heavy & {*sys.modules})"
    )
    done = in_a_process("-c", code)
    assert done.stdout.splitlines()[-1] == "set()"


def test_the_entry_point_is_declared() -> None:
    import tomllib

    text = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    plugins = tomllib.loads(text)["project"]["entry-points"]["pytest11"]
    assert plugins == {"dualcost": "dualcost.pytest_plugin"}


def test_a_limit_must_be_given() -> None:
    import dualcost

    with pytest.raises(UsageError, match="there is no limit"):
        Costed(dualcost.profile("alexnet")).assert_within()


def test_a_limit_in_another_unit_is_refused() -> None:
    import dualcost

    with pytest.raises(UsageError, match="params is a count"):
        Costed(dualcost.profile("alexnet")).assert_within(params="3 MiB")
