"""`dualcost init` writes budgets that the model keeps, in few digits, and nothing over anything."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.commands import Command
from support.networks import quickly

from dualcost.errors import ExitCode
from dualcost.gate import config, metrics
from dualcost.gate.init import roomy
from dualcost.library import networks as library
from dualcost.network.network import UNKNOWN

pytestmark = pytest.mark.usefixtures("warm_python")


@quickly
@given(
    st.sampled_from(["params", "macs", "peak-activations"]),
    st.integers(0, 10**13),
    st.integers(0, 100),
)
def test_a_budget_leaves_at_least_the_headroom_and_hardly_more(
    metric: str, value: int, percent: int
) -> None:
    text = roomy(metric, value, Fraction(percent, 100))
    limit = metrics.quantity(metric, text)
    least = Fraction(value) * (100 + percent) / 100
    assert limit >= least
    assert limit <= least * Fraction(101, 100) + 1  # three digits
    assert len(text) <= 9


@pytest.mark.parametrize(
    ("metric", "value", "text"),
    [
        ("params", 25_557_032, "26.9 M"),  # 1.05 times it is 26.83 M
        ("macs", 4_089_184_256, "4.30 G"),
        ("peak-activations", 11_239_424, "11.3 MiB"),  # 11.26 MiB
        ("params", 999, "1.05 K"),
        ("params", 0, "0"),
    ],
)
def test_a_budget_is_easy_to_read(metric: str, value: int, text: str) -> None:
    assert roomy(metric, value, Fraction(5, 100)) == text


def test_what_init_writes_passes_its_own_check(command: Command) -> None:
    words = ["--conv", "dual", "--G", "4", "--but", "path=layer1.*: keep", "--headroom", "0 %"]
    code, out, err = command("init", "resnet18", "torchvision:resnet34", *words)
    assert (code, err) == (ExitCode.OK, "")
    assert "wrote dualcost.toml" in out
    found = config.read(Path("dualcost.toml"))
    assert [model.name for model in found.models] == ["resnet18-dual", "resnet34-dual"]
    assert [str(one.rewrite) for one in found.models] == ["dual:G=4;path=layer1.*: keep"] * 2
    assert command("lock")[0] == ExitCode.OK
    assert command("check", "--frozen")[0] == ExitCode.OK


def test_it_is_added_behind_what_a_pyproject_has(command: Command) -> None:
    before = '[project]\nname = "mine"  # kept\n'
    Path("pyproject.toml").write_text(before)
    assert command("init", "alexnet", "--input", "1x3x224x224")[0] == ExitCode.OK
    after = Path("pyproject.toml").read_text()
    assert after.startswith(f"{before}\n[tool.dualcost]\nschema = 1\n")
    (model,) = tomllib.loads(after)["tool"]["dualcost"]["models"].values()
    assert (model["target"], model["input"]) == ("alexnet", "1x3x224x224")
    assert not Path("dualcost.toml").exists()


def test_a_dry_run_prints_what_would_be_written(command: Command) -> None:
    code, out, _ = command("init", "alexnet", "--dry-run")
    assert code == ExitCode.OK
    assert not list(Path().glob("*.toml"))
    command("init", "alexnet")
    assert Path("dualcost.toml").read_text() == out


def test_a_lower_bound_gets_no_budget(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = library.load("alexnet")
    first = replace(whole.ops[0], group=UNKNOWN, macs=0, site=None)
    partial = replace(whole, ops=(first, *whole.ops[1:]))
    monkeypatch.setattr(library, "load", lambda *_: partial)
    command("init", "alexnet")
    found = config.read(Path("dualcost.toml"))
    assert [limit.metric for limit in found.models[0].limits] == ["params", "peak-activations"]
    assert [allowance.metric for allowance in found.ratchet] == ["params"]


def test_two_models_of_one_name_are_told_apart(command: Command) -> None:
    command("init", "alexnet", "torchvision:alexnet")
    found = config.read(Path("dualcost.toml"))
    assert [model.name for model in found.models] == ["alexnet", "alexnet-2"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["alexnt"], "no model is called 'alexnt'"),
        (["alexnet", "--headroom", "5"], "'5' is not a percentage"),
        (["alexnet", "--G", "4"], "--G says how to replace, but not by what"),
        (["alexnet", "--conv", "dual", "--G", "7"], "is not divisible by G=7"),
    ],
)
def test_what_does_not_fit_writes_nothing(command: Command, words: list[str], message: str) -> None:
    code, out, err = command("init", *words)
    assert (code, out) == (ExitCode.USAGE, "")
    assert message in err
    assert not list(Path().glob("*.toml"))


def test_budgets_that_exist_are_left_alone(command: Command) -> None:
    command("init", "alexnet")
    before = Path("dualcost.toml").read_text()
    code, _, err = command("init", "vgg11")
    assert code == ExitCode.USAGE
    assert "dualcost.toml has budgets already" in err
    assert Path("dualcost.toml").read_text() == before
