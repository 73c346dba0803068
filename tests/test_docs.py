"""Every command and code block that is shown is run."""

from __future__ import annotations

import re
import shlex
from functools import cache
from pathlib import Path

import pytest
from update_docs import CONSOLE, DOCUMENTS, PYTHON, ROOT, commands, output_of

from dualcost.manual import Page

SHOWN = [
    (path, command, output)
    for path in DOCUMENTS
    for block in CONSOLE.findall(path.read_text())
    for command, output in commands(block)
]
CODE = [(path, code) for path in DOCUMENTS for code in PYTHON.findall(path.read_text())]
SHELL = re.compile(r"```sh\n(.*?)```", re.DOTALL)


@pytest.mark.parametrize(
    ("path", "command", "output"), SHOWN, ids=[f"{p.stem}: {c}" for p, c, _ in SHOWN]
)
def test_a_shown_command_prints_what_is_shown(path: Path, command: str, output: str) -> None:
    assert output_of(command) == output, f"run python scripts/update_docs.py ({path.name})"


@pytest.mark.parametrize(("path", "code"), CODE, ids=[f"{p.stem}: {c[:30]!r}" for p, c in CODE])
def test_a_shown_block_of_python_runs(path: Path, code: str) -> None:
    exec(compile(code, str(path), "exec"), {"__name__": "shown"})


def test_the_two_commands_of_the_readme_are_what_ci_runs() -> None:
    first, second = SHELL.findall((ROOT / "README.md").read_text())[:2]
    ci = (ROOT / ".ci/run").read_text()
    install_and_run, install_and_test = (block.strip().split(" && ") for block in (first, second))
    assert install_and_run[1] in ci
    assert install_and_test[1] in ci


def test_every_shell_command_with_a_made_up_path_is_known_to_the_parser() -> None:
    from dualcost.cli import run

    made_up = [
        line
        for path in DOCUMENTS
        for block in SHELL.findall(path.read_text())
        for line in block.splitlines()
        if line.startswith("dualcost")
    ]
    assert made_up
    for line in made_up:  # the parser reads all options before --help answers
        words = shlex.split(line, comments=True)[1:]
        assert run([*words, "--help"]) == 0
        for option in (word.partition("=")[0] for word in words if word.startswith("-")):
            assert option in _options(" ".join(words))


def _options(words: str) -> str:
    """The options of the command that these words call."""
    called = [page for page in _pages() if f"dualcost {words} ".startswith(f"{page.name} ")]
    return " ".join(
        entry.term for panel in max(called, key=lambda page: len(page.name)).panels
        for entry in panel.entries
    )  # fmt: skip


@cache
def _pages() -> tuple[Page, ...]:
    from dualcost.cli.pages import pages

    return tuple(pages())


def test_links_between_documents_lead_somewhere() -> None:
    for path in DOCUMENTS:
        for target in re.findall(r"\]\(([^)#]+)\)", path.read_text()):
            if "://" not in target:
                assert (path.parent / target).exists(), f"{path.name} links to {target}"
