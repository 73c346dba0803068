"""Say where two builds of dualcost print something else, over every command that is documented.

    python scripts/compare_builds.py main~1          # a revision, or the folder of a checkout
    python scripts/compare_builds.py ../old -k sweep  # only the commands that hold a word

Each command that the old build shows, in its help and in its documents, is run by both builds, each
time by a new Python in a new folder. Exit code, both streams and the files that were written are
compared byte for byte. Commands that measure times are named and not run.
"""

from __future__ import annotations

import argparse
import difflib
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parent.parent
# what a command that measures begins with, or has as a word
MEASURES = (
    "dualcost bench",
    "dualcost calibrate",
    "dualcost explain",
    "--measure",
    "paper latency",
)
# prints the commands of the build that it is run in, one a line
LISTING = """
import re, shlex
from pathlib import Path
from dualcost.cli.pages import pages
shown = []
for page in pages():
    shown.append(f"{page.name} --help")
    shown += [example for example, _ in page.examples]
for path in [Path("README.md"), *sorted(Path("docs").rglob("*.md"))]:
    for block in re.findall(r"```console\\n(.*?)```", path.read_text(), re.DOTALL):
        shown += re.findall(r"^\\$ (dualcost .*)$", block, re.MULTILINE)
print(*dict.fromkeys(shown), sep="\\n")
"""
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
WEIGHTS = """
import torch
from torchvision.models import resnet18
torch.save(resnet18().state_dict(), "trained.pt")
"""
GIT = ("git", "-c", "user.name=A", "-c", "user.email=a@example.org")


@dataclass(frozen=True)
class Outcome:
    """What a command left behind.

    Attributes:
        code: the exit code.
        out: standard output.
        err: standard error.
        files: what it wrote or changed, by path.
    """

    code: int
    out: bytes
    err: bytes
    files: dict[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Build:
    """A checkout of dualcost, and a folder as users have one for the commands that it runs."""

    root: Path
    project: Path

    def python(self, *arguments: str, folder: Path) -> subprocess.CompletedProcess[bytes]:
        """Run this Python with this build in a folder."""
        return subprocess.run(
            [sys.executable, "-P", *arguments],
            cwd=folder,
            env=os.environ
            | {
                "PYTHONPATH": str(self.root),
                "PYTHONDONTWRITEBYTECODE": "1",
                "COLUMNS": "80",
                "NO_COLOR": "1",
                "XDG_CACHE_HOME": f"{folder}/.cache",
                "XDG_DATA_HOME": f"{folder}/.data",
            },
            capture_output=True,
            check=False,
        )

    def commands(self) -> list[str]:
        """What its help and its documents show."""
        return self.python("-c", LISTING, folder=self.root).stdout.decode().splitlines()

    def run(self, command: str) -> Outcome:
        """Run a command in a new copy of the project."""
        with TemporaryDirectory() as made:
            folder = Path(made).resolve() / "project"  # of one name, as reports print it
            shutil.copytree(self.project, folder)
            before = _files(folder)
            done = self.python("-m", *shlex.split(command), folder=folder)
            changed = {
                name: content
                for name, content in _files(folder).items()
                if before.get(name) != content
            }
            place, here = str(folder.parent).encode(), b"HERE"
            return Outcome(
                done.returncode,
                done.stdout.replace(place, here),
                done.stderr.replace(place, here),
                {name: content.replace(place, here) for name, content in changed.items()},
            )


def _files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not {".git", ".cache", ".data"} & {*path.relative_to(folder).parts}
    }


def _project(folder: Path, build: Build) -> None:
    """Files of the names that examples use: models, budgets with a lock, weights, reports."""
    folder.mkdir()
    (folder / "model.py").write_text(MODEL)
    (folder / "models.py").write_text(MODEL.replace("make", "small"))
    (folder / "dualcost.toml").write_text(BUDGETS)
    (folder / "figures").mkdir()
    for words in (
        "-m dualcost lock",
        "-m dualcost profile resnet50 -o before.json",
        "-m dualcost profile resnet50 --conv dual --G 4 -o after.json",
    ):
        build.python(*words.split(), folder=folder).check_returncode()
    build.python("-c", WEIGHTS, folder=folder).check_returncode()
    for words in ("init -q -b main", "add *.py dualcost.*", "commit -q -m models"):
        subprocess.run([*GIT, *words.split()], check=True, cwd=folder)


@contextmanager
def _checkout(revision: str, place: Path) -> Iterator[Path]:
    """The folder of a build: one that is there, or a revision that is checked out for a while."""
    if Path(revision).is_dir():
        yield Path(revision).resolve()
        return
    git = ("git", "-C", str(ROOT), "worktree")
    subprocess.run([*git, "add", "--quiet", "--detach", str(place), revision], check=True)
    try:
        yield place
    finally:
        subprocess.run([*git, "remove", "--force", str(place)], check=True)


def _differences(old: Outcome, new: Outcome) -> Iterator[str]:
    """Where two outcomes differ, line by line."""
    if old.code != new.code:
        yield f"exit code {old.code}, now {new.code}"
    pairs = {"standard output": (old.out, new.out), "standard error": (old.err, new.err)}
    for name in sorted({*old.files, *new.files}):
        pairs[name] = (old.files.get(name, b""), new.files.get(name, b""))
    for name, (before, after) in pairs.items():
        if before != after:
            yield f"{name}:"
            a, b = (text.decode(errors="replace").splitlines() for text in (before, after))
            yield from list(difflib.unified_diff(a, b, n=0, lineterm=""))[2:]


def main() -> int:
    """Compare, print where they differ, and end with 1 if they do."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("old", help="a revision, or the folder of a checkout")
    parser.add_argument("-k", default="", help="only the commands that hold this word")
    words = parser.parse_args()
    with TemporaryDirectory() as made, _checkout(words.old, Path(made) / "old") as folder:
        project = Path(made).resolve() / "project"
        old, new = Build(folder, project), Build(ROOT, project)
        _project(project, old)
        shown = [command for command in old.commands() if words.k in command]
        measuring = [command for command in shown if any(word in command for word in MEASURES)]
        compared = [
            command for command in shown if command not in measuring or command.endswith("--help")
        ]
        differing = 0
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            outcomes = pool.map(lambda command: (old.run(command), new.run(command)), compared)
            for command, (before, after) in zip(compared, outcomes, strict=True):
                lines = list(_differences(before, after))
                if lines:
                    differing += 1
                    print(f"\n$ {command}", *lines, sep="\n", flush=True)
    print(f"\n{len(compared)} commands, {differing} differ; {len(measuring)} measure times")
    return int(bool(differing))


if __name__ == "__main__":
    sys.exit(main())
