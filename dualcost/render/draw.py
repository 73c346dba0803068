"""A filter design in the terminal, and as a figure like the paper's Figure 1."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from dualcost.kinds.filters import Design, Sees, Stage
from dualcost.render.figure import new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SCHEMA = 1
# Told apart without colours too.
SIGNS = {Sees.NOTHING: "·", Sees.SPATIAL: "█", Sees.POINTWISE: "▪", Sees.BOTH: "▣"}
STYLES = {Sees.NOTHING: "dim", Sees.SPATIAL: "blue", Sees.POINTWISE: "yellow", Sees.BOTH: "cyan"}
# Okabe & Ito's colours; hatches for print in grey.
FILLS = {
    Sees.NOTHING: ("#FFFFFF", ""),
    Sees.SPATIAL: ("#0072B2", ""),
    Sees.POINTWISE: ("#F0E442", "\\\\\\"),
    Sees.BOTH: ("#56B4E9", "///"),
}
CELL_INCHES = 0.24


def title(drawn: Design) -> str:
    """The kind and its sizes."""
    return f"{drawn.kind.label(drawn.divisor)}, M={drawn.M}, N={drawn.N}"


def design_text(drawn: Design) -> RenderableType:
    """One sign a cell: filters downwards, channels to the right."""
    parts: list[RenderableType] = [Text(title(drawn), style="bold"), Text(drawn.kind.about), ""]
    for stage in drawn.stages:
        parts += [Text(_caption(stage), style="dim"), *map(_line, stage.cells), ""]
    legend = Text()
    for sees in _used(drawn):
        legend.append(f"{SIGNS[sees]} {sees.value}   ", style=STYLES[sees])
    return Group(*parts, legend)


def design_json(drawn: Design) -> str:
    """The same for machines: for each stage a row a filter, with what it does with each channel."""
    document = {
        "schema": SCHEMA,
        "kind": drawn.kind.name,
        "M": drawn.M,
        "N": drawn.N,
        "divisor": drawn.divisor,
        "stages": [
            {"name": stage.name, "cells": [[sees.value for sees in row] for row in stage.cells]}
            for stage in drawn.stages
        ],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _caption(stage: Stage) -> str:
    return f"{stage.name}: {stage.filters} filters ↓  {stage.channels} channels →"


def _line(cells: tuple[Sees, ...]) -> Text:
    line = Text()
    for sees in cells:
        line.append(f"{SIGNS[sees]} ", style=STYLES[sees])
    return line


def _used(drawn: Design) -> list[Sees]:
    found = {sees for stage in drawn.stages for cells in stage.cells for sees in cells}
    return [sees for sees in Sees if sees in found]


def design_figure(drawn: Design) -> Figure:
    """A panel for each stage: a square for each filter and channel."""
    from matplotlib.patches import Patch

    widest = max(stage.channels for stage in drawn.stages) * len(drawn.stages)
    tallest = max(stage.filters for stage in drawn.stages)
    figure = new_figure(max(4.0, 1.6 + CELL_INCHES * widest), 1.8 + CELL_INCHES * tallest)
    figure.suptitle(title(drawn), fontweight="bold")
    panels = figure.subplots(1, len(drawn.stages), squeeze=False)[0]
    for stage, axes in zip(drawn.stages, panels, strict=True):
        _panel(axes, stage)
    handles = [
        Patch(facecolor=FILLS[s][0], hatch=FILLS[s][1], edgecolor="#444444", label=s.value)
        for s in _used(drawn)
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), fontsize=8)
    return figure


def _panel(axes: Axes, stage: Stage) -> None:
    from matplotlib.patches import Rectangle

    for n, cells in enumerate(stage.cells):
        for m, sees in enumerate(cells):
            colour, hatch = FILLS[sees]
            square = Rectangle(
                (m, n), 1, 1, facecolor=colour, hatch=hatch, edgecolor="#444444", linewidth=0.4
            )
            square.set_gid(f"{stage.name}-filter{n}-channel{m}-{sees.name}")
            axes.add_patch(square)
    axes.set(
        xlim=(0, stage.channels),
        ylim=(stage.filters, 0),
        aspect="equal",
        title=stage.name,
        xlabel=f"{stage.channels} input channels",
        ylabel=f"{stage.filters} filters",
        xticks=[],
        yticks=[],
    )
    axes.grid(visible=False)
