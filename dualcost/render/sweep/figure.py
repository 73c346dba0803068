"""A sweep as a figure: one metric against another, a line a kind, points labelled with G or P."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal

from dualcost import units
from dualcost.costs.metrics import Metric
from dualcost.kinds.kinds import KINDS
from dualcost.render.figure import FRONT, WIDE, look_of, new_figure
from dualcost.search.sweep.rows import Swept, fronts
from dualcost.units import Unit

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

# what the numbers of an axis are counted in, and how its label says so
SCALES = {Unit.BYTES: (units.MEBI, " (MiB)"), Unit.SECONDS: (1e-3, " (ms)")}
STYLES: tuple[Literal["-", "--", ":", "-."], ...] = (
    "-",
    "--",
    ":",
    "-.",
)  # of the rules, if there are several
LABEL_POINTS = 6.5
# Where a label may stand beside its point, in points; the first place that is free is taken.
PLACES = (
    (0, 7), (0, -7), (8, 0), (-8, 0), (7, 6), (-7, 6), (7, -6), (-7, -6),
    (0, 13), (0, -13), (14, 0), (-14, 0), (12, 11), (-12, 11), (12, -11), (-12, -11),
    (0, 20), (0, -20), (21, 0), (-21, 0), (18, 14), (-18, 14), (18, -14), (-18, -14),
)  # fmt: skip


def sweep_figure(rows: Sequence[Swept], x: Metric, y: Metric) -> Figure:
    """One panel for each model and input; the front of each panel is marked.

    Args:
        rows: what is DONE of a sweep, at least one.
        x: one of COMPARED.
        y: another.
    """
    panels = list(dict.fromkeys(row.panel for row in rows))
    wide = min(len(panels), 2 if len(panels) < 5 else 3)
    high = -(-len(panels) // wide)
    figure = new_figure(4.6 * wide + (1.2 if wide == 1 else 0), 3.7 * high + 0.4)
    ways = list(dict.fromkeys(row.way for row in rows if row.point.conv))
    axes = figure.subplots(high, wide, squeeze=False).ravel()
    several = len({panel[0] for panel in panels}) < len(panels)
    for panel, here in zip(panels, axes, strict=False):
        of_panel = [row for row in rows if row.panel == panel]
        _panel(here, of_panel, x, y, _line_styles(of_panel))
        title = panel[0].removeprefix("zoo:").removeprefix("torchvision:")
        here.set_title(f"{title}, {panel[1]}" if several else title, fontsize=9)
    for here in axes[len(panels) :]:
        here.set_visible(False)
    _legend(figure, rows, ways if _mixed(rows) else [])
    figure.draw_without_rendering()  # the layout decides where points are, and labels keep clear
    for panel, here in zip(panels, axes, strict=False):
        _label(here, [row for row in rows if row.panel == panel], x, y)
    return figure


def _mixed(rows: Sequence[Swept]) -> bool:
    """Some panel has more than one rule."""
    ways: dict[tuple[str, str], set[str]] = {}
    for row in rows:
        if row.point.conv:
            ways.setdefault(row.panel, set()).add(row.way)
    return any(len(of_panel) > 1 for of_panel in ways.values())


def _line_styles(rows: Sequence[Swept]) -> dict[str, str]:
    ways = dict.fromkeys(row.way for row in rows if row.point.conv)
    return {way: STYLES[index % len(STYLES)] for index, way in enumerate(ways)}


def _values(rows: Sequence[Swept], metric: Metric) -> list[float]:
    scale, _ = SCALES.get(metric.unit, (1, ""))
    return [row.costs[metric.key] / scale for row in rows]


def _panel(axes: Axes, rows: Sequence[Swept], x: Metric, y: Metric, styles: dict[str, str]) -> None:
    front = fronts(rows, x, y)
    axes.plot(
        _values(front, x),
        _values(front, y),
        color=FRONT,
        linewidth=6,
        alpha=0.25,
        marker="o",
        markersize=9,
        markeredgewidth=0,
        solid_capstyle="round",
        zorder=1,
    )
    lines: dict[tuple[str, str], list[Swept]] = {}
    for row in rows:
        lines.setdefault((row.point.conv, row.way if row.point.conv else ""), []).append(row)
    for (conv, way), of_line in lines.items():
        look = look_of(conv)
        of_line.sort(key=lambda row: row.point.G or row.point.P or 0)
        axes.plot(
            _values(of_line, x),
            _values(of_line, y),
            color=look.colour,
            marker=look.mark,
            markersize=5 if conv else 10,
            markeredgecolor="white",
            markeredgewidth=0.5,
            linestyle=styles.get(way, "none"),
            linewidth=1.2,
            zorder=3 if conv else 4,
        )
    _scale(axes.xaxis, x, _values(rows, x), axes.set_xscale)
    _scale(axes.yaxis, y, _values(rows, y), axes.set_yscale)
    axes.margins(x=0.1, y=0.12)


def _scale(
    axis: Axis, metric: Metric, values: Sequence[float], set_scale: Callable[[str], None]
) -> None:
    """A logarithmic axis where the values are far apart, and ticks with the metric's own prefix."""
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

    if max(values) > WIDE * min(values) > 0:
        set_scale("log")
        far = max(values) > 30 * min(values)
        axis.set_major_locator(LogLocator(subs=(1, 3) if far else (1, 2, 5)))
        axis.set_minor_formatter(NullFormatter())
    else:
        axis.set_major_locator(MaxNLocator(6))
    axis.set_major_formatter(FuncFormatter(lambda value, _: units.tick(value)))
    _, suffix = SCALES.get(metric.unit, (1, ""))
    axis.set_label_text(f"{metric.label}{suffix}")


def _legend(figure: Figure, rows: Sequence[Swept], ways: Sequence[str]) -> None:
    """One entry for each kind, the front, and each rule if some panel has several."""
    from matplotlib.lines import Line2D

    handles = []
    for conv in dict.fromkeys(row.point.conv for row in rows):
        look = look_of(conv)
        letter = KINDS[conv].letter if conv else ""
        handles.append(
            Line2D(
                [], [],
                color=look.colour,
                marker=look.mark,
                markersize=5 if conv else 9,
                linestyle="-" if letter else "none",
                linewidth=1.2,
                label=f"{conv}, with its {letter}" if letter else conv or "as it is",
            )
        )  # fmt: skip
    handles.append(Line2D([], [], color=FRONT, linewidth=6, alpha=0.25, label="Pareto front"))
    handles += [
        Line2D([], [], color="#444444", linestyle=STYLES[i % len(STYLES)], label=f"where {way}")
        for i, way in enumerate(ways)
    ]
    lines = -(-len(handles) // max(2, int(figure.get_figwidth() // 1.3)))
    columns = -(-len(handles) // lines)
    figure.legend(handles=handles, loc="outside lower center", ncols=columns, fontsize=8)


def _label(axes: Axes, rows: Sequence[Swept], x: Metric, y: Metric) -> None:
    """G or P beside each point, where no other label and no other point is."""
    scale = axes.figure.get_dpi() / 72
    points = list(zip(_values(rows, x), _values(rows, y), strict=True))
    marks = [(float(a) / scale, float(b) / scale) for a, b in axes.transData.transform(points)]
    taken: list[tuple[float, float, float]] = []
    for row, point, mark in zip(rows, points, marks, strict=True):
        divisor = row.point.G or row.point.P
        if divisor is None:
            continue
        text = str(divisor)
        half = LABEL_POINTS * 0.3 * len(text)
        right, up = min(PLACES, key=lambda place: _crowd(mark, place, half, marks, taken))
        taken.append((mark[0] + right, mark[1] + up, half))
        axes.annotate(
            text,
            point,
            xytext=(right, up),
            textcoords="offset points",
            horizontalalignment="center",
            verticalalignment="center",
            fontsize=LABEL_POINTS,
            color=look_of(row.point.conv).colour,
            zorder=5,
        )


def _crowd(
    mark: tuple[float, float],
    place: tuple[int, int],
    half: float,
    marks: Sequence[tuple[float, float]],
    taken: Sequence[tuple[float, float, float]],
) -> int:
    """How many labels and points a label would cover there; near places come first in PLACES."""
    a, b = mark[0] + place[0], mark[1] + place[1]
    tall = LABEL_POINTS * 0.55
    labels = sum(abs(a - c) < half + other and abs(b - d) < 2 * tall for c, d, other in taken)
    points = sum(abs(a - c) < half + 2.5 and abs(b - d) < tall + 2.5 for c, d in marks)
    return 3 * labels + points
