"""A terminal of the user's width, and what is written in its place to a file."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text


def plain_table(gap: int = 2) -> Table:
    """A table of aligned columns, this far apart, without lines."""
    return Table(box=None, padding=(0, gap, 0, 0), header_style="dim", pad_edge=False)


def no_room(titles: Sequence[str], elsewhere: str = "--format csv") -> str:
    """Which columns a terminal has no room for, and where they are; "" where there are none."""
    if not titles:
        return ""
    return f"no room for {', '.join(titles)}: use a wider terminal or {elsewhere}"


@dataclass(frozen=True)
class Column:
    """A column of a table that fits its terminal.

    Attributes:
        title: its heading.
        cells: what stands in it, line by line.
        number: it is aligned to the right, and its cells are never folded.
        leaves: where there is too little room, the highest number leaves first; 0 stays.
        least: cells that are no numbers are folded to no less than this.
        name: what it is called where it has no room; "": as in its heading.
    """

    title: str
    cells: Sequence[Text | str]
    number: bool = True
    leaves: int = 0
    least: int = 16
    name: str = ""

    @property
    def width(self) -> int:
        """Without a fold."""
        return max(cell_len(str(text)) for text in (self.title, *self.cells))

    @property
    def narrowest(self) -> int:
        """With folds."""
        return self.width if self.number else min(self.width, self.least)


@dataclass(frozen=True)
class FittingTable:
    """A table whose columns leave where there is no room for them; a line below it says which.

    Attributes:
        columns: all of them, of the same length.
        styles: of each line; (): plain.
        gap: how far columns are apart.
        elsewhere: the option of the command that writes all columns.
    """

    columns: Sequence[Column]
    styles: Sequence[str] = ()
    gap: int = 1
    elsewhere: str = "--json"

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The table for the width that there is."""
        shown = list(self.columns)
        while self._width(shown) > options.max_width:
            most = max(column.leaves for column in shown)
            if not most:
                break
            shown = [column for column in shown if column.leaves < most]
        table = plain_table(self.gap)
        for column in shown:
            table.add_column(
                column.title,
                justify="right" if column.number else "left",
                no_wrap=column.number,
                overflow="fold",
                min_width=column.narrowest,
            )
        styles = self.styles or [""] * len(shown[0].cells)
        lines = zip(*(column.cells for column in shown), strict=True)
        for style, cells in zip(styles, lines, strict=True):
            table.add_row(*cells, style=style)
        yield table
        left_out = (one.name or one.title for one in self.columns if one not in shown)
        if said := no_room([*dict.fromkeys(left_out)], self.elsewhere):
            yield Text(said, "dim")

    def _width(self, columns: Sequence[Column]) -> int:
        return sum(column.narrowest for column in columns) + self.gap * (len(columns) - 1)


def as_text(render: Callable[[int], RenderableType], output: Path | None) -> str:
    """What `render(width)` makes, for the terminal (with its colours) or for a file or pipe.

    What is not a terminal gets plain text, and is wide enough that nothing is folded.
    """
    console = terminal()
    if output is not None or not console.is_terminal:
        width = console.width if "COLUMNS" in os.environ else PIPED_WIDTH
        console = Console(**PLAIN, width=width, color_system=None, force_terminal=False)
    with console.capture() as capture:
        # a line that is not wrapped, such as a command to be copied, is not cut either
        console.print(render(console.width), crop=False)
    return "\n".join(line.rstrip() for line in capture.get().splitlines()) + "\n"


PIPED_WIDTH = 160


PLAIN: dict[str, Any] = {"highlight": False, "emoji": False, "markup": False}


def terminal(stderr: bool = False) -> Console:
    """A console that prints what it is given, and nothing cleverer."""
    return Console(stderr=stderr, **PLAIN)
