"""A table of the paper as a figure: accuracy as printed against cost as computed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dualcost.kinds.look import Look
from dualcost.paper.comparison import ComparedRow
from dualcost.paper.tables import TITLES, PrintedRow
from dualcost.render.figure import FRONT, ORIGINAL, WIDE, look_of, new_figure
from dualcost.search.sweep.rows import pareto_front

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MILLION = 1e6
PRUNED = Look("#7F7F7F", "x", "×", label=(5, -10, "left"))  # quoted from other papers
METRICS = {"macs": "MACs (millions, the paper's “FLOPs”)", "params": "parameters (millions)"}


def table_figure(rows: Sequence[ComparedRow]) -> Figure:
    """One panel for each network and metric; kinds as lines, quoted points hollow, Pareto front."""
    table = rows[0].row.table
    backbones = list(dict.fromkeys(compared.row.backbone for compared in rows))
    figure = new_figure(8.0, 4.0 * len(backbones))
    figure.suptitle(f"Table {table}: {TITLES[table]}", fontweight="bold")
    panels = figure.subplots(len(backbones), len(METRICS), squeeze=False, sharey="row")
    for backbone, line in zip(backbones, panels, strict=True):
        of_backbone = [compared for compared in rows if compared.row.backbone == backbone]
        for metric, axes in zip(METRICS, line, strict=True):
            _panel(axes, backbone, metric, of_backbone)
        line[0].set_ylabel("mAP (%)" if table == "VII" else "top-1 accuracy (%)")
        line[1].legend(loc="best", fontsize=8)
    missing = [compared.row.model for compared in rows if compared.row.accuracy is None]
    if missing:
        figure.supxlabel(
            f"Not shown, for want of a top-1 accuracy in the table: {', '.join(missing)}",
            fontsize=7,
        )
    return figure


def _look(row: PrintedRow) -> Look:
    return PRUNED if row.quoted else look_of(row.rewrite.kind.name if row.rewrite else "")


def _cost(compared: ComparedRow, metric: str) -> float | None:
    """Computed; as printed, for a quoted point whose network is not known. In millions."""
    if compared.cost is not None:
        return float(getattr(compared.cost, metric)) / MILLION
    printed = compared.row.flops if metric == "macs" else compared.row.params
    return float(printed.value) / MILLION if printed else None


def _label(axes: Axes, points: Sequence[tuple[float, float, ComparedRow]]) -> None:
    """G, P or the name beside each point; names of quoted neighbours on lines of their own."""
    quoted = 0
    for cost, accuracy, compared in points:
        look = _look(compared.row)
        x, y, side = look.label
        name = compared.row.divisor
        if compared.row.quoted:
            name = compared.row.model
            y -= 8 * (quoted % 2)
            quoted += 1
        axes.annotate(
            name,
            (cost, accuracy),
            xytext=(x, y),
            textcoords="offset points",
            horizontalalignment=side,
            fontsize=7,
            color=look.colour,
        )


def _panel(axes: Axes, backbone: str, metric: str, rows: Sequence[ComparedRow]) -> None:
    points = [
        (cost, compared.row.accuracy, compared)
        for compared in rows
        if (cost := _cost(compared, metric)) is not None and compared.row.accuracy is not None
    ]
    looks = {compared.row.kind: _look(compared.row) for _, _, compared in points}
    for kind, look in looks.items():
        of_kind = [point for point in points if point[2].row.kind == kind]
        joined = look not in (ORIGINAL, PRUNED)
        axes.plot(
            [cost for cost, _, _ in of_kind],
            [accuracy for _, accuracy, _ in of_kind],
            color=look.colour,
            marker=look.mark,
            markersize=9 if look is ORIGINAL else 5,
            linestyle="-" if joined else "none",
            linewidth=1,
            label="pruned (quoted)" if look is PRUNED else kind,
            zorder=3,
        )
    _label(axes, points)
    costs = [cost for cost, _, _ in points]
    if max(costs) > WIDE * min(costs):
        from matplotlib.ticker import LogLocator

        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter("")
    front = pareto_front(points, cost=lambda p: p[0], worth=lambda p: p[1])
    axes.plot(
        [cost for cost, _, _ in front],
        [accuracy for _, accuracy, _ in front],
        color=FRONT,
        linewidth=4,
        alpha=0.25,
        solid_capstyle="round",
        label="Pareto front",
        zorder=1,
    )
    axes.set_title(backbone, fontsize=9)
    axes.set_xlabel(METRICS[metric])
    axes.margins(x=0.12, y=0.12)
