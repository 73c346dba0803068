"""The layers that make up what is too much of a metric, largest first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from dualcost.costs.metrics import KEPT
from dualcost.gate.metrics import OF_LAYERS, UNKNOWN_OPS
from dualcost.gate.snapshot import LayerCost, Snapshot

MOST = 5  # that are named
# What a layer has in the place of a metric that only a whole model has.
STAND_INS = {"trainable-params": "params"}


@dataclass(frozen=True)
class Culprit:
    """A layer (of unknown ops: an op).

    Attributes:
        path: the module that it runs in.
        amount: what it has of the metric; or by how much that grew since the baseline.
        grew: it is growth.
    """

    path: str
    amount: int
    grew: bool


def of_model(
    metric: str, now: Snapshot, base: Snapshot | None, over: Fraction
) -> tuple[Culprit, ...]:
    """The layers that grew, else those that have most.

    Args:
        metric: one of `metrics.METRICS`.
        now: the model.
        base: what growth is measured against.
        over: how much is too much; layers that grew are named until they make up for it.
    """
    if metric == "peak-activations":
        return (Culprit(now.peak_at, now.metrics[metric], grew=False),)
    if metric == UNKNOWN_OPS:
        return _most(now.unknown.items())
    metric = STAND_INS.get(metric, metric)
    if metric not in OF_LAYERS:
        return ()
    grew = grown(metric, now.layers, base, over) if base and knows(base, metric) else ()
    return grew or largest(metric, now.layers)


def knows(base: Snapshot, metric: str) -> bool:
    """Whether the layers of a baseline have a metric: those of a lock file have two."""
    of = KEPT[metric].of_cost
    return sum(of(layer.cost) for layer in base.layers) == base.metrics.get(metric)


def grown(
    metric: str, layers: Sequence[LayerCost], base: Snapshot, over: Fraction
) -> tuple[Culprit, ...]:
    """The layers that grew most, until they make up for what is too much."""
    of = KEPT[metric].of_cost
    before = {layer.path: of(layer.cost) for layer in base.layers}
    growth = {layer.path: of(layer.cost) - before.get(layer.path, 0) for layer in layers}
    return tuple(_until(_most(growth.items(), grew=True), over))


def _until(found: Sequence[Culprit], over: Fraction) -> Iterator[Culprit]:
    made_up = 0
    for one in found:
        if 0 < over <= made_up:
            return
        yield one
        made_up += one.amount


def largest(metric: str, layers: Sequence[LayerCost]) -> tuple[Culprit, ...]:
    """The layers that have most."""
    return _most((layer.path, KEPT[metric].of_cost(layer.cost)) for layer in layers)


def _most(amounts: Iterable[tuple[str, int]], grew: bool = False) -> tuple[Culprit, ...]:
    ordered = sorted(amounts, key=lambda one: (-one[1], one[0]))[:MOST]
    return tuple(Culprit(path, amount, grew) for path, amount in ordered if amount > 0)
