"""The example repository of the documents, in git: pull requests that pass and that fail."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "docs/examples/gate"

pytestmark = pytest.mark.usefixtures("uncounted", "warm_python")


class Repository:
    """A clone of the example, and what git and dualcost say in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.git("init", "--quiet", "--initial-branch", "main")
        self.git("config", "user.name", "Somebody")
        self.git("config", "user.email", "somebody@example.org")
        self.commit("the models")

    def git(self, *words: str) -> str:
        done = subprocess.run(
            ["git", *words], cwd=self.folder, capture_output=True, text=True, check=True
        )
        return done.stdout

    def commit(self, message: str) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)

    def branch(self, name: str, width: int) -> None:
        """A pull request that makes the model of this width."""
        self.git("switch", "--quiet", "--force-create", name, "main")
        models = self.folder / "models.py"
        text = re.sub(r"width: int = \d+", f"width: int = {width}", models.read_text())
        models.write_text(text)
        self.commit(f"a width of {width}")

    def dualcost(self, *words: str, **variables: str) -> tuple[int, str, str]:
        done = subprocess.run(
            [sys.executable, "-m", "dualcost", *words],
            cwd=self.folder,
            env={**os.environ, "COLUMNS": "80", **variables},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    folder = tmp_path_factory.mktemp("repository") / "example"
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("__pycache__"))
    return Repository(folder)


def test_the_example_is_up_to_date(repository: Repository) -> None:
    code, out, _ = repository.dualcost("check", "--frozen")
    assert code == 0, out
    assert "all passed" in out


def test_its_own_test_of_the_cost_passes(repository: Repository) -> None:
    words = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider"]
    done = subprocess.run(words, cwd=repository.folder, capture_output=True, text=True, check=False)
    assert "1 passed" in done.stdout


def test_a_narrower_model_with_its_lock_passes(repository: Repository) -> None:
    repository.branch("narrower", width=24)
    code, out, _ = repository.dualcost("lock", "--tighten")
    assert code == 0, out
    lines = repository.git("diff", "--unified=0", "dualcost.lock").splitlines()
    changed = [line for line in lines if re.match(r"[+-][^+-]", line)]
    assert any(line.startswith('-"0.0" = { macs = 884736, params = 864 }') for line in changed)
    # 3*3 * 3 * 24 weights, applied at 32*32 positions
    assert f'+"0.0" = {{ macs = {3 * 3 * 3 * 24 * 32 * 32}, params = {3 * 3 * 3 * 24} }}' in changed
    repository.commit("lock")
    assert repository.dualcost("check", "--frozen")[0] == 0


def test_a_wider_model_fails_with_its_layers_and_lines(repository: Repository) -> None:
    repository.branch("wider", width=40)
    config = (repository.folder / "pyproject.toml").read_text().splitlines()
    code, out, _ = repository.dualcost("check", "--output", "json", "--output", "github", "--why")
    assert code == 1
    report, annotations = out.split("\n::error", 1)
    small = json.loads(report)["models"][0]
    failed = [one for one in small["verdicts"] if one["status"] == "fail"]
    assert [(one["kind"], one["metric"]) for one in failed] == [
        ("budget", "params"),
        ("budget", "macs"),
        ("ratchet", "params"),
        ("ratchet", "macs"),
    ]
    # 4*width × 4*width × 3*3 weights: the fourth block has most
    assert failed[0]["culprits"][0]["path"] == "3.0"
    assert failed[0]["culprits"][0]["amount"] == 9 * (160**2 - 128**2)
    assert "see docs/device.md" in annotations
    line = re.search(r"line=(\d+),title=small%3A macs max", annotations)
    assert line is not None
    assert config[int(line[1]) - 1].startswith("macs = ")
    assert small["advice"].endswith(": fits")


def test_a_revision_of_git_is_measured_by_its_own_code(repository: Repository) -> None:
    repository.branch("much-wider", width=48)
    # what is not committed stays as it is, and is not what is compared with
    (repository.folder / "notes.txt").write_text("mine")
    status = repository.git("status", "--short")
    # as in a hook, to which git hands the index of what is being committed
    index = {"GIT_DIR": ".git", "GIT_INDEX_FILE": ".git/index"}
    code, out, err = repository.dualcost("check", "small", "--baseline", "git:main", **index)
    assert code == 1, err
    assert "against git:main" in out
    # 3*3*(3w + w*2w + 2w*4w + 4w*4w) weights, 2*(w + 2w + 4w + 4w) of norms, a head of 4w*10 + 10
    before, after = (
        9 * (3 * w + 2 * w * w + 8 * w * w + 16 * w * w) + 22 * w + 40 * w + 10 for w in (32, 48)
    )
    assert f"{before / 1000:.1f} K" in out
    assert f"{after / 1000:.1f} K" in out
    assert repository.git("status", "--short") == status
    assert len(repository.git("worktree", "list").splitlines()) == 1


def test_a_revision_without_a_configuration_cannot_be_compared(repository: Repository) -> None:
    repository.git("switch", "--quiet", "--orphan", "empty")
    repository.git("commit", "--quiet", "--allow-empty", "--message", "nothing yet")
    repository.git("switch", "--quiet", "--force", "main")
    code, _, err = repository.dualcost("check", "--baseline", "git:empty")
    assert code == 3
    assert "error: git:empty has no pyproject.toml" in err
    code, _, err = repository.dualcost("check", "--baseline", "git:none")
    assert code == 2
    assert "error: git knows no revision 'none'" in err
    assert len(repository.git("worktree", "list").splitlines()) == 1
