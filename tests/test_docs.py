"""Every command and code block that is shown is run."""

from __future__ import annotations

import re
import shlex
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

import pytest
from update_docs import (
    CONSOLE,
    DOCUMENTS,
    FIGURES,
    PICTURE,
    PROMPT,
    PYTHON,
    ROOT,
    commands,
    output_of,
)

from dualcost import library

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


def test_the_picture_shows_what_the_command_prints() -> None:
    drawn = ElementTree.parse(ROOT / FIGURES / "profile.svg")
    texts = [text for one in drawn.iter("{http://www.w3.org/2000/svg}text") if (text := one.text)]
    shown = f"dualcost{PROMPT}{PICTURE}{output_of(PICTURE)}"  # the title, and the prompt
    assert "".join("".join(texts).split()) == "".join(shown.split())


def test_a_picture_loads_nothing_and_is_light() -> None:
    text = (ROOT / FIGURES / "profile.svg").read_text()
    assert len(text) < 100_000
    assert not re.search(r"@font-face|url\((?!#)|href", text)


def test_the_comparison_of_the_readme_is_what_was_measured() -> None:
    """Its totals are those of the page about benchmarks; so is who left nothing in the model."""
    counts: dict[str, list[str]] = {}
    left: dict[str, str] = {}
    for cells in rows_of((ROOT / "docs/benchmarks.md").read_text()):
        if len(cells) == 5 and cells[1] in COUNTERS:
            counts.setdefault(cells[1], []).append(cells[2])
        elif len(cells) == 3 and cells[0] in COUNTERS:
            left[cells[0]] = cells[2]
    compared = [cells for cells in rows_of((ROOT / "README.md").read_text()) if len(cells) == 5]
    assert [cells[0] for cells in compared[1:]] == [*COUNTERS]
    for name, *totals, leaves in compared[1:]:
        assert counts[name][:3] == totals
        assert (left[name] == "nothing") == (leaves == "nothing")
    for name, total in zip(compared[0][1:4], compared[1][1:4], strict=True):
        assert f"{library.load(name).macs:,}" == total


COUNTERS = ("dualcost", "FlopCounterMode", "fvcore", "ptflops", "thop", "torchinfo", "calflops")


def rows_of(page: str) -> list[list[str]]:
    """The cells of every line of every table, but those of its rule."""
    lines = (line for line in page.splitlines() if line.startswith("| ") and "---" not in line)
    return [[cell.strip() for cell in line[1:-1].split("|")] for line in lines]


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
            assert option in _help(words[0])


@cache
def _help(command: str) -> str:
    from typer.testing import CliRunner

    from dualcost.cli import assembled

    return CliRunner().invoke(assembled(), [command, "--help"], env={"COLUMNS": "200"}).output


def test_links_between_documents_lead_somewhere() -> None:
    for path in DOCUMENTS:
        for target in re.findall(r"\]\(([^)#]+)\)", path.read_text()):
            if "://" not in target:
                assert (path.parent / target).exists(), f"{path.name} links to {target}"
