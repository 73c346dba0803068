"""The table of a page: text for people in its cells, and what the page's script sorts by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

# What a cell is sorted by: nothing comes last, several numbers are compared one after the other.
Exact = int | float | str | list[int] | None


@dataclass(frozen=True)
class Cell:
    """What stands in a cell.

    Attributes:
        text: for people.
        exact: what it is sorted by.
        title: shown when one points at it; "" for an exact number that the text shortens.
        share: 0 to 100, drawn as a bar; None: no bar.
        tone: "less", "more" or "", which colour it has.
    """

    text: str
    exact: Exact = None
    title: str = ""
    share: float | None = None
    tone: str = ""

    @property
    def about(self) -> str:
        """Its title, or the exact number where the text is shorter than that."""
        if self.title or not isinstance(self.exact, int):
            return self.title
        whole = f"{self.exact:,}"
        return whole if whole != self.text and str(self.exact) != self.text else ""


@dataclass(frozen=True)
class Heading:
    """The head of a column.

    Attributes:
        key: what scripts call it.
        title: for people.
        about: what it is, in one line.
        number: it is aligned to the right, and sorted from large to small at first.
    """

    key: str
    title: str
    about: str
    number: bool = True


@dataclass(frozen=True)
class Line:
    """A row of the table.

    Attributes:
        cells: one for each heading.
        level: how deep it lies in the tree, from 0.
        parent: the index of the line that it belongs to; -1 if there is none.
        hue: what colours it: a kind of convolution, a group of layers, or "module".
        tags: the filters that it passes, a letter each.
        module: it stands for the lines that belong to it.
    """

    cells: Sequence[Cell]
    level: int = 0
    parent: int = -1
    hue: str = ""
    tags: str = ""
    module: bool = False


@dataclass(frozen=True)
class Table:
    """Headings, lines, and a last line that no order or filter moves.

    Attributes:
        headings: one for each column.
        lines: in the order in which they stand at first.
        last: the total.
        filters: the tag that each keeps, and how it is called.
        what: what the lines are.
        adds: the column whose sum is said of what is shown, and how that is called.
    """

    headings: Sequence[Heading]
    lines: Sequence[Line]
    last: Line
    filters: Sequence[tuple[str, str]]
    what: str = "layers"
    adds: tuple[str, str] = ("macs", "MACs")

    @property
    def leaves(self) -> int:
        """How many lines stand for themselves."""
        return sum(not line.module for line in self.lines)

    @property
    def document(self) -> dict[str, Any]:
        """What the page's script reads."""
        return {
            "what": self.what,
            "adds": self.adds,
            "columns": [[one.key, one.title, one.number] for one in self.headings],
            "rows": [
                [one.parent, int(one.module), one.hue, one.tags, [c.exact for c in one.cells]]
                for one in self.lines
            ],
        }


@dataclass(frozen=True)
class Column:
    """A heading, and what (facts, row) → cell stands under it; `only` says where it is shown."""

    heading: Heading
    cell: Callable[[Any, Any], Cell]
    only: Callable[[Any], bool] = lambda facts: True
