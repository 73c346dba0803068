"""Every example that `--help` and the man page show is run, as it stands.

What measures gets less time than a user would give it, by an option put after the example, and
finds a calibration of this machine whose numbers are made up.
"""

from __future__ import annotations

import json
import shlex
import subprocess
from functools import partial
from pathlib import Path

import pytest
from support.calibrations import linear_calibration
from support.commands import Command

from dualcost.cli.pages import pages
from dualcost.errors import ExitCode
from dualcost.lab import validate as validation
from dualcost.latency import calibration
from dualcost.render.manual.page import lines

EXAMPLES = list(dict.fromkeys(example for page in pages() for example, _ in page.examples))
# the start of an example, or a word in it: what is put after it
LESS_TIME = {
    "dualcost bench": "--budget 1s",
    "dualcost calibrate": "--budget 20s",  # the least from which something can be learnt
    "--measure": "--budget 1s",
    "paper latency": "--budget 1s --device cpu",
}
# networks of full size are measured or written; tests of the commands do so with small ones
LONG = (
    *("dualcost bench resnet", "dualcost bench vgg16", "dualcost calibrate", "dualcost explain"),
    *("dualcost paper latency", "dualcost convert resnet"),
)
MODEL = """
from torch import nn

def make():
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.ReLU())
"""
BUDGETS = """
[models.small]
target = "models.py:small"
input = ["1x3x32x32"]
[models.small.budget]
params = "1 M"
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Files of the names that the examples use."""
    (tmp_path / "model.py").write_text(MODEL)
    (tmp_path / "models.py").write_text(MODEL.replace("make", "small"))
    (tmp_path / "figures").mkdir()
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return tmp_path


def calibrated() -> None:
    from dualcost.nn.here import here

    # resnet50 takes 69 ms by it, and may be brought below the 60 ms of an example
    slower = dict.fromkeys(calibration.FORMATS, 1.2)
    known = linear_calibration(machine=here(), slowdown=slower)
    calibration.write(known, calibration.default_path())


def repository(folder: Path, command: Command) -> None:
    """Budgets and a lock that stand on the main branch."""
    (folder / "dualcost.toml").write_text(BUDGETS)
    assert command("lock")[0] == ExitCode.OK
    git = ["git", "-c", "user.name=A", "-c", "user.email=a@example.org"]
    for words in (["init", "-q", "-b", "main"], ["add", "*.py", "dualcost.*"],
                  ["commit", "-q", "-m", "models"]):  # fmt: skip
        subprocess.run([*git, *words], check=True, cwd=folder)


def prepare(example: str, folder: Path, command: Command) -> None:
    """Make what this example needs besides code."""
    name = example.split()[1]
    if name in ("check", "lock"):
        repository(folder, command)
    if "--accept" in example:  # what has risen since then
        models = folder / "models.py"
        models.write_text(models.read_text().replace("Conv2d(8, 8, 3)", "Conv2d(8, 9, 3)"))
    if name in ("roofline", "fit") or "--validate" in example:
        calibrated()
    if "before.json" in example:
        for file, words in (("before", ()), ("after", ("--conv", "dual", "--G", "4"))):
            assert command("profile", "resnet50", *words, "-o", f"{file}.json")[0] == ExitCode.OK
    if "trained.pt" in example:
        import torch
        from torchvision.models import resnet18

        torch.save(resnet18().state_dict(), folder / "trained.pt")


@pytest.mark.usefixtures("uncounted", "warm_python")
@pytest.mark.parametrize(
    "example",
    [
        pytest.param(example, marks=[pytest.mark.second_tier] * example.startswith(LONG))
        for example in EXAMPLES
    ],
)
def test_an_example_runs(
    example: str, folder: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(example, folder, command)
    few = partial(validation.validate, held_out=validation.HELD_OUT[:1], budget_s=1.0)
    monkeypatch.setattr(validation, "validate", few)
    monkeypatch.setattr(validation, "ROUNDS", 1)
    before = {path for path in folder.rglob("*") if path.is_file()}
    words = shlex.split(example)[1:]
    for part, option in LESS_TIME.items():
        words += shlex.split(option) if part in example else []
    code, out, err = command(*words)
    assert code == ExitCode.OK, err
    made = {path for path in folder.rglob("*") if path.is_file()} - before
    for option in ("-o", "--save", "--resume"):  # what is named is written
        if option in words and not (folder / words[words.index(option) + 1]).is_dir():
            assert folder / words[words.index(option) + 1] in made
    assert out or made
    if "--json" in words:
        assert json.loads(out)


def test_every_command_has_examples_that_call_it() -> None:
    for page in pages():
        assert page.examples or page.name == "dualcost cache dir"
        for example, about in page.examples:
            assert example.startswith(page.name)
            assert about and about[-1] != "."


def test_a_long_command_is_broken_as_shells_read_it() -> None:
    for example in EXAMPLES:
        broken = lines(example, 60)
        assert max(map(len, broken)) <= 76
        assert shlex.split(" ".join(broken).replace("\\ ", "")) == shlex.split(example)
        assert lines(example, 200) == [example]
