"""The rows of a sweep for people, line by line as they come: a table, or Markdown."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from rich.text import Text

from dualcost.costs.metrics import COMPARED
from dualcost.render.profile.markdown import cells_line
from dualcost.search.sweep.rows import DONE, FAILED, Swept


@dataclass(frozen=True)
class Column:
    """A column: its heading, what stands in it, how wide it is, and which terminals show it.

    Those must be at least `width` wide; with a column of latencies, `beside_latency`.
    """

    title: str
    text: Callable[[Swept], str]
    size: int
    width: int = 0
    beside_latency: int = 0


def _ratio(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _cost(name: str, size: int, **words: int) -> Column:
    """The column of a metric."""
    metric = COMPARED[name]
    return Column(metric.title, lambda row: metric.unit.text(row.costs[metric.key]), size, **words)


COLUMNS: tuple[Column, ...] = (
    Column("conv", lambda row: row.point.label, 13),
    Column("sites", lambda row: str(row.replaced or ""), 5),
    _cost("macs", 7),
    Column("ratio", lambda row: _ratio(row.macs_ratio), 5),
    _cost("params", 7),
    Column("ratio", lambda row: _ratio(row.params_ratio), 5),
    _cost("weight-bytes", 9, width=100),
    _cost("traffic", 9, beside_latency=100),
    _cost("peak-activations", 9),
    LATENCY := _cost("latency", 8),
)
GAP = "  "


def _columns(latency: bool) -> list[Column]:
    return [column for column in COLUMNS if latency or column is not LATENCY]


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
        columns = [c for c in _columns(self._latency) if c.width <= width]
        if self._latency:
            columns = [c for c in columns if c.beside_latency <= width]
        if self._panel is None:
            yield Text(GAP + _cells([column.title for column in columns], columns), "dim")
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
