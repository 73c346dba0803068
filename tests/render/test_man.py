"""The man page: up to date, whole, and nothing in it that roff would misread."""

from __future__ import annotations

import os
import pty
import re
import shutil
import subprocess
import sys
import tomllib
from contextlib import suppress

import pytest
import update_man
from support.commands import in_a_process

from dualcost.cli.pages import EXIT_CODES, pages
from dualcost.render.manual.man import man_page
from dualcost.render.manual.page import Entry, Page, Panel

# the requests that are used, and whether text may follow on their line
REQUESTS = {
    ".TH": True, ".SH": True, ".SS": True, ".B": True, ".I": True, ".RS": True,
    ".nh": False, ".ad": True, ".PP": False, ".TP": False, ".EX": False, ".EE": False, ".RE": False,
}  # fmt: skip
ESCAPES = {r"\-": "-", r"\e": "\\", r"\&": "", r"\(aq": "'", r"\(ga": "`", r"\(ha": "^",
           r"\(ti": "~", r"\(dq": '"', r"\fB": "", r"\fI": "", r"\fR": ""}  # fmt: skip


def read(text: str) -> str:
    """What a reader sees of roff, its lines filled: a second reader than man's own."""
    shown = []
    for line in text.splitlines():
        if line.startswith('.\\"'):
            continue
        if line.startswith("."):
            request, _, rest = line.partition(" ")
            assert REQUESTS[request] or not rest, line
            line = rest
        line = re.sub(r"\\\[u([0-9A-F]{4})\]", lambda code: chr(int(code[1], 16)), line)
        plain = re.sub(r"\\(?:\(..|f[BIR]|.)", lambda escape: ESCAPES[escape[0]], line)
        shown.append(plain)
    return " ".join(" ".join(shown).split())


def test_the_man_page_is_up_to_date() -> None:
    assert update_man.PATH.read_text() == update_man.text(), "run python scripts/update_man.py"


def test_everything_that_help_says_is_in_it() -> None:
    shown = read(update_man.PATH.read_text())
    for page in pages():
        assert f"{page.name} {page.usage}" in shown
        assert all(paragraph in shown for paragraph in page.about)
        for panel in page.panels:
            assert panel.title in shown or panel.title == EXIT_CODES  # EXIT STATUS there
            for entry in panel.entries:
                assert f"{entry.term} {entry.about}" in shown
        for example, about in page.examples:
            assert about in shown
            assert example in shown.replace("\\ ", "")


def test_text_that_roff_would_misread_is_shown_as_it_is() -> None:
    wild = ".TH 'tis \\fB a`b ~x^2 \"q\" K×K … .x 'y " + "long " * 30 + ".z"
    page = Page("p", "[X]", (wild,), (Panel(EXIT_CODES, (Entry("-x A-B", wild, wild),)),))
    text = man_page([page, page], EXIT_CODES)
    assert read(text).count(" ".join(wild.split())) == 2 * 2 + 3
    assert text.isascii()


def test_man_itself_has_nothing_to_complain_of() -> None:
    """Where groff is installed; the reader above does not need it."""
    groff = shutil.which("groff")
    if groff:
        words = [groff, "-man", "-Tutf8", "-ww", "-z", str(update_man.PATH)]
        done = subprocess.run(words, capture_output=True, text=True, check=True)
        assert done.stderr == ""


def test_the_wheel_carries_it_to_where_man_looks() -> None:
    project = tomllib.loads((update_man.PATH.parent.parent / "pyproject.toml").read_text())
    targets = project["tool"]["hatch"]["build"]["targets"]
    shared = targets["wheel"]["shared-data"]
    assert shared == {"man/dualcost.1": "share/man/man1/dualcost.1"}
    assert "man" in targets["sdist"]["include"]


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_help_shows_the_page_at_any_width(
    page: Page, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from dualcost.cli import run

    for width in (40, 80, 200):
        monkeypatch.setenv("COLUMNS", str(width))
        assert run([*page.name.split()[1:], "--help"]) == 0
        out = capsys.readouterr().out
        assert max(len(line) for line in out.splitlines()) <= max(width, 80 if width == 40 else 0)
        assert "\x1b" not in out
        words = re.sub(r"[│╭╮╰╯─\s]+", "", out)
        for panel in page.panels:
            assert panel.title.replace(" ", "") in words
            for entry in panel.entries:
                note = f"[{entry.note}]" if entry.note else ""
                if width == 200:  # narrower columns stand side by side
                    assert all(word in out for word in entry.term.split())
                    assert re.sub(r"[─\s]+", "", f"{entry.about}{note}") in words


def test_a_terminal_gets_colours_and_nothing_else_does() -> None:
    words, plain = in_terminal("xterm"), in_a_process(*HELP, COLUMNS="80").stdout
    assert "\x1b[36m" in words  # a term is cyan
    assert "\x1b" not in plain
    for dumb in (in_terminal("dumb"), in_a_process(*HELP, COLUMNS="80", TERM="dumb").stdout):
        assert dumb.splitlines() == plain.splitlines()
    bare = re.sub(r"\x1b\[[\d;]*m", "", words)
    assert [line.rstrip() for line in bare.splitlines()] == plain.splitlines()
    assert "\x1b[36m" not in in_terminal("xterm", NO_COLOR="1")


HELP = ("-m", "dualcost", "draw", "--help")


def in_terminal(kind: str, **variables: str) -> str:
    """What is printed to a terminal of 80 columns."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "COLUMNS": "80", "TERM": kind, **variables}
    with subprocess.Popen([sys.executable, *HELP], stdout=theirs, env=environment):
        os.close(theirs)
        printed = b""
        with suppress(OSError):  # how the end of a terminal reads
            while piece := os.read(ours, 65536):
                printed += piece
    os.close(ours)
    return printed.decode()
