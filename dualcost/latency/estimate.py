"""A network × a calibration → how long it takes, op by op, with a band and a bound.

The prediction is for one forward on one thread, in eager mode, with fp32. It takes the ops that
really run (`lowering.py`), each at its family's curve. Weights come from memory as far as those of
the whole network exceed the last-level cache, and else from a cache.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import sqrt

from dualcost.kinds.recipe import ConvKind
from dualcost.latency.calibration import FORMATS, Calibration
from dualcost.latency.machine import Machine
from dualcost.latency.workload import workload
from dualcost.network.network import Network, Op
from dualcost.network.ops import VIEW, WITHIN, family_of
from dualcost.network.site import ConvSite
from dualcost.rewrite.lowering import Executed, convolution_op, executed, recipe_ops
from dualcost.rewrite.rewrite import Rewritten

QUANTILE = 1.96  # of a band that holds 95 of 100
# Errors of a network's ops have so much of their variance in common: layers repeat, and a machine
# has its moods.
COMMON = 0.25
L3_BYTES = 32 * 2**20  # where the machine does not tell
BYTES = 4  # of an element: fp32
COMPUTE, MEMORY = "compute", "memory"


@dataclass(frozen=True)
class Timing:
    """A predicted time; timings add up.

    Attributes:
        seconds: the prediction.
        deviation_s: the sum of the ops' standard deviations.
        variance: the sum of their squares.
        compute_s: the least time for the multiply-accumulates.
        memory_s: the least time for all bytes from memory.
        roofline_s: the larger of both, op by op: the least time if all maps lie in memory.
    """

    seconds: float = 0.0
    deviation_s: float = 0.0
    variance: float = 0.0
    compute_s: float = 0.0
    memory_s: float = 0.0
    roofline_s: float = 0.0

    def __add__(self, other: Timing) -> Timing:
        return Timing(
            self.seconds + other.seconds,
            self.deviation_s + other.deviation_s,
            self.variance + other.variance,
            self.compute_s + other.compute_s,
            self.memory_s + other.memory_s,
            self.roofline_s + other.roofline_s,
        )

    @property
    def half_width_s(self) -> float:
        """Half of the band."""
        return QUANTILE * sqrt((1 - COMMON) * self.variance + COMMON * self.deviation_s**2)

    @property
    def lower_s(self) -> float:
        """The lower end of the band."""
        return max(0.0, self.seconds - self.half_width_s)

    @property
    def upper_s(self) -> float:
        """The upper end of the band."""
        return self.seconds + self.half_width_s

    @property
    def bound(self) -> str:
        """Which peak bounds it: COMPUTE or MEMORY; "" if it does nothing."""
        if not self.roofline_s:
            return ""
        return COMPUTE if self.compute_s >= self.memory_s else MEMORY


@dataclass(frozen=True)
class TimedOp:
    """An op that runs, in the place of which traced op, and its time.

    Attributes:
        executed: the op.
        timing: its time.
        call: a layer is called for it.
    """

    executed: Executed
    timing: Timing
    call: bool


@dataclass(frozen=True)
class Estimate:
    """A network's predicted time.

    Attributes:
        ops: in the order in which they run.
        memory_format: one of `calibration.FORMATS`.
        unpredicted: ops of which no family is known, with how often they run.
    """

    ops: tuple[TimedOp, ...]
    memory_format: str
    unpredicted: Mapping[str, int]

    @cached_property
    def total(self) -> Timing:
        """The whole network."""
        return total(op.timing for op in self.ops)

    @cached_property
    def by_index(self) -> dict[int, Timing]:
        """The time in the place of each traced op; what runs nothing there is left out."""
        found: dict[int, Timing] = {}
        for op in self.ops:
            index = op.executed.index
            found[index] = found.get(index, Timing()) + op.timing
        return found


@dataclass(frozen=True)
class Prediction:
    """The predicted latency of a network before and after a rewrite, and what it rests on.

    Attributes:
        before: the network as it is.
        after: as rewritten; equal to `before`, if nothing was.
        memory_format: of weights and images.
        calibration: of which machine, and when it was measured.
        foreign: that machine was not compared with this one.
        unpredicted: ops of which nothing is known, with how often they run: times are lower bounds.
    """

    before: Timing
    after: Timing
    memory_format: str
    calibration: Calibration
    foreign: bool
    unpredicted: Mapping[str, int]

    @property
    def ratio(self) -> float | None:
        """What is left of the time; None where there was none."""
        return self.after.seconds / self.before.seconds if self.before.seconds else None


def total(timings: Iterable[Timing]) -> Timing:
    """The sum of some timings."""
    return sum(timings, Timing())


def estimate(
    network: Network | Rewritten, calibration: Calibration, channels_last: bool = False
) -> Estimate:
    """Predict how long a network takes, as it is or as rewritten.

    Args:
        network: what runs.
        calibration: of the machine on which it does.
        channels_last: the memory format of weights and images.
    """
    ops = executed(network)
    format = FORMATS[channels_last]
    share = cold_share(sum(workload(one.op).weights for one in ops), calibration.machine)
    calls = layer_calls(ops)
    timed = tuple(
        TimedOp(one, op_timing(one.op, calibration, format, share, call=called), called)
        for one, called in zip(ops, calls, strict=True)
    )
    unknown = (
        one.op.name
        for one in ops
        if (family := workload(one.op).family) != WITHIN and not calibration.knows(family, format)
    )
    return Estimate(timed, format, dict(Counter(unknown)))


def site_seconds(
    site: ConvSite,
    calibration: Calibration,
    kind: ConvKind | None = None,
    divisor: int = 1,
    *,
    share: float = 1.0,
    channels_last: bool = False,
) -> float:
    """Seconds of one convolution, as it is (no kind) or replaced by a kind.

    Args:
        site: the convolution.
        calibration: of the machine.
        kind: what replaces it.
        divisor: its G or P.
        share: of the weights that come from memory (see `cold_share`).
        channels_last: the memory format.

    Raises:
        IndivisibleError: G or P does not divide M and N.
    """
    return site_timing(
        site, calibration, kind, divisor, share=share, channels_last=channels_last
    ).seconds


def site_timing(
    site: ConvSite,
    calibration: Calibration,
    kind: ConvKind | None = None,
    divisor: int = 1,
    *,
    share: float = 1.0,
    channels_last: bool = False,
) -> Timing:
    """As `site_seconds`, with band and bound."""
    ops: Sequence[Op] = (convolution_op(site),)
    if kind is not None:
        ops = recipe_ops(kind, site, divisor, bias=site.bias)
    format = FORMATS[channels_last]
    return total(
        op_timing(op, calibration, format, share, call=not number) for number, op in enumerate(ops)
    )


def cold_share(weights: int, machine: Machine) -> float:
    """The share of weights that come from memory at each forward, of so many in a network."""
    return min(1.0, BYTES * weights / (machine.l3_bytes or L3_BYTES))


def op_timing(
    op: Op, calibration: Calibration, format: str, share: float, *, call: bool = False
) -> Timing:
    """One op's time; none at all, if nothing is known of its family.

    Args:
        op: the op.
        calibration: of the machine.
        format: the memory format, one of `calibration.FORMATS`.
        share: of the weights that come from memory.
        call: a layer is called for it.
    """
    work = workload(op)
    if not calibration.knows(work.family, format):
        return Timing()
    seconds = calibration.seconds(work, format, share)
    deviation_s = calibration.spread(work.family, format) * seconds
    moved = 0 if work.family == VIEW else BYTES * work.elements
    compute_s, memory_s = op.macs / calibration.macs_per_s, moved / calibration.bytes_per_s
    return Timing(
        seconds + (calibration.call_s[format] if call else 0.0),
        deviation_s,
        deviation_s**2,
        compute_s=compute_s,
        memory_s=memory_s,
        roofline_s=max(compute_s, memory_s),
    )


def layer_calls(ops: Sequence[Executed]) -> list[bool]:
    """Which ops begin a layer, a module that holds no other; what runs between them does not."""
    parents = {
        ".".join(names[:length])
        for names in (one.op.path.split(".") for one in ops if one.op.path)
        for length in range(len(names))
    }
    last: Executed | None = None
    found = []
    for one in ops:
        if family_of(one.op.name) == WITHIN:
            found.append(False)
            continue
        # the parts of a recipe are one layer; a layer that runs twice in a row is called twice
        same = last is not None and last.op.path == one.op.path
        recipe = same and last is not None and last.index == one.index
        plain = same and one.op.site is None
        found.append(one.op.path not in parents and not recipe and not plain)
        last = one
    return found
