"""Where results go: to standard output, or with --write into their section of the benchmarks page.

A section lies between `<!-- NAME -->` and `<!-- /NAME -->`. It is one table, and a line that names
the machine and the day.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from dualcost.files import write_atomically
from dualcost.nn.here import here
from dualcost.render.profile.markdown import table

PAGE = Path(__file__).parent.parent / "docs/develop/benchmarks.md"
WRITE = "--write"
WORDS = [word for word in sys.argv[1:] if word != WRITE]


def deliver(
    name: str, titles: Sequence[str], rows: Iterable[Sequence[str]], left: int = 1, note: str = ""
) -> None:
    """Print a table, or write it into the page.

    Args:
        name: of the section.
        titles: of its columns.
        rows: one text for each column.
        left: so many columns are words, the others numbers.
        note: what the reader of the table has to know besides the machine.
    """
    shown = table(titles, rows, [column >= left for column in range(len(titles))])
    text = f"{shown}\n{f'{note} ' if note else ''}{machine()}\n"
    if WRITE in sys.argv:
        write_atomically(PAGE, replaced(PAGE.read_text(), name, text).encode())
    else:
        print(text, end="")


def machine() -> str:
    """This machine and this day, as a sentence."""
    found = here()
    cores = f"{found.cores} core{'s' * (found.cores != 1)}"
    day = datetime.now(tz=UTC).date().isoformat()
    release = found.torch.partition("+")[0]
    shown = f"{found.processor} ({found.instructions})"
    return f"{shown}, {cores}, torch {release}, {day}; shared with other programs."


def replaced(page: str, name: str, text: str) -> str:
    """The page with another text in one section.

    Raises:
        ValueError: it has no such section.
    """
    section = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
    if not section.search(page):
        raise ValueError(f"{PAGE.name} has no section <!-- {name} -->")
    return section.sub(lambda match: f"{match[1]}\n{text}\n{match[2]}", page)
