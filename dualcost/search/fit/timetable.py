"""How long each group of sites is predicted to take with each choice, by a calibration."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from dualcost.kinds.choice import Choice
from dualcost.latency.calibration import FORMATS, Calibration
from dualcost.latency.estimate import cold_share, layer_calls, op_timing
from dualcost.latency.workload import workload
from dualcost.network.network import Network
from dualcost.rewrite.lowering import executed
from dualcost.rewrite.rewrite import Rewritten
from dualcost.search.fit.choices import Choices
from dualcost.units import nanoseconds


@dataclass(frozen=True)
class Predictor:
    """By what latencies are predicted.

    Attributes:
        calibration: of the machine.
        channels_last: the memory format of weights and images.
        foreign: nobody has compared that machine with this one.
    """

    calibration: Calibration
    channels_last: bool = False
    foreign: bool = False


@dataclass(frozen=True)
class Timetable:
    """The times of choices. Weights come from memory by the share of the network as it is."""

    choices: Choices
    predictor: Predictor

    def change(self, index: int, choice: Choice) -> int:
        """By how many nanoseconds longer a group takes with a choice; mostly less than nothing."""
        return self._after[choice][index] - self._before[index]

    @cached_property
    def _before(self) -> list[int]:
        return self._of(self.choices.network)

    @cached_property
    def _after(self) -> dict[Choice, list[int]]:
        return {choice: self._of(done) for choice, done in self.choices.rewritten.items()}

    @cached_property
    def _share(self) -> float:
        ops = executed(self.choices.network)
        weights = sum(workload(one.op).weights for one in ops)
        return cold_share(weights, self.predictor.calibration.machine)

    def _of(self, what: Network | Rewritten) -> list[int]:
        """The nanoseconds of each group."""
        calibration = self.predictor.calibration
        format = FORMATS[self.predictor.channels_last]
        ops = executed(what)
        seconds = [0.0] * len(self.choices.network.ops)
        for one, called in zip(ops, layer_calls(ops), strict=True):
            timing = op_timing(one.op, calibration, format, self._share, call=called)
            seconds[one.index] += timing.seconds
        return [
            nanoseconds(sum(seconds[index] for index in sorted(group.ops)))
            for group in self.choices.groups
        ]
