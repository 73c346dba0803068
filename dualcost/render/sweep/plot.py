"""A sweep as a plot of characters, for a terminal: a panel for each model and input."""

from __future__ import annotations

from collections.abc import Sequence
from math import log

from rich.console import Group, RenderableType
from rich.text import Text

from dualcost.costs.metrics import Metric
from dualcost.render.figure import ORIGINAL, WIDE, look_of
from dualcost.search.sweep.rows import Swept, fronts

HEIGHT = 16
MARGIN = 11  # of the axis at the left


def sweep_plot(rows: Sequence[Swept], x: Metric, y: Metric, width: int) -> RenderableType:
    """The panels below each other, then what the signs mean; a number beside one is its G or P.

    Args:
        rows: what is DONE of a sweep, at least one.
        x: one of COMPARED.
        y: another.
        width: columns of the terminal.
    """
    parts: list[RenderableType] = []
    for panel in dict.fromkeys(row.panel for row in rows):
        of_panel = [row for row in rows if row.panel == panel]
        parts += [Text(f"{y.label}  {'  '.join(panel)}", "bold")]
        parts += [*_panel(of_panel, x, y, width), Text()]
    legend = Text()
    for conv in dict.fromkeys(row.point.conv for row in rows):
        legend.append(f"{look_of(conv).sign} {conv or 'as it is'}   ", _style(conv))
    legend.append("underlined: on the Pareto front", "dim")
    return Group(*parts, legend)


def _style(conv: str) -> str:
    colour = look_of(conv).colour
    # black would not be seen on a dark terminal
    return colour if colour != ORIGINAL.colour else "bold"


class _Scale:
    """Where a value lies between the least and the greatest, on a logarithmic axis if far apart."""

    def __init__(self, values: Sequence[float], cells: int) -> None:
        self.least, self.greatest = min(values), max(values)
        self.cells = cells
        self.far = self.greatest > WIDE * self.least > 0

    def cell(self, value: float) -> int:
        """From 0 to cells - 1."""
        if self.greatest == self.least:
            return self.cells // 2
        if self.far:
            share = log(value / self.least) / log(self.greatest / self.least)
        else:
            share = (value - self.least) / (self.greatest - self.least)
        return round(max(0.0, share) * (self.cells - 1))


def _panel(rows: Sequence[Swept], x: Metric, y: Metric, width: int) -> list[Text]:
    columns = width - MARGIN - 4  # the number of a point at the right edge still has room
    across = _Scale([row.costs[x.key] for row in rows], columns)
    upward = _Scale([row.costs[y.key] for row in rows], HEIGHT)
    front = set(fronts(rows, x, y))
    signs: dict[tuple[int, int], tuple[str, str]] = {}
    cells = {
        row: (HEIGHT - 1 - upward.cell(row.costs[y.key]),
              across.cell(row.costs[x.key]))
        for row in rows
    }  # fmt: skip
    for row, cell in cells.items():
        under = " underline" if row in front else ""
        signs.setdefault(cell, (look_of(row.point.conv).sign, _style(row.point.conv) + under))
    for row, (line, column) in cells.items():
        number = str(row.point.G or row.point.P or "")
        places = [(line, column + 1 + i) for i in range(len(number))]
        if not any(place in signs for place in (*places, (line, column + 1 + len(number)))):
            signs.update(
                (place, (digit, _style(row.point.conv)))
                for place, digit in zip(places, number, strict=True)
            )
    text = y.unit.text
    ticks = {0: text(upward.greatest), HEIGHT - 1: text(upward.least)}
    lines = [_line(signs, line, width - MARGIN, ticks.get(line, "")) for line in range(HEIGHT)]
    return [*lines, Text(" " * MARGIN + "└" + "─" * (width - MARGIN - 1), "dim"),
            _bottom(across, x, columns)]  # fmt: skip


def _line(
    signs: dict[tuple[int, int], tuple[str, str]], line: int, columns: int, tick: str
) -> Text:
    text = Text()
    text.append(f"{tick.rjust(MARGIN - 1)} ", "dim").append("│", "dim")
    for column in range(columns - 1):
        text.append(*signs.get((line, column), (" ", "")))
    text.rstrip()
    return text


def _bottom(across: _Scale, x: Metric, columns: int) -> Text:
    """The least and the greatest value, and what they are of."""
    text = x.unit.text
    scale = " (logarithmic)" if across.far else ""
    least, greatest = text(across.least), text(across.greatest)
    middle = f"{x.label}{scale}".center(columns - len(least) - len(greatest) + 2)
    return Text(" " * MARGIN + f"{least}{middle}{greatest}", "dim")
