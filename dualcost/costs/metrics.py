"""What a network may be measured by: each metric once, with all that is to be known of it.

Limits of `solve`, `fit` and `check`, axes of `sweep`, sides of `compare`, orders of rows, keys of
JSON, columns, completion and help are read from here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from enum import Enum

from dualcost.errors import UnknownNameError, UsageError
from dualcost.network.cost import Cost
from dualcost.units import Unit


class Better(Enum):
    """Which of two values one would rather have."""

    LESS = "less"
    MORE = "more"


@dataclass(frozen=True)
class Whole:
    """A whole network: the sum of its layers, and what only a whole has.

    Attributes:
        cost: what its layers add up to.
        peak_bytes: the most activations that live at once.
        frozen: elements of parameters that are not trainable.
        unknown_ops: how often an op ran that no rule counts.
        seconds: how long it is predicted to take; None where nobody asked.
    """

    cost: Cost
    peak_bytes: int = 0
    frozen: int = 0
    unknown_ops: int = 0
    seconds: float | None = None


@dataclass(frozen=True)
class Metric:
    """A number that a network has.

    Attributes:
        name: what users write: in limits, in orders, in lock files.
        key: what Cost, JSON and CSV call it.
        title: what stands above a column of it.
        label: what an axis or a sentence calls it.
        about: what it is.
        unit: what it is given in.
        whole: reads it from a whole network. None: layers add up to it, and Cost has its key.
        closed_form: `formula` knows it as a function of G and of the sizes of maps.
        bounded: an op that no rule counts makes it a lower bound.
        kept: `check` may limit it, and lock files keep it.
        compared: `sweep`, `compare` and `fit` show it of every network.
        better: which way it is better.
        aliases: what users may write instead of the name.
    """

    name: str
    key: str
    title: str
    label: str
    about: str
    unit: Unit = Unit.COUNT
    whole: Callable[[Whole], int | float | None] | None = None
    closed_form: bool = False
    bounded: bool = False
    kept: bool = True
    compared: bool = True
    better: Better = Better.LESS
    aliases: tuple[str, ...] = ()

    @property
    def adds_up(self) -> bool:
        """Layers have it too, and the network has the sum of theirs."""
        return self.whole is None

    @property
    def exact(self) -> bool:
        """It is counted to the integer, and not predicted."""
        return self.unit is not Unit.SECONDS

    @property
    def stored(self) -> bool:
        """A field of Cost; what is none follows from those, so that tables leave it out."""
        return self.key in Cost.__dataclass_fields__

    def of_cost(self, cost: Cost) -> int:
        """Its value of one layer, or of several; only of what adds up."""
        value: int = getattr(cost, self.key)
        return value

    def of(self, whole: Whole) -> int:
        """Its value of a whole network; only of what is exact."""
        value = self.value(whole)
        assert isinstance(value, int)
        return value

    def value(self, whole: Whole) -> int | float | None:
        """The same of any metric; None where nobody predicted it."""
        return self.whole(whole) if self.whole else self.of_cost(whole.cost)


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric(
            name="macs",
            key="macs",
            title="MACs",
            label="MACs",
            about="multiply-accumulates",
            closed_form=True,
            bounded=True,
        ),
        Metric(
            name="operations",
            key="operations",
            title="other ops",
            label="operations",
            about="operations besides MACs",
            bounded=True,
            kept=False,
            compared=False,
        ),
        Metric(
            name="flops",
            key="flops",
            title="FLOPs",
            label="FLOPs",
            about="two for each MAC, and the other operations that are counted",
            closed_form=True,
            bounded=True,
        ),
        Metric(
            name="params",
            key="params",
            title="params",
            label="parameters",
            about="elements of weights and biases",
            closed_form=True,
        ),
        Metric(
            name="weight-bytes",
            key="weight_bytes",
            title="weights",
            label="weights",
            about="bytes of the parameters",
            unit=Unit.BYTES,
            aliases=("weights",),
        ),
        Metric(
            name="activation-bytes",
            key="activation_bytes",
            title="activations",
            label="activations",
            about="bytes of the maps that are made, whenever they live",
            unit=Unit.BYTES,
            kept=False,
            compared=False,
        ),
        Metric(
            name="peak-activations",
            key="peak_bytes",
            title="peak",
            label="peak of activations",
            about="the most bytes of activations that live at once",
            unit=Unit.BYTES,
            whole=lambda whole: whole.peak_bytes,
            aliases=("peak",),
        ),
        Metric(
            name="traffic",
            key="traffic",
            title="traffic",
            label="memory traffic",
            about="bytes read and written, every tensor once",
            unit=Unit.BYTES,
        ),
        Metric(
            name="trainable-params",
            key="trainable_params",
            title="trainable",
            label="trainable parameters",
            about="parameters that are not frozen",
            whole=lambda whole: whole.cost.params - whole.frozen,
            compared=False,
        ),
        Metric(
            name="unknown-ops",
            key="unknown_ops",
            title="unknown",
            label="unknown ops",
            about="how often an op ran that no rule counts",
            whole=lambda whole: whole.unknown_ops,
            compared=False,
        ),
        Metric(
            name="latency",
            key="latency_s",
            title="latency",
            label="predicted latency",
            about="the time that a calibration predicts",
            unit=Unit.SECONDS,
            whole=lambda whole: whole.seconds,
            kept=False,
        ),
    )
}
ALIASES = {alias: metric.name for metric in METRICS.values() for alias in metric.aliases}


def of_names(metrics: Iterable[Metric]) -> dict[str, Metric]:
    """Metrics by their names."""
    return {metric.name: metric for metric in metrics}


# What a place takes is one of these, by name.
EXACT = of_names(metric for metric in METRICS.values() if metric.exact)
ADDED = of_names(metric for metric in METRICS.values() if metric.adds_up)
KEPT = of_names(metric for metric in METRICS.values() if metric.kept)
CLOSED = of_names(metric for metric in METRICS.values() if metric.closed_form)
# Those of layers stand in the order of Cost, as in every file that has been written.
BY_LAYER = of_names(
    metric
    for field in fields(Cost)
    for metric in METRICS.values()
    if metric.key == field.name and metric.compared
)
COMPARED = BY_LAYER | of_names(m for m in METRICS.values() if m.compared and not m.adds_up)


def metric(name: str, known: Mapping[str, Metric] = METRICS, place: str = "") -> Metric:
    """The metric of a name, or of an alias, where some are `known`; `place` is what they are there.

    Raises:
        UnknownNameError: there is no such metric.
        UsageError: there is, and it has no place here.
    """
    name = ALIASES.get(name, name)
    if name not in METRICS:
        raise UnknownNameError("metric", name, METRICS, f"metrics: {', '.join(METRICS)}")
    if name not in known:
        article = "an" if place[:1] in "aeio" else "a"
        raise UsageError(f"{name} is not {article} {place}", f"one of {', '.join(known)}")
    return METRICS[name]
