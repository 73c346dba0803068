"""One model of a configuration, measured: its snapshot, what it is compared with, its times."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from dualcost.costs.profile import Profile, profile
from dualcost.errors import DualcostError
from dualcost.gate import metrics
from dualcost.gate.config import Model
from dualcost.gate.limit import Limit
from dualcost.gate.snapshot import Snapshot, snapshot
from dualcost.lab.race import Conditions, Variant
from dualcost.library import networks as library
from dualcost.network.cost import convention

LATENCY_BUDGET_S = 10.0


@dataclass(frozen=True)
class Time:
    """How long a forward takes, and that of the model before its rewrite, from the same run.

    Attributes:
        seconds: of the model; undisturbed, or predicted.
        before_s: of the model before its rewrite; None if nothing is replaced in it.
        about: how it came about.
    """

    seconds: float
    before_s: float | None
    about: str


@dataclass(frozen=True)
class Appraisal:
    """All that is known of a model when it is judged.

    Attributes:
        snapshot: its exact metrics, and its layers.
        references: the metrics of what reductions are measured against, by target; "" is the model
            before its rewrite.
        times: by metric and threads, as `time_key` writes them.
        untimed: why a latency is not known, by the same keys: a message and a hint.
    """

    snapshot: Snapshot
    references: Mapping[str, Mapping[str, int]]
    times: Mapping[str, Time] = field(default_factory=dict)
    untimed: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """What `from_json` reads; times are no part of it."""
        return {
            "snapshot": self.snapshot.to_json(),
            "references": {name: dict(found) for name, found in self.references.items()},
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Appraisal:
        """Read what `to_json` made."""
        return cls(Snapshot.from_json(document["snapshot"]), document["references"])


def time_key(limit: Limit) -> str:
    """Limits with the same key are held against one measurement."""
    return f"{limit.metric} {limit.threads}"


def reads_only(model: Model) -> bool:
    """Whether `appraise` needs no tracing: all its traces are packaged, or in the cache.

    Raises:
        UnknownNameError: nothing is called as its target.
    """
    own = library.at_hand(model.target, model.inputs, model.example, model.rules)
    return own and all(library.at_hand(name, model.inputs) for name in model.references)


def appraise(model: Model, announce: library.Announce = lambda message: None) -> Appraisal:
    """Profile a model, and what it is compared with, in the current folder; nothing is timed.

    Raises:
        DualcostError: it cannot be found, built, run or rewritten.
    """
    counted = convention(model.convention)
    network = library.load(model.target, model.inputs, None, announce, model.example, model.rules)
    costed = profile(network, model.rewrite, counted)
    return of_profile(model, costed, announce)


def of_profile(
    model: Model, costed: Profile, announce: library.Announce = lambda message: None
) -> Appraisal:
    """A profile of a model, with the metrics of what it is compared with.

    Raises:
        DualcostError: what it is compared with cannot be found or run.
    """
    references = {"": metrics.measured(costed.whole_before)}
    for target in model.references:
        other = library.load(target, model.inputs, None, announce)
        references[target] = metrics.measured(profile(other, None, costed.convention).whole_before)
    return Appraisal(snapshot(costed, model.name, model.target), references)


def times(
    model: Model,
    announce: library.Announce = lambda message: None,
    budget_s: float = LATENCY_BUDGET_S,
) -> Iterator[tuple[str, Time | DualcostError]]:
    """Measure or predict every latency that a model has a limit for, each by its `time_key`.

    What cannot be measured here yields its error, and does not stop the others.
    """
    for key, limit in {time_key(limit): limit for limit in timed(model)}.items():
        try:
            if limit.metric == metrics.ESTIMATE:
                yield key, _predicted(model, announce)
            else:
                yield key, _raced(model, limit, announce, budget_s)
        except DualcostError as error:
            yield key, error


def timed(model: Model) -> Iterable[Limit]:
    """The limits of its latencies."""
    return (limit for limit in model.limits if limit.metric in metrics.LATENCIES)


def _raced(model: Model, limit: Limit, announce: library.Announce, budget_s: float) -> Time:
    """Let the model run in turn with itself before its rewrite."""
    from dualcost.lab import bench as contest
    from dualcost.units import duration

    device = limit.metric.rpartition(".")[2]
    announce(f"measuring {model.name} on {device} for at most {duration(budget_s)}")
    variants = [Variant(model.rewrite)] if model.rewrite else []
    race = contest.race(
        [model.target],
        variants,
        Conditions(device, limit.threads),
        inputs=model.inputs,
        budget_s=budget_s,
        announce=announce,
    )
    comparison = contest.run(race)
    first, *others = (one.run.undisturbed_s for one in comparison.standings)
    about = f"{comparison.rounds} rounds, threads={limit.threads}"
    return Time(others[0], first, about) if others else Time(first, None, about)


def _predicted(model: Model, announce: library.Announce) -> Time:
    from dualcost.latency.estimate import estimate
    from dualcost.nn.here import own_calibration
    from dualcost.rewrite.rewrite import rewrite

    learnt = own_calibration()
    network = library.load(model.target, model.inputs, None, announce, model.example, model.rules)
    before = estimate(network, learnt).total.seconds
    if model.rewrite is None:
        return Time(before, None, "predicted")
    after = estimate(rewrite(network, model.rewrite).checked(), learnt).total.seconds
    return Time(after, before, "predicted")
