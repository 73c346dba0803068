"""An integer program: pick one option for each item, within limits, least by objectives in order.

scipy's HiGHS solves it in floating point. Here it is given small integers (each column divided by
what its numbers share), and what it returns is added up again in integers: a solution that breaks a
limit by rounding is refused, and the limit tightened. Items with the same options are one variable
for each option: how many of them take it.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import reduce
from math import ceil, floor, gcd, inf, isfinite
from typing import Any

from dualcost.errors import UsageError

Vector = tuple[int, ...]
# Nodes of the search tree times variables: a number of seconds would depend on the machine.
EFFORT = 10**6
ATTEMPTS = 30
# The share by which HiGHS's bound may be wrong: it was seen to be too high by 7e-7 of itself.
TOLERANCE = 5e-6
OPTIMAL, INFEASIBLE = 0, 2  # of the statuses of scipy.optimize.milp


@dataclass(frozen=True)
class Limit:
    """A column's sum is at most `high`, or at least `low`.

    `scale` is what an excess is measured by, where limits cannot all be kept (`nearest`).
    """

    column: int
    high: int | None = None
    low: int | None = None
    scale: int = 1

    def excess(self, value: int) -> Fraction:
        """How far a sum is beyond the limit, in units of `scale`; 0 for one that is allowed."""
        above = value - self.high if self.high is not None else 0
        below = self.low - value if self.low is not None else 0
        return Fraction(max(0, above, below), self.scale)

    def holds(self, value: int) -> bool:
        """Whether a sum is allowed."""
        return not self.excess(value)

    def relaxed(self, excess: Fraction) -> Limit:
        """The limit that allows this excess."""
        more = floor(excess * self.scale)
        return replace(
            self,
            high=None if self.high is None else self.high + more,
            low=None if self.low is None else self.low - more,
        )


@dataclass(frozen=True)
class Program:
    """What is to be picked.

    Attributes:
        items: the options of each item, a vector of integers each; one of them is picked.
        limits: on the sums of columns.
        objectives: the columns whose sums are to be least, the most important first.
    """

    items: Sequence[Sequence[Vector]]
    limits: Sequence[Limit]
    objectives: Sequence[int]

    def sums(self, picked: Sequence[int]) -> Vector:
        """The sum of each column for the option picked of each item."""
        vectors = [options[index] for options, index in zip(self.items, picked, strict=True)]
        return tuple(map(sum, zip(*vectors, strict=True)))


@dataclass(frozen=True)
class Picked:
    """What was picked.

    Attributes:
        options: the index of the option of each item.
        sums: of each column.
        bound: no other pick has a smaller sum of the first objective; None: nothing is known.
    """

    options: tuple[int, ...]
    sums: Vector
    bound: int | None


def solve(program: Program, effort: int = EFFORT) -> Picked | None:
    """The pick whose objectives are least, one after the other; None if no pick is within limits.

    Of items with the same options, the first take the options that come first. If the search
    for one takes more than `effort`, the best pick found counts, and `bound` is below its sum.

    Raises:
        UsageError: it took more than that before any pick was found.
    """
    classes = _classes(program)
    first, *others = program.objectives
    found = _Stage(program, classes, first, effort).best()
    if found is None:
        return None
    bound = found.bound
    for column, fixed in zip(others, program.objectives, strict=False):
        within = Limit(fixed, high=found.sums[fixed])
        program = replace(program, limits=(*program.limits, within))
        try:
            best = _Stage(program, classes, column, effort // 4).best()
        except UsageError:  # a tie that is not broken is no failure
            break
        if best is not None and best.sums[column] < found.sums[column]:
            found = best
    # what breaks a tie may turn out to be better
    return replace(found, bound=None if bound is None else min(bound, found.sums[first]))


def nearest(program: Program, effort: int = EFFORT) -> Program:
    """The program with its limits relaxed so far that a pick keeps them: all by one least excess.

    Raises:
        UsageError: it took more than `effort` before any pick was found.
    """
    stage = _Stage(program, _classes(program), None, effort)
    counts, _ = stage.solved(program.limits)
    assert counts is not None  # a large enough excess allows everything
    sums = program.sums(stage.spread(counts))
    excess = max(limit.excess(sums[limit.column]) for limit in program.limits)
    return replace(program, limits=tuple(limit.relaxed(excess) for limit in program.limits))


@dataclass(frozen=True)
class _Class:
    """Items with the same options, of which those that are worth picking are left."""

    items: tuple[int, ...]
    options: tuple[int, ...]
    vectors: tuple[Vector, ...]


def _classes(program: Program) -> list[_Class]:
    same: dict[tuple[Vector, ...], list[int]] = {}
    for index, options in enumerate(program.items):
        same.setdefault(tuple(options), []).append(index)
    found = []
    for options, items in same.items():
        kept = _undominated(options, program)
        found.append(_Class(tuple(items), tuple(kept), tuple(options[index] for index in kept)))
    return found


def _undominated(options: Sequence[Vector], program: Program) -> list[int]:
    """The options that no other is at least as good as in everything; of equal ones the first."""

    def worth(vector: Vector) -> Vector:
        signs = [(one.column, 1 if one.high is not None else -1) for one in program.limits]
        return (*(s * vector[c] for c, s in signs), *(vector[c] for c in program.objectives))

    worths = [worth(vector) for vector in options]
    return [
        index
        for index, one in enumerate(worths)
        if not any(
            all(a <= b for a, b in zip(other, one, strict=True)) and (other != one or rank < index)
            for rank, other in enumerate(worths)
            if rank != index
        )
    ]


class _Stage:
    """One objective of a program as HiGHS takes it; None: the least excess of all limits."""

    def __init__(
        self, program: Program, classes: Sequence[_Class], column: int | None, effort: int
    ) -> None:
        self.program = program
        self.classes = classes
        self.column = column
        self.vectors = [vector for one in classes for vector in one.vectors]
        self.nodes = max(1, effort // len(self.vectors))

    def best(self) -> Picked | None:
        """The pick with the least sum; None if there is none within the limits.

        Raises:
            UsageError: none was found.
        """
        limits = list(self.program.limits)
        counts, bound = self.solved(limits)
        for attempt in range(ATTEMPTS):
            if counts is None:
                break
            options = self.spread(counts)
            sums = self.program.sums(options)
            broken = [one for one in self.program.limits if not one.holds(sums[one.column])]
            if not broken:
                return Picked(options, sums, bound)
            limits = [
                self._tighter(limit, 2**attempt) if asked in broken else limit
                for asked, limit in zip(self.program.limits, limits, strict=True)
            ]
            counts, _ = self.solved(limits)
        if limits == list(self.program.limits):
            return None
        raise UsageError("rounding errors left nothing within the limits", "relax one by a little")

    def _tighter(self, limit: Limit, steps: int) -> Limit:
        return limit.relaxed(Fraction(-steps * self._unit(limit.column), limit.scale))

    def solved(self, limits: Sequence[Limit]) -> tuple[list[int] | None, int | None]:
        """How many items of each class take each option (None: there is no way), and the bound.

        Raises:
            UsageError: the tree grew too large before any way was found.
        """
        import numpy as np
        from scipy.optimize import Bounds, LinearConstraint, milp

        sizes = [len(one.items) for one in self.classes]
        upper = [float(len(one.items)) for one in self.classes for _ in one.vectors]
        # the last variable is the excess
        integrality = [*(1 for _ in upper), 0]
        # with presolve HiGHS calls worse picks optimal where numbers are large (findings/)
        for presolve in (False, True):
            with _silence():
                found = milp(
                    np.array(self._objective(), dtype=float),
                    integrality=np.array(integrality),
                    bounds=Bounds(0, np.array([*upper, inf if self.column is None else 0.0])),
                    constraints=[
                        LinearConstraint(self._counting(), sizes, sizes),
                        *(self._row(limit) for limit in limits),
                    ],
                    options={
                        "node_limit": self.nodes,
                        "mip_rel_gap": 0.0,
                        "presolve": presolve,
                    },
                )
            if found.x is not None:
                return [round(one) for one in found.x[:-1]], self._bound(
                    # at the end of the search only what is no integer may lie below the best
                    found.fun if found.status == OPTIMAL else found.mip_dual_bound
                )
            if found.status == INFEASIBLE:
                return None, None
        raise UsageError(
            f"nothing within the limits was found: {found.message}", "offer fewer kinds, G and P"
        )

    def _objective(self) -> list[int]:
        if self.column is None:
            return [*(0 for _ in self.vectors), 1]
        unit = self._unit(self.column)
        return [*(vector[self.column] // unit for vector in self.vectors), 0]

    def _bound(self, dual: float | None) -> int | None:
        """No sum is below it: the solver's bound less its tolerance, up to the next integer."""
        if dual is None or not isfinite(dual) or self.column is None:
            return None
        return ceil(dual - TOLERANCE * max(1.0, abs(dual))) * self._unit(self.column)

    def _counting(self) -> Any:
        """Every item of a class takes one option."""
        from scipy.sparse import csr_array

        rows = [index for index, one in enumerate(self.classes) for _ in one.vectors]
        places = (rows, list(range(len(rows))))
        return csr_array(([1.0] * len(rows), places), shape=(len(self.classes), len(rows) + 1))

    def _row(self, limit: Limit) -> Any:
        """A limit, a little beyond the last sum that is allowed."""
        import numpy as np
        from scipy.optimize import LinearConstraint

        unit = self._unit(limit.column)
        low, high = -inf, inf
        # sums are multiples of the unit, and so may be their limits; but not what excess is from
        exact = self.column is None
        if limit.low is not None:
            low = limit.low / unit if exact else -(-limit.low // unit)
            low -= _margin(low)
        if limit.high is not None:
            high = limit.high / unit if exact else limit.high // unit
            high += _margin(high)
        scale = limit.scale / unit * (-1 if limit.low is None else 1) if exact else 0.0
        row = [*(vector[limit.column] // unit for vector in self.vectors), scale]
        return LinearConstraint(np.array([row], dtype=float), low, high)

    def _unit(self, column: int) -> int:
        """What all numbers of a column share as a factor."""
        return reduce(gcd, (vector[column] for vector in self.vectors), 0) or 1

    def spread(self, counts: Sequence[int]) -> tuple[int, ...]:
        """The option of each item, the first items of a class with its first options."""
        options = [0] * len(self.program.items)
        rest = iter(counts)
        for one in self.classes:
            taken = [index for index in one.options for _ in range(next(rest))]
            for item, option in zip(one.items, taken, strict=True):
                options[item] = option
        return tuple(options)


def _margin(limit: float) -> float:
    """What rounding may make of a sum, and less than the step to the next one."""
    return min(0.5, 1e-6 + 1e-8 * abs(limit))


@contextmanager
def _silence() -> Iterator[None]:
    """HiGHS prints a line of its own now and then, past Python: it would stand in our results."""
    sys.stdout.flush()
    kept = os.dup(1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 1)
        yield
    finally:
        if sys.platform != "win32":  # what C has not written yet
            ctypes.CDLL(None).fflush(None)
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)
