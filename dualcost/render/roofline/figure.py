"""A roofline as a figure: the machine's peaks, and the layers before and after a rewrite."""

from __future__ import annotations

from collections.abc import Sequence
from math import pi, sqrt
from typing import TYPE_CHECKING

from dualcost import units
from dualcost.kinds.kinds import DUAL, STANDARD
from dualcost.render.figure import new_figure
from dualcost.render.roofline.table import compute_peak, memory_peak
from dualcost.views.roofline import PlacedLayer, Point, Roofline, folded

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HOLLOW = "#FFFFFF"
KEPT = "#9A9A9A"
ROOF = "#555555"
LEAST_AREA, WIDEST_AREA = 14.0, 260.0  # of a mark, in square points
CLEAR, OPAQUE = 0.3, 0.8  # what lies below a mark is seen
MARGIN = 1.5  # of the axes, as a factor


def roofline_figure(roofline: Roofline) -> Figure:
    """The layers under the roof; an arrow leads from a replaced layer to what replaces it.

    A mark's area is in proportion to the time of the layers that lie there, but for the smallest.
    """
    figure = new_figure(7.2, 4.6)
    axes = figure.subplots()
    axes.set_xscale("log")
    axes.set_yscale("log")
    points = [point for layer in roofline.layers for point in (layer.before, layer.after)]
    _limits(axes, roofline, points)
    _roof(axes, roofline)
    _layers(axes, roofline)
    _words(axes, roofline)
    return figure


def _limits(axes: Axes, roofline: Roofline, points: Sequence[Point]) -> None:
    """All layers, the ridge, and the roof from where the first layer lies."""
    intensities = [point.intensity for point in points]
    low = min(*intensities, roofline.roof.ridge) / MARGIN
    high = max(*intensities, roofline.roof.ridge * 2) * MARGIN
    axes.set_xlim(low, high)
    rates = [point.flops_per_s for point in points]
    axes.set_ylim(min(rates) / MARGIN, max(*rates, roofline.roof.flops_per_s) * MARGIN)


def _roof(axes: Axes, roofline: Roofline) -> None:
    roof = roofline.roof
    low, high = axes.get_xlim()
    floor, _ = axes.get_ylim()
    corners = [low, roof.ridge, high]
    heights = [roof.attainable(intensity) for intensity in corners]
    axes.plot(corners, heights, color=ROOF, linewidth=2, solid_joinstyle="round", zorder=2)
    axes.fill_between(corners, heights, floor, color=ROOF, alpha=0.05, linewidth=0, zorder=0)
    axes.annotate(
        compute_peak(roof),
        (high, roof.flops_per_s),
        (-4, 5),
        textcoords="offset points",
        ha="right",
        color=ROOF,
        fontsize=8,
    )
    start = max(low, floor / roof.bytes_per_s)
    middle = sqrt(start * roof.ridge)
    axes.annotate(
        memory_peak(roof),
        (middle, roof.attainable(middle)),
        (-4, 4),
        textcoords="offset points",
        ha="center",
        va="bottom",
        rotation=45,
        rotation_mode="anchor",
        transform_rotates_text=True,
        color=ROOF,
        fontsize=8,
    )


def _layers(axes: Axes, roofline: Roofline) -> None:
    look = (roofline.rewrite.kind if roofline.rewrite else DUAL).look
    spots = folded(roofline.layers)
    longest_s = max(count * layer.before.seconds for layer, count in spots)
    for layer, count in spots:
        areas = [_area(count * one.seconds / longest_s) for one in (layer.before, layer.after)]
        if not layer.replaced:
            colour = KEPT if roofline.rewrite else look.colour
            _mark(axes, layer.before, areas[0], face=colour, edge="white")
            continue
        _arrow(axes, layer, areas, look.colour)
        _mark(axes, layer.before, areas[0], face=HOLLOW, edge=STANDARD.look.colour)
        _mark(axes, layer.after, areas[1], face=look.colour, edge="white")


def _mark(axes: Axes, point: Point, area: float, *, face: str, edge: str) -> None:
    from matplotlib.colors import to_rgba

    axes.scatter(
        [point.intensity],
        [point.flops_per_s],
        s=area,
        facecolor=to_rgba(face, CLEAR if face == HOLLOW else OPAQUE),
        edgecolors=edge,
        linewidths=0.7 if edge == "white" else 1.3,
        zorder=3 if face == KEPT else 5 if edge == "white" else 4,
    )


def _area(share: float) -> float:
    return max(LEAST_AREA, WIDEST_AREA * share)


def _arrow(axes: Axes, layer: PlacedLayer, areas: Sequence[float], colour: str) -> None:
    """From mark to mark, whose radii follow from their areas."""
    start, end = (sqrt(area / pi) for area in areas)
    axes.annotate(
        "",
        (layer.after.intensity, layer.after.flops_per_s),
        (layer.before.intensity, layer.before.flops_per_s),
        arrowprops={
            "arrowstyle": "->",
            "color": colour,
            "alpha": 0.4,
            "linewidth": 0.8,
            "shrinkA": start,
            "shrinkB": end + 1,
        },
        zorder=2,
    )


def _words(axes: Axes, roofline: Roofline) -> None:
    """Titles, ticks with prefixes, and what the colours mean."""
    from matplotlib.lines import Line2D
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_minor_formatter(NullFormatter())
        axis.set_major_formatter(FuncFormatter(lambda value, _: units.tick(value)))
    axes.set_xlabel("FLOPs for each byte moved")
    axes.set_ylabel("FLOPs per second, predicted")
    name = roofline.network.removeprefix("torchvision:").removeprefix("zoo:")
    axes.set_title(f"{name}, {roofline.memory_format}, one thread", loc="left", fontsize=9)

    def entry(label: str, face: str, edge: str = "white") -> Line2D:
        return Line2D(
            [], [], linestyle="none", marker="o", markersize=7, label=label,
            markerfacecolor=face, markeredgecolor=edge,
        )  # fmt: skip

    handles = [entry("layers", DUAL.look.colour)]
    if roofline.rewrite is not None:
        handles = [
            entry("before", HOLLOW, STANDARD.look.colour),
            entry(f"after: {roofline.rewrite.label}", roofline.rewrite.kind.look.colour),
        ]
        if len(roofline.replaced) < len(roofline.layers):
            handles.append(entry("not replaced", KEPT))
    axes.legend(
        handles=handles, loc="lower right", fontsize=8, title="area: predicted time",
        title_fontsize=7, alignment="left",
    )  # fmt: skip
