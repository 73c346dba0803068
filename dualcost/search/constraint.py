"""A limit on a metric in words: "params <= 20M"."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor

from dualcost.costs.metrics import METRICS, Metric
from dualcost.errors import UnknownNameError, UsageError
from dualcost.units import BYTES, COUNT, count, memory, parse_quantity

OPERATORS = ("<=", ">=", "<", ">")


_FORM = re.compile(r"\s*([A-Za-z-]+)\s*([<>=!≤≥]+)\s*(.+?)\s*")


@dataclass(frozen=True)
class Constraint:
    """One limit: `low` ≤ metric ≤ `high`, of which one is given; `text` is what the user wrote."""

    metric: Metric
    text: str
    low: int | None = None
    high: int | None = None

    @classmethod
    def parse(cls, text: str) -> Constraint:
        """Read "macs <= 2.7G"; the metric is an integer, so that "<" is a "<=" too.

        Raises:
            UsageError: the text has another form, or the unit is not that of the metric.
            UnknownNameError: there is no such metric.
        """
        match = _FORM.fullmatch(text)
        if match is None:
            raise UsageError(f"{text!r} is not a constraint", 'write one such as "params <= 20M"')
        name, operator, limit = match.groups()
        operator = {"≤": "<=", "≥": ">="}.get(operator, operator)
        if operator not in OPERATORS:
            raise UsageError(
                f"{text!r} compares by {operator}", f"write one of {' '.join(OPERATORS)}"
            )
        if name not in METRICS:
            raise UnknownNameError("metric", name, METRICS, f"metrics: {', '.join(METRICS)}")
        metric = METRICS[name]
        quantity, dimension = parse_quantity(limit)
        if dimension != metric.dimension:
            raise _wrong_dimension(metric, limit)
        shown = f"{name} {operator} {limit}"
        whole = {
            "<=": floor(quantity),
            "<": ceil(quantity) - 1,
            ">=": ceil(quantity),
            ">": floor(quantity) + 1,
        }[operator]
        return cls(metric, shown, high=whole) if "<" in operator else cls(metric, shown, low=whole)

    @property
    def limit(self) -> int:
        """The last value that is allowed."""
        limit = self.high if self.high is not None else self.low
        assert limit is not None  # one of them is given
        return limit

    def headroom(self, value: int) -> int:
        """How far a value is from the limit; negative beyond it."""
        return self.limit - value if self.high is not None else value - self.limit

    def holds(self, value: int) -> bool:
        """Whether a value is allowed."""
        return self.headroom(value) >= 0

    def excess(self, value: Fraction | int) -> Fraction:
        """By which share of the limit a value is beyond it; 0 for one that is allowed."""
        beyond = value - self.limit if self.high is not None else self.limit - value
        return Fraction(max(0, beyond)) / max(1, self.limit)

    def said(self, value: int) -> str:
        """A value in the metric's unit, as tables show it."""
        return memory(value) if self.metric.dimension == BYTES else count(value)

    def __str__(self) -> str:
        return self.text


def _wrong_dimension(metric: Metric, limit: str) -> UsageError:
    if metric.dimension == COUNT:
        return UsageError(
            f"{metric.name} is a count, and {limit} is a number of bytes",
            f'write "{metric.name} <= 10M"; what has bytes is weight-bytes, peak-activations '
            "and traffic",
        )
    return UsageError(
        f"{metric.name} is in bytes, and {limit} has no unit of bytes",
        f'write "{metric.name} <= 10MiB" (KiB, MiB, GiB; KB, MB, GB; B)',
    )


def parsed(texts: Iterable[str]) -> tuple[Constraint, ...]:
    """Constraints that can all hold.

    Raises:
        UsageError: there is none, one cannot be read, or two exclude each other.
    """
    constraints = tuple(Constraint.parse(text) for text in texts)
    if not constraints:
        raise UsageError("there is no constraint", 'write one such as "params <= 20M"')
    return compatible(constraints)


def compatible(constraints: tuple[Constraint, ...]) -> tuple[Constraint, ...]:
    """The same constraints, if they can all hold.

    Raises:
        UsageError: two exclude each other.
    """
    for one in constraints:
        for other in constraints:
            if one.metric is not other.metric or one.low is None or other.high is None:
                continue
            if one.low > other.high:
                raise UsageError(
                    f"“{one}” and “{other}” exclude each other", "leave one of them out"
                )
    return constraints
