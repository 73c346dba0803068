"""The roofline of a machine, and where the layers of a network lie on it, before and after.

S. Williams, A. Waterman and D. Patterson, "Roofline: an insightful visual performance model for
multicore architectures", Communications of the ACM 52 (4), 2009: a layer that computes I FLOPs for
each byte it moves reaches at most min(peak, I × bandwidth).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from dualcost.costs.profile import REMOVED, Row, profile
from dualcost.errors import UsageError
from dualcost.kinds.choice import Choice
from dualcost.latency.calibration import Calibration
from dualcost.latency.estimate import COMPUTE, MEMORY, Timing, estimate, total
from dualcost.network.cost import CONVENTIONS, Cost
from dualcost.network.network import Network
from dualcost.rewrite.request import Request
from dualcost.rewrite.rewrite import rewrite


@dataclass(frozen=True)
class Roof:
    """The peaks of a machine: FLOPs per second, and bytes per second from memory."""

    flops_per_s: float
    bytes_per_s: float

    @property
    def ridge(self) -> float:
        """FLOPs per byte at which both peaks meet."""
        return self.flops_per_s / self.bytes_per_s

    def attainable(self, intensity: float) -> float:
        """The most FLOPs per second at so many FLOPs per byte."""
        return min(self.flops_per_s, intensity * self.bytes_per_s)

    def bound(self, intensity: float) -> str:
        """Which peak bounds it: COMPUTE or MEMORY."""
        return COMPUTE if intensity >= self.ridge else MEMORY


@dataclass(frozen=True)
class Point:
    """A layer on the roofline.

    Attributes:
        flops: two for each multiply-accumulate.
        traffic: bytes read and written, every input, weight and output once.
        seconds: as predicted.
    """

    flops: int
    traffic: int
    seconds: float

    @property
    def intensity(self) -> float:
        """FLOPs per byte."""
        return self.flops / self.traffic

    @property
    def flops_per_s(self) -> float:
        """As predicted."""
        return self.flops / self.seconds


@dataclass(frozen=True)
class PlacedLayer:
    """A layer that computes, before and after; `after` is `before` where it stays.

    Attributes:
        path: the module.
        becomes: what it is replaced by; None if it stays.
        before: where it lies as it is.
        after: where it lies as rewritten.
    """

    path: str
    becomes: Choice | None
    before: Point
    after: Point

    @property
    def replaced(self) -> bool:
        """The rewrite replaced it."""
        return self.becomes is not None


@dataclass(frozen=True)
class Roofline:
    """A network on a machine's roofline.

    Attributes:
        network: its name.
        rewrite: what is replaced by what; None: nothing.
        memory_format: of weights and images.
        calibration: of the machine.
        roof: its peaks.
        layers: those with multiply-accumulates, in order of execution.
        unplaced: paths of layers whose time nothing is known of.
    """

    network: str
    rewrite: Request | None
    memory_format: str
    calibration: Calibration
    roof: Roof
    layers: tuple[PlacedLayer, ...]
    unplaced: tuple[str, ...] = ()

    @cached_property
    def replaced(self) -> tuple[PlacedLayer, ...]:
        """The layers that are replaced."""
        return tuple(layer for layer in self.layers if layer.replaced)


def roofline(
    network: Network,
    calibration: Calibration,
    asked: Request | None = None,
    *,
    channels_last: bool = False,
) -> Roofline:
    """Place the layers of a network, as it is and as the rewrite makes it.

    Raises:
        IndivisibleError: G or P does not divide some channels, and the policy is to refuse.
        UsageError: the rule matches nothing, or no layer has multiply-accumulates.
    """
    rows = profile(network, asked, CONVENTIONS["torch"]).rows
    before = estimate(network, calibration, channels_last)
    after = before
    if asked is not None:
        after = estimate(rewrite(network, asked).checked(), calibration, channels_last)
    computing = [row for row in rows if row.before.macs and row.becomes != REMOVED]
    points = [_points(row, before.by_index, after.by_index) for row in computing]
    layers = tuple(
        PlacedLayer(row.path, row.choice, old, new)
        for row, (old, new) in zip(computing, points, strict=True)
        if old and new
    )
    if not layers:
        raise UsageError(
            f"no layer of {network.name} can be placed on a roofline",
            "it needs a layer that multiplies, and whose time a calibration predicts",
        )
    return Roofline(
        network=network.name,
        rewrite=asked,
        memory_format=before.memory_format,
        calibration=calibration,
        roof=Roof(2 * calibration.macs_per_s, calibration.bytes_per_s),
        layers=layers,
        unplaced=tuple(
            row.path for row, pair in zip(computing, points, strict=True) if not all(pair)
        ),
    )


def _points(
    row: Row, before: Mapping[int, Timing], after: Mapping[int, Timing]
) -> tuple[Point | None, Point | None]:
    return (
        _point(row.before, (before.get(index, Timing()) for index in row.ops)),
        _point(row.after, (after.get(index, Timing()) for index in row.ops)),
    )


def _point(cost: Cost, timings: Iterable[Timing]) -> Point | None:
    """None where no time is predicted."""
    seconds = total(timings).seconds
    return Point(cost.flops, cost.traffic, seconds) if seconds and cost.traffic else None


def folded(layers: Iterable[PlacedLayer]) -> list[tuple[PlacedLayer, int]]:
    """Each point of the plot once, with how many layers lie there: networks repeat their layers."""
    found: dict[tuple[Choice | None, Point, Point], tuple[PlacedLayer, int]] = {}
    for layer in layers:
        key = layer.becomes, layer.before, layer.after
        first, count = found.get(key, (layer, 0))
        found[key] = first, count + 1
    return [*found.values()]
