"""The filter design of a kind: which filter sees which channel with which kernel.

Derived from the recipe in `kinds.py`, channel by channel, as the paper draws it in Figure 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from dualcost.errors import UsageError
from dualcost.kinds.recipe import ConvKind, Part

LARGEST = 128  # what can still be told apart on a page


class Sees(Enum):
    """What a filter does with a channel."""

    NOTHING = "nothing"
    SPATIAL = "K×K"
    POINTWISE = "1×1"
    BOTH = "K×K and 1×1"


@dataclass(frozen=True)
class Stage:
    """One convolution: a row for each filter, a cell for each channel that it may see."""

    name: str
    cells: tuple[tuple[Sees, ...], ...]

    @property
    def filters(self) -> int:
        """How many filters it has."""
        return len(self.cells)

    @property
    def channels(self) -> int:
        """How many channels come in."""
        return len(self.cells[0])


@dataclass(frozen=True)
class Design:
    """The stages of a kind at some M, N and G or P: one, or two that follow each other."""

    kind: ConvKind
    M: int
    N: int
    divisor: int
    stages: tuple[Stage, ...]


def design(kind: ConvKind, M: int, N: int, divisor: int) -> Design:
    """Lay out the filters of a kind.

    Raises:
        IndivisibleError: G or P does not divide M and N.
        UsageError: M or N is not between 1 and LARGEST.
    """
    for letter, channels in (("M", M), ("N", N)):
        if not 1 <= channels <= LARGEST:
            raise UsageError(f"{letter}={channels} cannot be drawn", f"give 1 to {LARGEST}")
    kind.check(M, N, divisor)
    if kind.chained:
        stages = tuple(_stage((part,), M, N, divisor) for part in kind.parts)
    else:
        stages = (_stage(kind.parts, M, N, divisor),)
    return Design(kind, M, N, divisor, stages)


def _stage(parts: tuple[Part, ...], M: int, N: int, divisor: int) -> Stage:
    """Parts that read the same channels and are summed make one stage."""
    filters = M if parts[0].per_channel else N
    return Stage(
        " + ".join(part.name for part in parts),
        tuple(
            tuple(_seen(parts, n, m, M, filters, divisor) for m in range(M)) for n in range(filters)
        ),
    )


def _seen(parts: tuple[Part, ...], n: int, m: int, M: int, N: int, divisor: int) -> Sees:
    seeing = {part.spatial for part in parts if part.sight.sees(n, m, M, N, divisor)}
    if seeing == {True, False}:
        return Sees.BOTH
    if seeing:
        return Sees.SPATIAL if True in seeing else Sees.POINTWISE
    return Sees.NOTHING
