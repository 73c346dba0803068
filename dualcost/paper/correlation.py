"""How alike two orders of the paper's networks are: by time as printed, and by time here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dualcost.paper.latency import IMPLEMENTATIONS, PRINTED, Result

ALL = "all"
LEAST_RANKED = 3  # fewer have no order worth a number

Pairs = list[tuple[float, float]]


@dataclass(frozen=True)
class Correlation:
    """Spearman's rank correlation of the ratios here with those of a printed column.

    Attributes:
        device: where they ran here.
        mode: in which mode.
        column: the device whose printed times are compared to, of PRINTED.
        implementation: the one of het that was taken.
        of: the backbone, or ALL.
        count: how many networks.
        value: from −1 to 1; None where few or equal ones have no order.
    """

    device: str
    mode: str
    column: str
    implementation: str
    of: str
    count: int
    value: float | None


def correlations(results: Sequence[Result]) -> tuple[Correlation, ...]:
    """For each device, mode, printed column and form of het.

    Of each backbone with the standard network; of several together without those, whose ratio is
    1 everywhere.
    """
    ways = dict.fromkeys((result.device, mode) for result in results for mode in result.modes)
    return tuple(
        Correlation(*way, column, implementation, of, len(pairs), spearman(pairs))
        for way in ways
        for column in PRINTED
        for implementation in IMPLEMENTATIONS
        for of, pairs in _ranked(results, *way, column, implementation)
    )


def _ranked(
    results: Sequence[Result], device: str, mode: str, column: str, implementation: str
) -> Iterator[tuple[str, Pairs]]:
    of_each = [
        (result.backbone.name, _pairs(result, mode, column, implementation))
        for result in results
        if result.device == device and mode in result.modes
    ]
    yield from of_each
    if len(of_each) > 1:
        yield ALL, [pair for _, pairs in of_each for pair in pairs[1:]]


def _pairs(result: Result, mode: str, column: str, implementation: str) -> Pairs:
    """The printed ratio and the one here, of rows that have both; the standard network first."""
    pairs = []
    for place in result.places(mode):
        ratio = result.backbone.printed(place.entry.row, column)
        if ratio is not None and place.entry.implementation in ("", implementation):
            pairs.append((ratio, place.standing.undisturbed.value))
    return pairs


def spearman(pairs: Pairs) -> float | None:
    """The rank correlation of the two numbers of some pairs; None where there is no order."""
    from scipy.stats import spearmanr

    columns = [*zip(*pairs, strict=True)]
    if len(pairs) < LEAST_RANKED or any(len(set(column)) == 1 for column in columns):
        return None
    return float(spearmanr(*columns).statistic)
