"""A page as one session: its blocks run one after the other, in one fresh folder.

A page asks for it by a line `<!-- session -->`. Then

* a block with a title, such as ```python title="models.py", is a file that is written;
* a ```python block without one is run;
* of a ```console block each line that starts with "$ " is run by bash, and what follows is what it
  prints, errors too;
* every other block is left alone.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

MARK = "<!-- session -->"
FENCE = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```$', re.DOTALL | re.MULTILINE)
PROMPT = "$ "
FAULT = "dualcost itself failed"  # what no page is to show
# git is told nothing by the machine
VARIABLES = {
    "COLUMNS": "80",
    "NO_COLOR": "1",
    "LC_ALL": "C.UTF-8",
    "PYTEST_ADDOPTS": "-p no:cacheprovider",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONUNBUFFERED": "1",  # both streams in the order that a terminal shows
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    **{f"GIT_{who}_NAME": "Somebody" for who in ("AUTHOR", "COMMITTER")},
    **{f"GIT_{who}_EMAIL": "somebody@example.org" for who in ("AUTHOR", "COMMITTER")},
    **{f"GIT_{who}_DATE": "2026-01-01T12:00:00Z" for who in ("AUTHOR", "COMMITTER")},
}


def surroundings(**variables: str) -> dict[str, str]:
    """This process's environment with other variables in it, and without those of coverage.

    Other tests reach what the documents' commands do; while lines are counted, starting torch takes
    twice as long.
    """
    plain = {name: text for name, text in os.environ.items() if not name.startswith("COVERAGE_")}
    return plain | variables


def is_session(text: str) -> bool:
    """Whether a page is one."""
    return MARK in text


def commands(block: str) -> Iterator[tuple[str, str]]:
    """Each command of a console block, with the output that is shown under it."""
    parts = re.split(rf"^{re.escape(PROMPT)}", block, flags=re.MULTILINE)[1:]
    for part in parts:
        command, _, output = part.partition("\n")
        yield command, output


def rerun(text: str) -> str:
    """The page with what its commands print now.

    Raises:
        subprocess.CalledProcessError: a block of Python failed.
        RuntimeError: a command ended in a fault of dualcost itself.
    """
    with TemporaryDirectory() as made:
        place = Path(made).resolve()
        folder = place / "project"  # and a cache beside it, which no other run has filled
        folder.mkdir()
        # commands are found beside this Python, be it a warm one
        beside = (str(Path(sys.executable).parent), sysconfig.get_path("scripts"))
        session = _Session(
            folder,
            surroundings(
                **VARIABLES,
                PATH=os.pathsep.join((*beside, os.environ["PATH"])),
                XDG_CACHE_HOME=f"{place}/cache",
                XDG_DATA_HOME=f"{place}/data",
            ),
        )
        return FENCE.sub(session.block, text)


class _Session:
    """A folder, and what commands in it may know."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder = folder
        self.environment = environment

    def block(self, fence: re.Match[str]) -> str:
        """Carry out one block; a console block comes back with what it prints."""
        language, title, body = fence.groups()
        if title:
            path = self.folder / title
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(body)
        elif language == "python":
            self._run([sys.executable, "-c", body], check=True)
        elif language == "console":
            shown = "".join(
                f"{PROMPT}{command}\n{self._run(['bash', '-c', command])}"
                for command, _ in commands(body)
            )
            return f"```console\n{shown}```"
        return fence[0]

    def _run(self, words: list[str], *, check: bool = False) -> str:
        done = subprocess.run(
            words,
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=None if check else subprocess.STDOUT,
            text=True,
            check=check,
        )
        if FAULT in done.stdout:
            raise RuntimeError(f"{words[-1]}\n{done.stdout}")
        return done.stdout
