"""The files by which others run the gate: the action, the hooks, the workflows of the example."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.commands import Command

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "docs/examples/gate"


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def known(command: Command, words: list[str]) -> None:
    """The parser knows every word: it reads all options before --help answers."""
    assert words[0] == "dualcost"
    code, out, err = command(*words[1:], "--help")
    assert (code, err) == (0, "")
    for word in words[2:]:
        if word.startswith("--"):
            assert word in out


def test_the_hooks_run_commands_that_exist(command: Command) -> None:
    hooks = read(ROOT / ".pre-commit-hooks.yaml")
    assert [hook["id"] for hook in hooks] == ["dualcost-check", "dualcost-check-frozen"]
    for hook in hooks:
        assert {"id", "name", "entry", "language"} <= set(hook)
        known(command, hook["entry"].split())


@pytest.mark.parametrize("path", [".github/workflows/cost.yml", ".gitlab-ci.yml"])
def test_the_workflows_of_the_example_run_commands_that_exist(command: Command, path: str) -> None:
    document = read(EXAMPLE / path)
    steps = (
        [step.get("run", "") for step in document["jobs"]["check"]["steps"]]
        if "jobs" in document
        else document["cost"]["script"]
    )
    ours = [shlex.split(step) for step in steps if step.startswith("dualcost")]
    assert len(ours) == 1
    known(command, ours[0])


def test_the_action_does_what_it_promises(tmp_path: Path) -> None:
    action = read(ROOT / "action.yml")
    assert action["runs"]["using"] == "composite"
    (step,) = [one for one in action["runs"]["steps"] if one.get("id") == "check"]
    for value in step["env"].values():  # each is an input that the action declares
        assert value.removeprefix("${{ inputs.").removesuffix(" }}") in action["inputs"]
    (tmp_path / "dualcost.toml").write_text(
        '[models.a]\ntarget = "alexnet"\n[models.a.budget]\nparams = "60 M"\n'
    )
    done = subprocess.run(
        ["bash", "-e", "-c", step["run"]],
        cwd=tmp_path,
        env={
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "ARGS": "a --no-latency",
            "REPORT": "cost.json",
            "MARKDOWN": "cost.md",
            "DIRECTORY": ".",
            "GITHUB_OUTPUT": str(tmp_path / "outputs"),
            "GITHUB_STEP_SUMMARY": str(tmp_path / "summary"),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1  # alexnet has 61.1 M parameters
    assert "::error file=dualcost.toml,line=4," in done.stdout
    outputs = dict(line.split("=") for line in (tmp_path / "outputs").read_text().splitlines())
    assert set(outputs) == set(action["outputs"])
    assert (tmp_path / outputs["markdown"]).read_text() == (tmp_path / "summary").read_text()
    assert (tmp_path / outputs["report"]).stat().st_size
