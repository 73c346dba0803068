"""How far predictions are off: networks that no calibration was fitted to, measured and predicted.

They are measured as `dualcost bench` does: in turn, in a fresh process, by the sums of segment
minima. A machine that others use may be slow for as long as that takes: each is measured ROUNDS
times, minutes apart, and the shorter time counts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from operator import attrgetter
from statistics import mean, median

from dualcost.lab import bench as contest
from dualcost.lab.measurement import Run
from dualcost.lab.race import Conditions, Contender, Race, Variant
from dualcost.latency.calibration import FORMATS, Calibration
from dualcost.latency.estimate import Timing, estimate
from dualcost.latency.machine import Machine
from dualcost.library import networks as library
from dualcost.rewrite.request import Request
from dualcost.rewrite.rewrite import rewrite

# None of them is in the catalogue of child/probes.py. Those of one line are measured in turn.
HELD_OUT: tuple[tuple[str, ...], ...] = (
    ("resnet50", "resnet50 dual:4", "resnet50 dual:32", "resnet50 group:8", "resnet50 het:4"),
    ("resnet50 dual:2", "resnet50 het:16", "resnet50 dsc", "resnext50_32x4d", "wide_resnet50_2"),
    ("resnet18", "resnet18 dual:8", "resnet18 het:2", "googlenet", "squeezenet1_1"),
    ("vgg16", "vgg16 dual:4", "vgg16 dual:16"),
    ("vgg16 group:4", "vgg16 het:8", "vgg16 dsc"),
    ("alexnet", "vgg11", "vgg19_bn"),
    ("mobilenet_v2", "mobilenet_v3_large", "mnasnet1_0", "zoo:mobilenetv1-imagenet"),
    ("regnet_x_400mf", "regnet_y_400mf", "shufflenet_v2_x1_0", "efficientnet_b0"),
    ("densenet121", "inception_v3", "convnext_tiny"),
    ("zoo:resnet50-cifar10", "zoo:resnet50-cifar10 dual:4", "zoo:vgg16-cifar10"),
)
TARGET, BUDGET_S = 0.001, 12.0  # of each line, format and round: it takes the whole budget
ROUNDS = 2
CLOSE = 0.10


@dataclass(frozen=True)
class Check:
    """One network, measured and predicted.

    Attributes:
        name: the network, and what was replaced in it.
        memory_format: of weights and images.
        measured_s: the undisturbed time.
        predicted: what the calibration said.
    """

    name: str
    memory_format: str
    measured_s: float
    predicted: Timing

    @property
    def error(self) -> float:
        """How much longer than measured it was predicted to take, relatively."""
        return self.predicted.seconds / self.measured_s - 1

    @property
    def covered(self) -> bool:
        """The band holds what was measured."""
        return self.predicted.lower_s <= self.measured_s <= self.predicted.upper_s


@dataclass(frozen=True)
class Accuracy:
    """How good some predictions are."""

    checks: tuple[Check, ...]

    @property
    def mean_error(self) -> float:
        """The mean of the absolute relative errors (MAPE)."""
        return mean(self._errors)

    @property
    def median_error(self) -> float:
        """Their median."""
        return median(self._errors)

    @property
    def bias(self) -> float:
        """The median error: by so much the machine was slower when calibrated, or faster."""
        return median(check.error for check in self.checks)

    @property
    def unbiased_error(self) -> float:
        """The mean of the absolute errors without the bias: how far ratios of networks are off."""
        return mean(abs((1 + check.error) / (1 + self.bias) - 1) for check in self.checks)

    @property
    def worst(self) -> Check:
        """The check with the largest of them."""
        return max(self.checks, key=lambda check: abs(check.error))

    @property
    def close(self) -> float:
        """The share of errors of at most CLOSE."""
        return mean(error <= CLOSE for error in self._errors)

    @property
    def covered(self) -> float:
        """The share of bands that hold what was measured."""
        return mean(check.covered for check in self.checks)

    @cached_property
    def spearman(self) -> float:
        """The rank correlation of predicted and measured times."""
        from scipy.stats import spearmanr

        pairs = [(check.predicted.seconds, check.measured_s) for check in self.checks]
        return float(spearmanr(*zip(*pairs, strict=True)).statistic)

    @property
    def _errors(self) -> list[float]:
        return [abs(check.error) for check in self.checks]


@dataclass(frozen=True)
class Validation:
    """All checks of a calibration, and the machine that measured them."""

    calibration: Calibration
    machine: Machine
    checks: tuple[Check, ...]

    @property
    def accuracies(self) -> dict[str, Accuracy]:
        """The accuracy in each memory format, and over all."""
        found = {
            format: Accuracy(tuple(c for c in self.checks if c.memory_format == format))
            for format in FORMATS
        }
        return {**found, "both": Accuracy(self.checks)}


Watcher = Callable[[str], None]


def validate(
    calibration: Calibration,
    watch: Watcher = lambda names: None,
    held_out: Sequence[Sequence[str]] = HELD_OUT,
    budget_s: float = BUDGET_S,
) -> Validation:
    """Measure the held-out networks in both memory formats, and predict them.

    Args:
        calibration: what predicts.
        watch: told what is about to be measured.
        held_out: lines of networks that are measured in turn.
        budget_s: seconds of measuring of each line and format, in each round.

    Raises:
        DualcostError: a network cannot be built or measured.
    """
    measured: dict[tuple[str, str], Run] = {}
    machine = calibration.machine
    for line, format in [*product(held_out, FORMATS)] * ROUNDS:
        watch(f"{', '.join(line)} ({format})")
        contenders = tuple(map(_contender, line))
        conditions = Conditions(channels_last=format == "channels_last")
        found = contest.run(Race(contenders, conditions, TARGET, budget_s))
        machine = found.machine
        for name, run in zip(line, found.runs, strict=True):
            known = measured.setdefault((name, format), run)
            measured[name, format] = min(known, run, key=attrgetter("undisturbed_s"))
    checks = [
        Check(name, format, run.undisturbed_s, _predicted(run.contender, calibration, format))
        for (name, format), run in measured.items()
    ]
    return Validation(calibration, machine, tuple(checks))


def _contender(name: str) -> Contender:
    model, _, conv = name.partition(" ")
    return contest.contender(
        library.load(model), Variant(Request.parse(conv)) if conv else Variant()
    )


def _predicted(contender: Contender, calibration: Calibration, format: str) -> Timing:
    network = library.load(contender.model)
    asked = contender.variant.request
    rewritten = rewrite(network, asked) if asked else network
    return estimate(rewritten, calibration, format == "channels_last").total
