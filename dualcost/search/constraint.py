"""A limit on a metric in words: "params <= 20M"."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor

from dualcost.costs.metrics import EXACT, Metric, Whole
from dualcost.costs.metrics import metric as named_metric
from dualcost.errors import UsageError
from dualcost.units import Unit, parse_quantity

OPERATORS = ("<=", ">=", "<", ">")


_EQUALS = re.compile(r"\s*([A-Za-z-]+)\s*=\s*([^=].*)")
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
        """Read "macs <= 2.7G", or "macs=2.7G"; it is an integer, so that "<" is a "<=" too.

        Raises:
            UsageError: the text has another form, the unit is not that of the metric, or that is
                predicted.
            UnknownNameError: there is no such metric.
        """
        match = _FORM.fullmatch(spelt_out(text))
        if match is None:
            raise UsageError(f"{text!r} is not a constraint", 'write one such as "params <= 20M"')
        name, operator, limit = match.groups()
        operator = {"≤": "<=", "≥": ">="}.get(operator, operator)
        if operator not in OPERATORS:
            raise UsageError(
                f"{text!r} compares by {operator}", f"write one of {' '.join(OPERATORS)}"
            )
        metric = named_metric(name, EXACT, "count")
        quantity, unit = parse_quantity(limit)
        if unit is not metric.unit:
            raise _wrong_unit(metric, limit)
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

    def value(self, whole: Whole) -> int:
        """What the metric is of a whole network."""
        return self.metric.of(whole)

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
        return self.metric.unit.text(value)

    def __str__(self) -> str:
        return self.text


def spelt_out(text: str) -> str:
    """A maximum that is written "params=10M" as "params <= 10M"; others as they are."""
    bare = _EQUALS.fullmatch(text)
    return f"{bare[1]} <= {bare[2]}" if bare else text


def _wrong_unit(metric: Metric, limit: str) -> UsageError:
    if metric.unit is Unit.COUNT:
        *others, last = (name for name, one in EXACT.items() if one.unit is Unit.BYTES)
        return UsageError(
            f"{metric.name} is a count, and {limit} is a number of bytes",
            f'write "{metric.name} <= 10M"; what has bytes is {", ".join(others)} and {last}',
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
                raise UsageError(f"“{one}” and “{other}” cannot both hold", "leave one of them out")
    return constraints
