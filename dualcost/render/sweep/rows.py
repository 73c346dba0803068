"""The rows of a sweep for people, line by line as they come: a table, or Markdown."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from rich.text import Text

from dualcost import units
from dualcost.costs.metrics import COMPARED
from dualcost.render.profile.markdown import cells_line
from dualcost.render.terminal import no_room
from dualcost.search.sweep.rows import DONE, FAILED, Swept


@dataclass(frozen=True)
class Column:
    """A column.

    Attributes:
        title: its heading.
        text: what stands in it.
        size: how wide it is.
        leaves: where there is too little room, the highest number leaves first; 0 stays.
    """

    title: str
    text: Callable[[Swept], str]
    size: int
    leaves: int = 0


def _ratio(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _cost(name: str, size: int, leaves: int = 0) -> Column:
    """The column of a metric."""
    metric = COMPARED[name]
    return Column(metric.title, lambda row: metric.unit.text(row.costs[metric.key]), size, leaves)


def _latency(row: Swept) -> str:
    """A predicted time with its band: "~44.59 ms ±10%"; a lower bound is the band's lower end."""
    if row.latency_lower_s is None:
        return ""
    if row.latency_upper_s is None:
        return f"≥ ~{units.duration(row.latency_lower_s)}"
    half = (row.latency_upper_s - row.latency_s) / row.latency_s if row.latency_s else 0.0
    return f"~{units.duration(row.latency_s)} ±{100 * half:.0f}%"


COLUMNS: tuple[Column, ...] = (
    Column("conv", lambda row: row.point.label, 13),
    Column("sites", lambda row: str(row.replaced or ""), 5),
    _cost("macs", 7),
    Column("ratio", lambda row: _ratio(row.macs_ratio), 5),
    _cost("params", 7),
    Column("ratio", lambda row: _ratio(row.params_ratio), 5, leaves=1),
    _cost("weight-bytes", 9, leaves=4),
    _cost("traffic", 9, leaves=3),
    _cost("peak-activations", 9, leaves=2),
    LATENCY := Column(COMPARED["latency"].title, _latency, 14),
)
GAP = "  "


def _columns(latency: bool) -> list[Column]:
    return [column for column in COLUMNS if latency or column is not LATENCY]


def _fitting(columns: list[Column], width: int) -> list[Column]:
    """Those for which there is room."""
    shown = list(columns)
    while sum(len(GAP) + column.size for column in shown) > width:
        leaving = max(shown, key=lambda column: column.leaves)
        if not leaving.leaves:
            break
        shown.remove(leaving)
    return shown


def _cells(texts: list[str], columns: list[Column]) -> str:
    first, *others = zip(texts, columns, strict=True)
    cells = [first[0].ljust(first[1].size), *(text.rjust(c.size) for text, c in others)]
    return GAP.join(cells).rstrip()


class Table:
    """A table whose rows are shown as soon as they are known; columns have a fixed width."""

    def __init__(self, latency: bool = False) -> None:
        self._latency = latency
        self._panel: tuple[str, str] | None = None
        self._way = ""
        self._reason = ""

    def lines(self, row: Swept, width: int) -> Iterator[Text]:
        """What a row adds: headings, where it begins something, and itself."""
        every = _columns(self._latency)
        columns = _fitting(every, width)
        if self._panel is None:
            yield Text(GAP + _cells([column.title for column in columns], columns), "dim")
            left_out = [column.title for column in every if column not in columns]
            yield from _wrapped(no_room(left_out, "--json"), width, "dim")
        if row.panel != self._panel:
            self._panel, self._way = row.panel, ""
            yield Text(f"{row.point.model}  {row.input}".rstrip(), "bold")
        if row.status == FAILED:
            yield from _wrapped(f"failed: {row.reason}", width, "bold red")
            return
        if row.way and row.way != self._way:
            self._way = row.way
            yield from _wrapped(f"where {row.way}", width, "dim")
        if row.status == DONE:
            yield Text(GAP + _cells([column.text(row) for column in columns], columns))
        else:
            label = row.point.label.ljust(COLUMNS[0].size)
            reason = "for the same reason" if row.reason == self._reason else row.reason
            yield from _wrapped(f"{label}{GAP}{reason}", width, "yellow")
        self._reason = row.reason


def _wrapped(text: str, width: int, style: str) -> Iterator[Text]:
    indent = GAP + " " * COLUMNS[0].size + GAP
    for line in textwrap.wrap(text, width, initial_indent=GAP, subsequent_indent=indent):
        yield Text(line, style)


def summary(done: int, unfit: int, failed: int) -> str:
    """How many points were costed, and what became of the others."""
    parts = [f"{done} point{'s' * (done != 1)}"]
    if unfit:
        parts.append(f"{unfit} where the rewrite cannot be carried out")
    if failed:
        parts.append(f"{failed} model{'s' * (failed != 1)} that could not be traced")
    return ", ".join(parts)


def markdown_start(latency: bool = False) -> str:
    """Heading and rule of a table in GitHub's form."""
    titles = ["model", "input", "where", *(column.title for column in _columns(latency))]
    rule = [*["---"] * 4, *["---:"] * (len(titles) - 4)]
    return f"{cells_line(titles)}\n{cells_line(rule)}\n"


def markdown_row(row: Swept, latency: bool = False) -> str:
    """A row; where there is no cost, the status and the reason follow the kind."""
    columns = _columns(latency)
    if row.status == DONE:
        cells = [column.text(row) for column in columns]
    else:
        cells = [row.point.label, row.status, row.reason, *[""] * (len(columns) - 3)]
    return cells_line([row.point.model, row.input, row.way, *cells]) + "\n"
