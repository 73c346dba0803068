"""A comparison of networks as a table and as JSON: layer by layer, then the totals."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from string import ascii_uppercase
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from dualcost import units
from dualcost.costs.metrics import BY_LAYER, Better, Metric
from dualcost.network.form import Form
from dualcost.render.terminal import Column, FittingTable, plain_table
from dualcost.views.alignment import Alignment, Line, change
from dualcost.views.side import LAYERS, OF_NETWORKS, Layer

SCHEMA = 1


def alignment_table(
    alignment: Alignment, lines: Sequence[Line], metrics: Sequence[Metric]
) -> RenderableType:
    """Who is compared, the lines, and the totals.

    Args:
        alignment: the whole.
        lines: those to be shown (`alignment.shown`).
        metrics: those BY_LAYER that the lines show.
    """
    sides = len(alignment.contenders)
    who = [
        Text.assemble((f"{ascii_uppercase[i]}  ", "bold"), one.about)
        for i, one in enumerate(alignment.contenders)
    ]
    changed = sum(line.changed for line in alignment.lines)
    count = f"{changed} of {len(alignment.lines)} lines differ"
    if len(lines) < len(alignment.lines):
        count += f", {len(lines)} are shown"
    parts: list[RenderableType] = [*who, ""]
    if lines:
        parts += [_lines(lines, metrics, sides)]
    return Group(*parts, Text(count, "dim"), "", _totals(alignment))


def _lines(lines: Sequence[Line], metrics: Sequence[Metric], sides: int) -> FittingTable:
    columns = [
        Column("layer", [line_name(line) for line in lines], number=False),
        Column("kind", [line_kind(line) for line in lines], number=False, least=9),
    ]
    for number, metric in enumerate(metrics):
        cells = zip(*(_cells(line.values(metric), metric) for line in lines), strict=True)
        columns += [
            Column(title, column, leaves=number, name=metric.title)
            for title, column in zip(_titles(f"{metric.title} ", sides), cells, strict=True)
        ]
    return FittingTable(columns, ["" if line.changed else "dim" for line in lines])


def _titles(start: str, sides: int) -> list[str]:
    """A title for each side, and from the second on one of the change."""
    first, *others = (f"{start}{letter}" for letter in ascii_uppercase[:sides])
    return [first, *(title for other in others for title in (other, "change"))]


def line_name(line: Line) -> Text:
    """Its path, another name that it has elsewhere, and how many layers it stands for."""
    text = Text(line.path)
    if line.renamed:
        text.append(f" ({line.renamed})", "dim")
    if line.first.group not in LAYERS:  # several, added up
        folds = dict.fromkeys(layer.folds if layer else 0 for layer in line.layers)
        text.append(f" × {'→'.join(map(str, folds))}", "dim")
    return text


def line_kind(line: Line) -> str:
    """What it is, and what it becomes; of the same kind twice only G or P."""
    first, *others = dict.fromkeys(map(_form, line.layers))
    like = [form == replace(first, divisor=form.divisor) for form in others]
    if any(like):
        pairs = zip(others, like, strict=True)
        after = [str(form.divisor if same else form) for form, same in pairs]
    else:
        after = [form.plain for form in others]
    before = first.plain if others and not any(like) else str(first)
    return f"{before}→{', '.join(dict.fromkeys(after))}" if others else before


def _form(layer: Layer | None) -> Form:
    """What a side has there."""
    if layer is None:
        return Form("–")
    if layer.kind or layer.group not in LAYERS:
        return layer.kind or Form("")
    return Form(layer.group if layer.folds == 1 else f"{layer.folds} layers")


def _cells(values: Sequence[int | None], metric: Metric) -> list[Text]:
    """Each side's value, and from the second on the change."""
    first = values[0]
    cells = [_value(first, metric)]
    for value in values[1:]:
        cells += [_value(value, metric), _change(value, first, metric)]
    return cells


def _value(value: int | None, metric: Metric) -> Text:
    return Text("–", "dim") if value is None else Text(metric.unit.text(value))


def _change(value: int | None, first: int | None, metric: Metric) -> Text:
    """What is better is green, what is worse is red; nothing where nothing changed."""
    if (value or 0) == (first or 0):
        return Text()
    less = (value or 0) < (first or 0)
    share = change(value, first)
    text = "new" if share is None else units.percent(share)
    better = less == (metric.better is Better.LESS)
    return Text(text if less or share is None else f"+{text}", "green" if better else "red")


def _totals(alignment: Alignment) -> Table:
    table = plain_table()
    table.add_column("")
    for title in _titles("", len(alignment.contenders)):
        table.add_column(title, justify="right", no_wrap=True)
    partial = any(one.partial for one in alignment.contenders)
    for metric in OF_NETWORKS.values():
        title = f"{metric.title} ≥" if partial and metric.bounded else metric.title
        style = "bold" if metric.unit is units.Unit.COUNT else ""
        table.add_row(title, *_cells(alignment.total(metric), metric), style=style)
    return table


def alignment_json(alignment: Alignment, lines: Sequence[Line]) -> str:
    """The same for machines: exact integers, null where a side has no such layer."""
    document = {
        "schema": SCHEMA,
        "contenders": [
            {
                "name": one.name,
                "about": one.about,
                "convention": one.convention,
                "partial": one.partial,
            }
            for one in alignment.contenders
        ],
        "total": {metric.key: alignment.total(metric) for metric in OF_NETWORKS.values()},
        "differ": sum(line.changed for line in alignment.lines),
        "lines": [_record(line) for line in lines],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _record(line: Line) -> dict[str, Any]:
    return {
        "group": line.first.group,
        "changed": line.changed,
        "paths": [layer and layer.path for layer in line.layers],
        "kinds": [layer and str(layer.kind or "") for layer in line.layers],
        "folds": [layer and layer.folds for layer in line.layers],
        **{metric.key: line.values(metric) for metric in BY_LAYER.values()},
    }
