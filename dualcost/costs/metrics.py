"""A constraint on what a network may cost: "params <= 20M", "peak-activations < 48MiB"."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dualcost.costs.profile import Profile
from dualcost.units import BYTES, COUNT


@dataclass(frozen=True)
class Metric:
    """Something that a profile says, and that may be limited.

    Attributes:
        name: how users call it.
        dimension: what it is counted in, COUNT or BYTES.
        of: reads it from a profile, after the rewrite.
    """

    name: str
    dimension: str
    of: Callable[[Profile], int]


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("macs", COUNT, lambda profile: profile.after.macs),
        Metric("flops", COUNT, lambda profile: profile.after.flops),
        Metric("params", COUNT, lambda profile: profile.after.params),
        Metric("weight-bytes", BYTES, lambda profile: profile.after.weight_bytes),
        Metric("peak-activations", BYTES, lambda profile: profile.peak[1].nbytes),
        Metric("traffic", BYTES, lambda profile: profile.after.traffic),
    )
}
