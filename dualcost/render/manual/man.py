"""All pages of the manual as one man page, in roff: what `man dualcost` shows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from textwrap import wrap

from dualcost.render.manual.page import Entry, Page, Panel, lines
from dualcost.version import __version__

WIDTH = 66  # of an example, on a terminal of 80 columns
SOURCE = 78  # of a line of the source
FILES = (
    Entry("dualcost.toml, pyproject.toml", "The budgets of a repository, for check and lock."),
    Entry("dualcost.lock", "What its models cost, as lock wrote it."),
    Entry("~/.cache/dualcost/traces", "Traces of networks; cache dir prints where it really is."),
    Entry(
        "~/.local/share/dualcost/calibration.json",
        "What calibrate learnt; info prints where it really is.",
    ),
)
ENVIRONMENT = (
    Entry("COLUMNS", "How wide tables and help are, instead of the terminal's width."),
    Entry("NO_COLOR", "No colours, if it is set and not empty."),
    Entry("XDG_CACHE_HOME, XDG_DATA_HOME", "Where the cache and the calibration are kept."),
)


def man_page(pages: Sequence[Page], exit_codes: str) -> str:
    """The man page of the program: its own page first, then those of its commands.

    `exit_codes` is the title of the panel that becomes a section.
    """
    root, *commands = pages
    text = [
        '.\\" Written by scripts/update_man.py; do not edit.',
        f'.TH DUALCOST 1 "" "dualcost {__version__}" "User Commands"',
        *(".nh", ".ad l"),  # no hyphens and no wide gaps: options are searched for
        *(".SH NAME", rf"dualcost \- {_text(_sentence(root.about[0]))}"),
        *(".SH SYNOPSIS", rf".B {root.name}", _text(root.usage)),
        *(".SH DESCRIPTION", *_paragraphs(root.about)),
    ]
    panels = {panel.title: panel for panel in root.panels}
    for title, panel in panels.items():
        if title != exit_codes:
            text += [f'.SS "{_text(title)}"', *_entries(panel.entries)]
    text.append(".SH EXAMPLES")
    text += _examples(root)
    text.append(".SH COMMANDS")
    for page in commands:
        text += _command(page)
    text += [".SH EXIT STATUS", *_entries(panels[exit_codes].entries)]
    text += [".SH FILES", *_entries(FILES), ".SH ENVIRONMENT", *_entries(ENVIRONMENT)]
    return "\n".join(text) + "\n"


def _sentence(text: str) -> str:
    return text.rstrip(".?")


def _command(page: Page) -> Iterator[str]:
    yield f'.SS "{_text(page.name)}"'
    yield rf".B {_text(page.name)}"
    yield _text(page.usage)
    for paragraph in page.about:
        yield from (".PP", _text(paragraph))
    for panel in page.panels:
        yield from _panel(panel)
    if page.examples:
        yield from (".PP", ".I Examples")
        yield from _examples(page)


def _panel(panel: Panel) -> Iterator[str]:
    yield from (".PP", f".I {_text(panel.title)}")
    yield from _entries(panel.entries)


def _paragraphs(about: Sequence[str]) -> Iterator[str]:
    for index, paragraph in enumerate(about):
        if index:
            yield ".PP"
        yield _text(paragraph)


def _entries(entries: Sequence[Entry]) -> Iterator[str]:
    for entry in entries:
        note = f" [{entry.note}]" if entry.note else ""
        yield from (".TP", _term(entry.term), _text(f"{entry.about}{note}"))


def _term(term: str) -> str:
    """What is typed is bold, what stands for something is italic."""
    words = re.split(r"( )", term)
    if not term.startswith("-"):
        return rf"\fB{_text(term)}\fR"
    return "".join(
        word if word == " " else rf"\f{'B' if word.startswith('-') else 'I'}{_text(word)}\fR"
        for word in words
    )


def _examples(page: Page) -> Iterator[str]:
    for command, about in page.examples:
        yield from (".PP", f"{_text(about)}:", ".PP", ".RS 4", ".EX")
        yield from (_escaped(line) for line in lines(command, WIDTH))
        yield from (".EE", ".RE")


def _text(text: str) -> str:
    """Text that is filled, in short lines, none of which roff would read as its own."""
    rows = wrap(_escaped(text), SOURCE, break_long_words=False, break_on_hyphens=False)
    return "\n".join(f"\\&{row}" if row.startswith(".") else row for row in rows)


def _escaped(text: str) -> str:
    """Text without a character that roff would read as its own."""
    found = text.replace("\\", "\\e").replace("-", "\\-")
    found = re.sub(r"[^\x00-\x7f]", lambda one: f"\\[u{ord(one[0]):04X}]", found)
    found = found.replace("'", "\\(aq").replace("`", "\\(ga").replace("^", "\\(ha")
    return found.replace("~", "\\(ti").replace('"', "\\(dq")
