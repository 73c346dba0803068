"""What a race measured: samples, and the statistics that make ratios of them.

Two times are told apart. *Undisturbed*: the sum over the segments of a forward of the least time
that each took, but for the MISCOUNTED shortest; what disturbs one segment of one round leaves the
others. *Felt*: the median of whole forwards, which is what one gets on this machine, with whatever
else it does. Both are processor time where one thread computes: a long layer that the system
interrupts in every round would have no undisturbed time by the clock. Ratios are to the first
contender of the same mode.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from statistics import median
from typing import TYPE_CHECKING, Any

from dualcost.lab.race import Contender, Race
from dualcost.latency.machine import Machine

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BETWEEN = "between the layers"
SPLITS = 64  # random halves that are compared
SEED = 0
CONFIDENCE = 0.95
NORMAL_QUANTILE = 1.959964  # of (1 + CONFIDENCE) / 2
# The share of a segment's shortest times that is left out. A virtual machine counts the time that
# others took from it, and takes it off later: now and then from a segment that lost none.
MISCOUNTED = 0.05
QUIET = 1.2  # a product that takes less than that of its best time tells of a quiet processor
DISTURBED = 0.10  # forwards that take so much longer than undisturbed tell of a busy machine


class Trust(Enum):
    """Which ratios of a race can be trusted."""

    BOTH = "both"  # the machine was quiet
    BEST = "best"  # it was disturbed, and the undisturbed times are known well enough
    INTERVALS = "intervals"  # it was disturbed, and intervals are wide


@dataclass(frozen=True)
class Sample:
    """One forward of one contender, in one round.

    Attributes:
        segments_s: the time between stamps: of the processor, where one thread computes; else by
            the clock.
        wall_s: the time of the whole forward by the clock.
        switches: how often the system took the processor away.
    """

    segments_s: tuple[float, ...]
    wall_s: float
    switches: int = 0

    @property
    def felt_s(self) -> float:
        """The time of the whole forward: the sum of its segments."""
        return sum(self.segments_s)


@dataclass(frozen=True)
class Run:
    """All forwards of one contender, one a round.

    Attributes:
        contender: what ran.
        samples: in the order of rounds.
        places: for each segment the layer in which it ended, BETWEEN for a gap.
    """

    contender: Contender
    samples: tuple[Sample, ...]
    places: tuple[str, ...]

    @cached_property
    def segments(self) -> NDArray[np.float64]:
        """Seconds by round and segment; one segment, if not every forward took the same path."""
        import numpy as np

        lengths = {len(sample.segments_s) for sample in self.samples}
        if lengths != {len(self.places)}:
            return np.array([[sample.felt_s] for sample in self.samples])
        return np.array([sample.segments_s for sample in self.samples])

    @property
    def undisturbed_s(self) -> float:
        """The sum over segments of the least time."""
        return float(least(self.segments).sum())

    @property
    def felt_s(self) -> float:
        """The median forward as this machine gave it."""
        return median(sample.felt_s for sample in self.samples)

    @property
    def switches(self) -> int:
        """How often the system took the processor away."""
        return sum(sample.switches for sample in self.samples)

    @property
    def by_place(self) -> dict[str, float]:
        """Undisturbed seconds by layer, in order; their sum is `undisturbed_s`."""
        times = least(self.segments)
        places = self.places if len(times) == len(self.places) else (BETWEEN,)
        found: dict[str, float] = {}
        for place, seconds in zip(places, times, strict=True):
            found[place] = found.get(place, 0.0) + float(seconds)
        return found


def least(segments: NDArray[np.float64]) -> NDArray[np.float64]:
    """The least time of each segment (rounds × segments), but for the MISCOUNTED shortest."""
    import numpy as np

    left_out = int(MISCOUNTED * len(segments))
    times: NDArray[np.float64] = np.partition(segments, left_out, axis=0)[left_out]
    return times


def at_best_pace(
    times: NDArray[np.float64], paces: NDArray[np.float64], best: float
) -> NDArray[np.float64]:
    """The times of the parts of a run (runs × parts), had the processor been at its best pace.

    Args:
        times: seconds.
        paces: what one and the same product took right before and right after each run (runs × 2).
        best: what it takes if nothing slows it.

    Returns:
        For each part the median over the runs in quiet, each divided by how much longer the product
        took; of no quiet run, the least disturbed one.
    """
    import numpy as np

    slowed = paces / best
    worst = slowed.max(axis=1)
    chosen = np.flatnonzero(worst < QUIET)
    if not chosen.size:
        chosen = np.array([worst.argmin()])
    scaled = times[chosen] / np.sqrt(slowed[chosen].prod(axis=1))[:, None]
    settled: NDArray[np.float64] = np.median(scaled, axis=0)
    return settled


@dataclass(frozen=True)
class Ratio:
    """An estimate of a ratio, and the interval that holds it with CONFIDENCE."""

    value: float
    low: float
    high: float

    @property
    def half_width(self) -> float:
        """Half of the interval."""
        return (self.high - self.low) / 2


@dataclass(frozen=True)
class Standing:
    """How one contender compares to the first of its mode.

    Attributes:
        run: its forwards.
        undisturbed: the ratio of undisturbed times. Its interval is never narrower than what the
            control strays from 1: a smaller difference is not one that this race can show.
        felt: the median of the rounds' ratios of felt times, with its bootstrap interval.
        macs: the ratio of MACs; None where the first has none.
    """

    run: Run
    undisturbed: Ratio
    felt: Ratio
    macs: float | None

    @property
    def verdict(self) -> str:
        """Whether it is "faster", "slower", or "not told apart": the interval holds 1."""
        if self.undisturbed.high < 1:
            return "faster"
        return "slower" if self.undisturbed.low > 1 else "not told apart"

    @property
    def disagrees(self) -> bool:
        """The two ratios differ by more than their intervals."""
        gap = abs(self.undisturbed.value - self.felt.value)
        return gap > self.undisturbed.half_width + self.felt.half_width


@dataclass(frozen=True)
class Comparison:
    """What came of a race.

    Attributes:
        race: what was asked for.
        runs: by contender, in the order of the race.
        machine: what it ran on.
        elapsed_s: how long it took, without building and warming up.
        ended: why: "target", "budget" or "interrupted".
        settings: what else decides times, by name: tf32 and such.
        notes: what could not be measured, and why.
    """

    race: Race
    runs: tuple[Run, ...]
    machine: Machine
    elapsed_s: float
    ended: str
    settings: dict[str, Any]
    notes: tuple[str, ...] = ()

    @property
    def rounds(self) -> int:
        """How often each contender ran."""
        return len(self.runs[0].samples)

    def first(self, mode: str) -> Run:
        """What the contenders of a mode are compared to."""
        return next(run for run in self.runs if run.contender.mode == mode)

    @cached_property
    def controls(self) -> dict[str, Ratio]:
        """By mode, the ratio of the first's copy to the first: 1, but for what the race misses."""
        return {
            run.contender.mode: undisturbed_ratio(self.first(run.contender.mode), run)
            for run in self.runs
            if run.contender.control
        }

    @cached_property
    def standings(self) -> tuple[Standing, ...]:
        """All contenders but the controls, each beside the first of its mode."""
        return tuple(self._standing(run) for run in self.runs if not run.contender.control)

    def _standing(self, run: Run) -> Standing:
        first = self.first(run.contender.mode)
        macs = run.contender.macs / first.contender.macs if first.contender.macs else None
        if run is first:
            return Standing(run, Ratio(1, 1, 1), Ratio(1, 1, 1), macs)
        return Standing(run, self.ratio(first, run), felt_ratio(first, run), macs)

    def ratio(self, run: Run, other: Run) -> Ratio:
        """The undisturbed time of `other` over that of `run`, of the same mode.

        The interval is never narrower than what the control strays from 1.
        """
        found = undisturbed_ratio(run, other)
        control = self.controls.get(run.contender.mode)
        least = abs(control.value - 1) * found.value if control else 0.0
        half = max(found.half_width, least)
        return Ratio(found.value, found.value - half, found.value + half)

    @property
    def spread(self) -> float:
        """By what share of itself a ratio differs between halves of the rounds: the largest."""
        return spread(self.runs)

    @property
    def slowdown(self) -> float:
        """By what share forwards took longer, by the clock, than undisturbed; the median model."""
        return (
            median(
                median(sample.wall_s for sample in run.samples) / run.undisturbed_s
                for run in self.runs
            )
            - 1
        )

    @property
    def disturbed(self) -> bool:
        """Something else ran: forwards took longer, equals differ, or the two ratios disagree."""
        strayed = max((abs(ratio.value - 1) for ratio in self.controls.values()), default=0.0)
        return (
            self.slowdown > DISTURBED
            or strayed > self.race.target
            or any(one.disagrees for one in self.standings)
        )

    @property
    def trust(self) -> Trust:
        """Which ratios can be trusted."""
        if not self.disturbed:
            return Trust.BOTH
        return Trust.BEST if self.spread <= self.race.target else Trust.INTERVALS

    @property
    def switches(self) -> int:
        """How often the system took the processor away, from all contenders."""
        return sum(run.switches for run in self.runs)

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """Undisturbed times by layer, for the contenders without the controls; gaps come last."""
        runs = [one.run.by_place for one in self.standings]
        paths = dict.fromkeys(path for run in runs for path in run)
        paths.pop(BETWEEN, None)
        return tuple(
            Layer(path, tuple(run.get(path) for run in runs)) for path in (*paths, BETWEEN)
        )


@dataclass(frozen=True)
class Layer:
    """One layer's undisturbed seconds in each contender; None where it does not run."""

    path: str
    seconds: tuple[float | None, ...]


def undisturbed_ratio(first: Run, other: Run) -> Ratio:
    """The ratio of undisturbed times; the interval is that of the normal law around it.

    Its deviation is half of what random halves of the rounds differ by (root mean square): for an
    estimator whose error falls with the root of the rounds, two halves differ by twice the error
    of the whole. That of a least time falls faster, so that the interval is rather too wide.
    """
    value = other.undisturbed_s / first.undisturbed_s
    half = NORMAL_QUANTILE * _root_mean_square(_half_differences(first, other)) / 2 * value
    return Ratio(value, value - half, value + half)


def spread(runs: Sequence[Run]) -> float:
    """The largest difference of a ratio between halves of the rounds, as a share of the ratio.

    Root mean square over random halves. This is what a race's target is held against.
    """
    firsts = {run.contender.mode: run for run in reversed(runs)}
    return max(
        (
            _root_mean_square(_half_differences(firsts[run.contender.mode], run))
            for run in runs
            if run is not firsts[run.contender.mode]
        ),
        default=0.0,
    )


def _half_differences(first: Run, other: Run) -> Iterator[float]:
    """How far the logarithms of the ratio in two random halves of the rounds are apart."""
    import numpy as np

    random = np.random.default_rng(SEED)
    rounds = min(len(first.samples), len(other.samples))
    for _ in range(SPLITS):
        order = random.permutation(rounds)
        logs = []
        for half in (order[: rounds // 2], order[rounds // 2 :]):
            times = [least(run.segments[half]).sum() for run in (first, other)]
            logs.append(np.log(times[1] / times[0]))
        yield float(logs[1] - logs[0])


def _root_mean_square(values: Iterator[float]) -> float:
    squares = [value * value for value in values]
    return float((sum(squares) / len(squares)) ** 0.5)


def felt_ratio(first: Run, other: Run) -> Ratio:
    """The median over rounds of the ratio of felt times, with a percentile bootstrap interval."""
    import numpy as np
    from scipy.stats import bootstrap

    pairs = zip(first.samples, other.samples, strict=False)
    ratios = np.array([theirs.felt_s / ours.felt_s for ours, theirs in pairs])
    value = float(np.median(ratios))
    if len(ratios) < 2 or np.ptp(ratios) == 0:
        return Ratio(value, value, value)
    found = bootstrap(
        (ratios,), np.median, confidence_level=CONFIDENCE, method="percentile", rng=SEED
    ).confidence_interval
    return Ratio(value, float(found.low), float(found.high))
