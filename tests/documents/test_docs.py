"""Every command and code block that is shown is run."""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
import yaml
from reference import DOCS, PAGES
from session import FENCE, commands, is_session
from update_docs import CONSOLE, DOCUMENTS, PYTHON, ROOT, output_of, renewed

from dualcost.render.manual.page import Page

pytestmark = pytest.mark.usefixtures("warm_python")

SESSIONS = [path for path in DOCUMENTS if is_session(path.read_text())]
ALONE = [path for path in DOCUMENTS if path not in SESSIONS]
SHOWN = [
    (path, command, output)
    for path in ALONE
    for block in CONSOLE.findall(path.read_text())
    for command, output in commands(block)
]
CODE = [(path, code) for path in ALONE for code in PYTHON.findall(path.read_text())]
DATA = [
    (path, language, body, bool(title))
    for path in DOCUMENTS
    for language, title, body in FENCE.findall(path.read_text())
    if language in ("json", "toml", "yaml")
]
SHELL = re.compile(r"```sh\n(.*?)```", re.DOTALL)


@pytest.mark.parametrize(
    ("path", "command", "output"), SHOWN, ids=[f"{p.stem}: {c}" for p, c, _ in SHOWN]
)
def test_a_shown_command_prints_what_is_shown(path: Path, command: str, output: str) -> None:
    assert output_of(command) == output, f"run python scripts/update_docs.py ({path.name})"


@pytest.mark.parametrize(("path", "code"), CODE, ids=[f"{p.stem}: {c[:30]!r}" for p, c in CODE])
def test_a_shown_block_of_python_runs(path: Path, code: str) -> None:
    exec(compile(code, str(path), "exec"), {"__name__": "shown"})


@pytest.mark.parametrize("path", SESSIONS, ids=lambda path: path.stem)
def test_a_session_prints_what_is_shown(path: Path) -> None:
    text = path.read_text()
    assert renewed(text) == text, f"run python scripts/update_docs.py ({path.name})"


@pytest.mark.parametrize(("name", "page"), PAGES.items(), ids=PAGES)
def test_a_page_of_the_reference_is_what_the_declarations_say(
    name: str, page: Callable[[], str]
) -> None:
    assert (DOCS / name).read_text() == page(), "run python scripts/reference.py"


@pytest.mark.parametrize(
    ("path", "language", "body", "used"), DATA, ids=[f"{p.stem}: {b[:30]!r}" for p, _, b, _ in DATA]
)
def test_shown_data_is_of_its_language(
    path: Path, language: str, body: str, used: bool, tmp_path: Path
) -> None:
    if language != "toml":
        assert json.loads(body) if language == "json" else yaml.safe_load(body), path
        return
    document = tomllib.loads(body)
    place = tmp_path / "pyproject.toml"
    place.write_text(body)
    if "kind" in document:
        from dualcost.rewrite.plan import read

        assert read(place).kind.name == document["kind"]
    elif not used:  # what a session writes, its commands read
        from dualcost.gate import config

        if "tool" not in document:
            place = place.rename(tmp_path / "dualcost.toml")
        assert config.read(place).models


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
        for target, section in re.findall(r"\]\(([^)#\s]*)#?([^)\s]*)\)", path.read_text()):
            if "://" not in target:
                page = path.parent / target if target else path
                assert page.exists(), f"{path.name} links to {target}"
                assert not section or section in sections(page), f"{path.name}: {target}#{section}"


def sections(page: Path) -> set[str]:
    """What a link may name of a page: its headings, as GitHub writes them (and the site)."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


def test_a_section_that_is_not_there_would_be_noticed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# A page\n\n```sh\n# no section\n```\n\n## Is `it` here, too?\n")
    assert sections(page) == {"a-page", "is-it-here-too"}
