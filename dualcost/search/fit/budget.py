"""What a fitted network may cost: "params=10M", "macs <= 1.5G", "latency=60ms".

A budget is a constraint on something that its layers add up to. Latency is one too, in whole
nanoseconds, if a calibration predicts it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from dualcost.costs.metrics import ADDED, METRICS, Whole, metric
from dualcost.errors import UsageError
from dualcost.search.constraint import Constraint, compatible, spelt_out
from dualcost.units import duration, nanoseconds, parse_duration

LATENCY = METRICS["latency"]
NAMES = (*ADDED, LATENCY.name)
_TIME_LIMIT = re.compile(r"\s*latency\s*(<=|≤)\s*(.*)")


@dataclass(frozen=True)
class Latency(Constraint):
    """A limit on a predicted time; its integers are nanoseconds."""

    def value(self, whole: Whole) -> int:
        """The nanoseconds that were predicted."""
        assert whole.seconds is not None  # they were
        return nanoseconds(whole.seconds)

    def said(self, value: int) -> str:
        """A time, as tables show it: it is a prediction."""
        return f"~{duration(value / 10**9)}"


def budget(text: str) -> Constraint:
    """Read "params=10M" (a maximum), "params >= 5M" or "latency=60ms".

    Raises:
        UsageError: the text has another form, the unit is not that of the metric, or the metric
            does not add up over layers.
        UnknownNameError: there is no such metric.
    """
    text = spelt_out(text)
    time = _TIME_LIMIT.fullmatch(text)
    if time:
        seconds = parse_duration(time[2])
        return Latency(LATENCY, f"latency <= {time[2]}", high=nanoseconds(seconds))
    name = re.match(r"\s*([A-Za-z-]+)", text)
    found = metric(name[1]) if name else None
    if found is LATENCY:
        raise UsageError(f"{text!r} is not a budget", "a latency has a maximum: latency=60ms")
    if found and not found.adds_up:
        raise UsageError(
            f"{found.name} is not what layers add up to, so that it cannot be a budget of `fit`",
            f"budgets: {', '.join(NAMES)}; `dualcost solve` takes {found.name} with one G for all",
        )
    if not found or not re.search("[<>≤≥]", text):
        raise UsageError(f"{text!r} is not a budget", "write one such as params=10M")
    return Constraint.parse(text)


def budgets(given: Mapping[str, object] | Iterable[str]) -> tuple[Constraint, ...]:
    """Budgets as texts, or as a name with its maximum each; all can hold.

    Raises:
        UsageError: there is none, one cannot be read, or two exclude each other.
    """
    if isinstance(given, str):
        given = [given]
    if isinstance(given, Mapping):
        given = [f"{name}={value}" for name, value in given.items()]
    read = tuple(budget(text) for text in given)
    if not read:
        raise UsageError("there is no budget", "write one such as params=10M")
    return compatible(read)
