"""What is known of each replaced layer: MACs, kernels, predicted and measured times, alternatives.

Pairs are (before, after). `explain.py` gathers these facts, `reason.py` makes a sentence of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from dualcost.kinds.recipe import ConvKind
from dualcost.lab.measurement import Comparison
from dualcost.lab.onednn import Step
from dualcost.latency.calibration import Calibration
from dualcost.latency.estimate import Timing
from dualcost.latency.machine import Machine
from dualcost.network.network import TensorSpec
from dualcost.network.site import ConvSite
from dualcost.rewrite.request import Request

WORTH = 0.95  # another G or P is named if it leaves less than this of the predicted time


@dataclass(frozen=True)
class Steps:
    """What ran for a layer, in order; the seconds of each are the least of several forwards."""

    steps: tuple[Step, ...]

    @cached_property
    def convolutions(self) -> tuple[Step, ...]:
        """Those that convolve."""
        return tuple(step for step in self.steps if step.kernel is not None)

    @property
    def seconds(self) -> float:
        """All of it."""
        return sum(step.seconds for step in self.steps)

    @property
    def kernel_s(self) -> float:
        """In the convolutions themselves."""
        return sum(step.kernel_s for step in self.convolutions)

    @property
    def reorder_s(self) -> float:
        """In re-orders, of maps and of weights."""
        return sum(step.reorder_s for step in self.convolutions)

    @property
    def joining_s(self) -> float:
        """In ops that do not convolve: additions, sorting of channels, what leaves with a block."""
        return sum(step.seconds for step in self.steps if step.kernel is None)

    @property
    def calling_s(self) -> float:
        """In the calls of convolutions, besides their kernels and re-orders."""
        return self.seconds - self.kernel_s - self.reorder_s - self.joining_s

    @property
    def reorders(self) -> int:
        """How many maps and weights are re-ordered."""
        return sum(len(step.reorders) for step in self.convolutions)

    @property
    def slowest(self) -> Step:
        """The convolution in which most time is spent."""
        return max(self.convolutions, key=lambda step: step.kernel_s)


@dataclass(frozen=True)
class Alternative:
    """Another G or P for a layer, and what it is predicted to leave of the time."""

    divisor: int
    ratio: float


@dataclass(frozen=True)
class ExplainedLayer:
    """A replaced layer, or a block replaced by one.

    Attributes:
        path: the module that is replaced.
        site: sizes of the convolution (of the one that stands for a block).
        kind: what replaces it.
        divisor: its G or P there.
        calls: how often it runs in a forward; all figures are of all of them.
        macs: multiply-accumulates.
        ran: the steps that a forward took.
        predicted: by the calibration; None without one.
        measured: undisturbed seconds of a race; None if there was none.
        better: which G or P would take less time, as predicted, if it is worth a word: the best
            that keeps more weights, and the best of all.
        channels_last: the memory format.
    """

    path: str
    site: ConvSite
    kind: ConvKind
    divisor: int
    calls: int
    macs: tuple[int, int]
    ran: tuple[Steps, Steps]
    predicted: tuple[Timing, Timing] | None = None
    measured: tuple[float, float] | None = None
    better: tuple[Alternative, ...] = ()
    channels_last: bool = False

    @property
    def macs_ratio(self) -> float:
        """What is left of the MACs."""
        return self.macs[1] / self.macs[0]

    @property
    def predicted_ratio(self) -> float | None:
        """What is left of the time, as predicted; None where nobody knows."""
        if self.predicted is None or not self.predicted[0].seconds:
            return None
        return self.predicted[1].seconds / self.predicted[0].seconds

    @property
    def times(self) -> tuple[float, float]:
        """Seconds before and after: of the race, else of the forwards that named the kernels."""
        return self.measured or (self.ran[0].seconds, self.ran[1].seconds)

    @property
    def time_ratio(self) -> float:
        """What is left of the time here."""
        before, after = self.times
        return after / before

    @property
    def excess_s(self) -> float:
        """Seconds more than if time followed MACs."""
        before, after = self.times
        return after - self.macs_ratio * before


@dataclass(frozen=True)
class Explanation:
    """Why the times of replaced layers are not what their MACs say.

    Attributes:
        network: its name.
        inputs: what it ran on.
        rewrite: what was replaced by what.
        machine: where it ran.
        layers: in order of execution.
        replaced: how many modules are replaced in all; `layers` may be some of them.
        channels_last: the memory format.
        calibration: what times are predicted by; None without one.
        unpredicted: why there is none; "" with one.
        race: in which the times were measured; None if they were not.
    """

    network: str
    inputs: tuple[TensorSpec, ...]
    rewrite: Request
    machine: Machine
    layers: tuple[ExplainedLayer, ...]
    replaced: int
    channels_last: bool
    calibration: Calibration | None = None
    unpredicted: str = ""
    race: Comparison | None = None


def farthest(layers: Iterable[ExplainedLayer], top: int) -> tuple[ExplainedLayer, ...]:
    """The layers that lose most time against their MACs, as they run; 0 takes all."""
    listed = tuple(layers)
    if not top:
        return listed
    worst = sorted(listed, key=lambda layer: -layer.excess_s)[:top]
    return tuple(layer for layer in listed if layer in worst)
