"""The page that compares networks, layer by layer."""

from __future__ import annotations

from collections.abc import Sequence
from string import ascii_uppercase

from dualcost.costs.metrics import METRICS, Metric
from dualcost.network.cost import UNIT
from dualcost.network.form import Form
from dualcost.render.compare import line_kind, line_name
from dualcost.render.html import summary
from dualcost.render.html.table import Cell, Heading, Table
from dualcost.render.html.table import Line as TableLine
from dualcost.render.html.template import rendered
from dualcost.units import Unit
from dualcost.version import __version__
from dualcost.views.alignment import Alignment, Line
from dualcost.views.side import OF_NETWORKS, Layer

SHOWN = (METRICS["macs"], METRICS["params"], METRICS["traffic"])
FILTERS = (("", "all lines"), ("d", "what differs"), ("l", "layers that multiply"))
SECTIONS = (
    ("summary", "Summary"),
    ("layers", "Layers"),
    ("made", "How it was made"),
    ("words", "Words"),
)


def comparison_page(alignment: Alignment, command: str) -> str:
    """The page, whole.

    Args:
        alignment: who is compared, and the layers in lines.
        command: what the user wrote to make it.
    """
    sides = alignment.contenders
    table = _table(alignment)
    return rendered(
        "comparison.html",
        version=__version__,
        title=" against ".join(one.name for one in sides),
        sections=SECTIONS,
        kind="",
        sides=[(ascii_uppercase[i], one.name, one.about) for i, one in enumerate(sides)],
        quantities=[_total(alignment, metric) for metric in OF_NETWORKS.values()],
        unit=UNIT,
        partial=", ".join(one.name for one in sides if one.partial),
        differ=sum(line.changed for line in alignment.lines),
        table=table,
        command=command,
        environment=[("dualcost", __version__), ("convention", sides[0].convention)],
        data={"schema": 1, "table": table.document},
    )


def _total(alignment: Alignment, metric: Metric) -> summary.Quantity:
    values = alignment.total(metric)
    if metric.unit is Unit.BYTES:
        return summary.memory(metric.title, *values)
    bound = metric.bounded and any(one.partial for one in alignment.contenders)
    return summary.count(metric.title, *values, low="≥ " if bound else "")


def _table(alignment: Alignment) -> Table:
    letters = ascii_uppercase[: len(alignment.contenders)]
    headings = [
        Heading("layer", "layer", "the module; sorted by its path", number=False),
        Heading("kind", "kind", "what it is on each side", number=False),
    ]
    for metric in SHOWN:
        for letter in letters:
            key, title = metric.key, metric.title
            headings.append(Heading(f"{key}_{letter}", f"{title} {letter}", f"of {letter}"))
            if letter != "A":
                about = f"of {title}, {letter} against A; sorted by the difference"
                headings.append(Heading(f"{key}_change_{letter}", "change", about))
    totals = [cell for metric in SHOWN for cell in _cells(alignment.total(metric), metric)]
    return Table(
        headings=headings,
        lines=[_line(line) for line in alignment.lines],
        last=TableLine([Cell("total"), Cell(""), *totals]),
        filters=FILTERS,
        what="lines",
        adds=(f"macs_{letters[-1]}", f"MACs of {letters[-1]}"),
    )


def _line(line: Line) -> TableLine:
    kind = line_kind(line)
    cells = [Cell(line_name(line).plain, line.path, _paths(line.layers)), Cell(kind, kind)]
    for metric in SHOWN:
        cells += _cells(line.values(metric), metric)
    last = line.layers[-1]
    hue = _hue(last.kind) if last and line.changed else line.first.group
    layer = not line.path.startswith("(") or line.path == "(root)"
    tags = ("d" if line.changed else "") + ("l" if layer else "")
    return TableLine(cells, hue=hue, tags=tags)


def _hue(form: Form | None) -> str:
    """What colours a line: a kind has its own colour, transposed convolutions have theirs."""
    if form is None:
        return ""
    return "transposed" if form.transposed else form.name


def _paths(layers: Sequence[Layer | None]) -> str:
    return " · ".join(
        f"{letter}: {layer.path or layer.group if layer else '–'}"
        for letter, layer in zip(ascii_uppercase, layers, strict=False)
    )


def _cells(values: Sequence[int | None], metric: Metric) -> list[Cell]:
    """Each side's value, and from the second on the change against the first."""
    first = values[0]
    cells = []
    for place, value in enumerate(values):
        cells.append(Cell("–") if value is None else Cell(metric.unit.text(value), value))
        if place:
            text, tone = summary.change(value or 0, first or 0)
            cells.append(Cell(text, (value or 0) - (first or 0), tone=tone))
    return cells
