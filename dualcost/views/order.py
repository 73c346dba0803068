"""By what rows are sorted, and what their shares and bars are shares of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dualcost.costs.metrics import ADDED, ALIASES, METRICS, Metric
from dualcost.costs.profile import Profile, Row
from dualcost.errors import UnknownNameError, UsageError

EXECUTION, PATH, SAVED = "order", "path", "saved"
WORDS = {**ALIASES, "time": "latency"}  # what may be said instead of an order's name


@dataclass(frozen=True)
class Amount:
    """What each row has of something, and the whole network.

    Attributes:
        metric: what is measured: MACs, bytes, seconds.
        of: the amount of a row.
        whole: the amount of the network; the rows add up to it, except for a peak.
        saved: only the difference to the network before its rewrite is meant.
    """

    metric: Metric
    of: Callable[[Row], float]
    whole: Callable[[Profile], float]
    saved: bool = False

    def share(self, profile: Profile, row: Row) -> float | None:
        """The part that a row has of the whole; None where the whole is nothing."""
        whole = self.whole(profile)
        return self.of(row) / whole if whole else None


def _added(metric: Metric) -> Amount:
    return Amount(
        metric, lambda row: metric.of_cost(row.after), lambda profile: metric.of_cost(profile.after)
    )


MACS, PEAK, TIME = METRICS["macs"], METRICS["peak-activations"], METRICS["latency"]
AMOUNTS: dict[str, Amount] = {
    **{name: _added(metric) for name, metric in ADDED.items()},
    PEAK.name: Amount(PEAK, lambda row: row.live_bytes, lambda profile: profile.peak[1].nbytes),
    TIME.name: Amount(
        TIME,
        lambda row: row.time.seconds if row.time else 0.0,
        lambda profile: profile.latency.after.seconds if profile.latency else 0.0,
    ),
    SAVED: Amount(
        MACS,
        lambda row: row.before.macs - row.after.macs,
        lambda profile: profile.before.macs - profile.after.macs,
        saved=True,
    ),
}
# What `--sort` takes: all of it is said by `--help`, by completion, and by a refusal.
SORTS = (EXECUTION, *AMOUNTS, PATH)


def known(sort: str) -> str:
    """The name of an order, which may be given by an alias: "peak", "weights", "time".

    Raises:
        UnknownNameError: there is no such order.
        UsageError: it is a metric that layers do not have.
    """
    name = WORDS.get(sort, sort)
    if name in SORTS:
        return name
    if name in METRICS:
        raise UsageError(
            f"{name} is a number of the whole network: layers cannot be sorted by it",
            f"orders: {', '.join(SORTS)}",
        )
    raise UnknownNameError("order of rows", sort, SORTS, f"orders: {', '.join(SORTS)}")


def key(sort: str) -> Callable[[Row], Any]:
    """The key by which rows are sorted, least first: the largest amount comes first.

    Raises:
        UnknownNameError: there is no such order.
        UsageError: it is a metric that layers do not have.
    """
    name = known(sort)
    if name == PATH:
        return lambda row: f"{row.folds} {row.folded}" if row.folded else row.path
    if name == EXECUTION:
        return lambda row: 0
    amount = AMOUNTS[name]
    return lambda row: -amount.of(row)


def amount(profile: Profile, sort: str = EXECUTION) -> Amount:
    """What shares are of: what the rows are sorted by, else the time if one is predicted, or MACs.

    Raises:
        UnknownNameError: there is no such order.
        UsageError: layers do not have it, or it is the time and none was predicted.
    """
    name = known(sort)
    if name == TIME.name and profile.latency is None:
        raise UsageError("rows cannot be sorted by a time that is not predicted", "add --latency")
    if name in AMOUNTS:
        return AMOUNTS[name]
    return AMOUNTS[TIME.name if profile.latency else MACS.name]
