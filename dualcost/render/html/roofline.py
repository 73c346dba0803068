"""A roofline as a drawing inside a page: its colours are the page's, in light and in dark."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10, sqrt

from dualcost import units
from dualcost.render.roofline.table import compute_peak, memory_peak
from dualcost.views.roofline import PlacedLayer, Point, Roofline, folded

WIDTH, HEIGHT = 860, 460
LEFT, RIGHT, TOP, BOTTOM = 76, 16, 28, 52
LEAST_RADIUS, WIDEST_RADIUS = 3.5, 17.0
MARGIN = 1.5  # of the axes, as a factor
STEPS = (1, 2, 5)


@dataclass(frozen=True)
class Mark:
    """A circle: where, how large, its classes, and what it says."""

    x: float
    y: float
    radius: float
    look: str
    title: str


@dataclass(frozen=True)
class Drawing:
    """Everything that the template draws, in the coordinates of the drawing."""

    width: int
    height: int
    frame: tuple[int, int, int, int]
    x_ticks: Sequence[tuple[float, str]]
    y_ticks: Sequence[tuple[float, str]]
    roof: Sequence[tuple[float, float]]
    peaks: tuple[str, str]
    slope: tuple[float, float, float]
    arrows: Sequence[tuple[float, float, float, float]]
    marks: Sequence[Mark]


@dataclass(frozen=True)
class Axis:
    """A logarithmic axis from `low` to `high`, which lie at `start` and `end` of the drawing."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        """Where a value lies."""
        share = (log10(value) - log10(self.low)) / (log10(self.high) - log10(self.low))
        return round(self.start + share * (self.end - self.start), 1)

    def ticks(self) -> Iterator[tuple[float, str]]:
        """Round values with their places; fewer where many would stand close."""
        decades = range(floor(log10(self.low)), ceil(log10(self.high)) + 1)
        steps = STEPS if len(decades) < 5 else STEPS[:1]
        for value in (step * 10.0**decade for decade in decades for step in steps):
            if self.low <= value <= self.high:
                yield self.at(value), units.tick(float(f"{value:.3g}"))


def drawing(roofline: Roofline) -> Drawing:
    """The layers under the roof; a line leads from a replaced layer to what replaces it.

    A mark's area is in proportion to the time of the layers that lie there, but for the smallest.
    """
    x, y = _axes(roofline)
    spots = sorted(folded(roofline.layers), key=lambda spot: -spot[1] * spot[0].before.seconds)
    longest_s = max(
        count * point.seconds for layer, count in spots for point in (layer.before, layer.after)
    )

    def radius(point: Point, count: int) -> float:
        return max(LEAST_RADIUS, WIDEST_RADIUS * sqrt(count * point.seconds / longest_s))

    changed = [layer for layer, _ in spots if layer.replaced]
    low, ridge, high = x.low, roofline.roof.ridge, x.high
    start = max(low, y.low / roofline.roof.bytes_per_s)
    corners = (start, ridge, high)
    return Drawing(
        width=WIDTH,
        height=HEIGHT,
        frame=(LEFT, TOP, WIDTH - RIGHT, HEIGHT - BOTTOM),
        x_ticks=[*x.ticks()],
        y_ticks=[*y.ticks()],
        roof=[(x.at(one), y.at(roofline.roof.attainable(one))) for one in corners],
        peaks=(compute_peak(roofline.roof), memory_peak(roofline.roof)),
        slope=_slope(roofline, x, y, start),
        arrows=[
            (
                x.at(layer.before.intensity),
                y.at(layer.before.flops_per_s),
                x.at(layer.after.intensity),
                y.at(layer.after.flops_per_s),
            )
            for layer in changed
        ],
        marks=[*_marks(roofline, spots, x, y, radius)],
    )


def _axes(roofline: Roofline) -> tuple[Axis, Axis]:
    """All layers, the ridge, and the roof from where the first layer lies."""
    points = [point for layer in roofline.layers for point in (layer.before, layer.after)]
    intensities = [point.intensity for point in points]
    rates = [point.flops_per_s for point in points]
    ridge = roofline.roof.ridge
    x = Axis(
        min(*intensities, ridge) / MARGIN,
        max(*intensities, ridge * 2) * MARGIN,
        LEFT,
        WIDTH - RIGHT,
    )
    highest = max(*rates, roofline.roof.flops_per_s) * MARGIN
    return x, Axis(min(rates) / MARGIN, highest, HEIGHT - BOTTOM, TOP)


def _slope(roofline: Roofline, x: Axis, y: Axis, start: float) -> tuple[float, float, float]:
    """Where the speed of memory is written: its place, and the angle of the roof there."""
    from math import atan2, degrees

    middle = sqrt(start * roofline.roof.ridge)
    places = [
        (x.at(one), y.at(roofline.roof.attainable(one))) for one in (start, roofline.roof.ridge)
    ]
    (left, bottom), (right, top) = places
    angle = degrees(atan2(top - bottom, right - left))
    return x.at(middle), y.at(roofline.roof.attainable(middle)), round(angle, 1)


def _marks(
    roofline: Roofline,
    spots: Sequence[tuple[PlacedLayer, int]],
    x: Axis,
    y: Axis,
    radius: Callable[[Point, int], float],
) -> Iterator[Mark]:
    """Those that stay first, and what replaces others last, so that it is seen."""
    kept = [spot for spot in spots if not spot[0].replaced]
    changed = [spot for spot in spots if spot[0].replaced]
    sides = [(spot, spot[0].before, "kept", "") for spot in kept]
    sides += [(spot, spot[0].before, "before", "before: ") for spot in changed]
    sides += [
        (spot, spot[0].after, f"after {choice.kind.name}", "after: ")
        for spot in changed
        if (choice := spot[0].becomes)
    ]
    for (layer, count), point, look, words in sides:
        more = f" and {count - 1} like it" if count > 1 else ""
        becomes = f"{layer.becomes} " if layer.becomes else ""
        attained = point.flops_per_s / roofline.roof.attainable(point.intensity)
        yield Mark(
            x=x.at(point.intensity),
            y=y.at(point.flops_per_s),
            radius=round(radius(point, count), 1),
            look=look,
            title=(
                f"{layer.path or '(root)'}{more}, {words}{becomes}"
                f"{point.intensity:.1f} FLOPs/byte, "
                f"~{units.tick(float(f'{point.flops_per_s:.4g}'))}FLOPs/s "
                f"({units.percent(attained)} of the roof), ~{units.duration(point.seconds)} each"
            ),
        )
