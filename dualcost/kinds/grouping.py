"""How the parts of a recipe run: each as a few grouped convolutions that multiply by no zero."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from dualcost.kinds.recipe import ALL, BETWEEN, EVERY_PTH, OTHER_GROUPS, OWN, OWN_GROUP, Sight


@dataclass(frozen=True)
class GroupedRun:
    """One grouped convolution: the filters of group i see the channels of group `sees[i]`.

    Attributes:
        sees: the group of channels for each group of filters.
        columns: which columns of the part's weight it multiplies with.
    """

    sees: tuple[int, ...]
    columns: slice

    @property
    def groups(self) -> int:
        """How many groups it has."""
        return len(self.sees)

    @property
    def straight(self) -> bool:
        """Each group of filters sees the channels in its own place."""
        return self.sees == tuple(range(self.groups))


def _whole(groups: int) -> list[GroupedRun]:
    return [GroupedRun(tuple(range(groups)), slice(None))]


def _others(M: int, P: int) -> list[GroupedRun]:
    """All groups but one's own, without multiplying by a zero.

    Each half of the groups sees the other half: one convolution of 2 groups. Within each half, each
    quarter sees the other: one of 4 groups; and so on, log2(P) convolutions in all. A prime factor
    p of P takes p − 1 of them, one for each distance between two of p parts.
    """
    runs: list[GroupedRun] = []
    outer, start = 1, 0
    for p in _prime_factors(P):
        groups = outer * p
        for distance in range(1, p):
            sees = tuple(g - g % p + (g + distance) % p for g in range(groups))
            runs.append(GroupedRun(sees, slice(start, start + M // groups)))
            start += M // groups
        outer = groups
    return runs


def _prime_factors(number: int) -> Iterator[int]:
    divisor = 2
    while number > 1:
        while number % divisor == 0:
            yield divisor
            number //= divisor
        divisor += 1


# How each sight runs: (M, G or P) → grouped convolutions, whose sum is the part.
RUNS: dict[Sight, Callable[[int, int], list[GroupedRun]]] = {
    ALL: lambda M, divisor: _whole(1),
    OWN: lambda M, divisor: _whole(M),
    OWN_GROUP: lambda M, G: _whole(G),
    OTHER_GROUPS: _others,
    EVERY_PTH: lambda M, P: _whole(P),
    BETWEEN: _others,
}
# Sights by remainder (every P-th channel): channels and filters are sorted by it to be groups.
INTERLEAVED = (EVERY_PTH, BETWEEN)
