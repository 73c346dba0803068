"""Limits and a baseline, held against what a model costs → verdicts.

Counts are compared as integers, shares as fractions: nothing is rounded before it is judged.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from dualcost.costs.metrics import KEPT, Better
from dualcost.errors import UsageError
from dualcost.gate import culprit, metrics
from dualcost.gate.appraisal import Appraisal, Time, time_key
from dualcost.gate.config import Model
from dualcost.gate.culprit import Culprit
from dualcost.gate.limit import ERROR, WARN, Allowance, LayerLimits, Limit
from dualcost.gate.metrics import Value
from dualcost.gate.snapshot import LayerCost, Snapshot

BUDGET, RATCHET = "budget", "ratchet"
OK, FAIL = "ok", "fail"
LOWER_BOUND = "an op that no rule counts ran: the count is a lower bound and passes no maximum"
UNCOUNTED = "an op that no rule counts ran: a saving of a lower bound passes no minimum"


@dataclass(frozen=True)
class Verdict:
    """One metric of one model against one bound.

    Attributes:
        model: as the configuration calls it.
        kind: BUDGET or RATCHET.
        metric: its name.
        layers: the glob of the layers that it is about; "" is the whole model.
        bound: "max" or "min".
        limit: the last value that is allowed.
        now: the value.
        base: the value in the baseline; of a latency, of the model before its rewrite in the same
            run; None where there is none.
        passed: whether it is allowed.
        level: WARN or ERROR: what it is otherwise.
        reason: why it did not pass, where the numbers do not tell; or what stands beside them.
        message: what the user wants to be told.
        line: where the limit stands.
        culprits: the layers that make up an overshoot, largest first.
    """

    model: str
    kind: str
    metric: str
    layers: str
    bound: str
    limit: Value
    now: Value
    base: Value | None
    passed: bool
    level: str
    reason: str
    message: str
    line: int
    culprits: tuple[Culprit, ...] = ()

    @property
    def status(self) -> str:
        """OK, WARN or FAIL."""
        if self.passed:
            return OK
        return WARN if self.level == WARN else FAIL

    @property
    def uncertain(self) -> bool:
        """It would pass if the numbers were all: an op that no rule counts ran."""
        return not self.passed and self.headroom >= 0

    @property
    def headroom(self) -> Value:
        """How far the value is from the limit; negative beyond it."""
        return self.limit - self.now if self.bound == "max" else self.now - self.limit

    @property
    def difference(self) -> Value | None:
        """What changed since the baseline."""
        return None if self.base is None else self.now - self.base

    @property
    def name(self) -> str:
        """The metric, with the layers that it is about."""
        return f"{self.metric} of {self.layers}" if self.layers else self.metric


def judge(
    model: Model,
    found: Appraisal,
    base: Snapshot | None,
    ratchet: Sequence[Allowance],
) -> tuple[Verdict, ...]:
    """Every limit of a model, of its layers, and of its growth.

    Raises:
        UsageError: a glob of layers matches nothing; `line` tells where it stands.
    """
    verdicts = [*hold(found, model.limits, base)]
    for layers in model.layers:
        verdicts += [
            _explained(verdict, found.snapshot) for verdict in _layers(layers, found.snapshot, base)
        ]
    named = tuple(replace(verdict, model=model.name) for verdict in verdicts)
    return named if base is None else (*named, *grown(model.name, ratchet, found.snapshot, base))


def hold(
    found: Appraisal, limits: Sequence[Limit], base: Snapshot | None = None
) -> tuple[Verdict, ...]:
    """The limits of a whole model; those of latencies that were not measured are left out."""
    return tuple(
        _explained(verdict, found.snapshot)
        for limit in limits
        if limit.metric not in metrics.LATENCIES or time_key(limit) in found.times
        for verdict in _limited(limit, found, base)
    )


def grown(
    model: str, ratchet: Sequence[Allowance], now: Snapshot, base: Snapshot
) -> tuple[Verdict, ...]:
    """What a model grew by, against what is allowed."""
    verdicts = (_explained(_ratcheted(allowance, now, base), now) for allowance in ratchet)
    return tuple(replace(verdict, model=model) for verdict in verdicts)


def _explained(verdict: Verdict, now: Snapshot) -> Verdict:
    """Where no number is too large, the ops are to blame that have none."""
    if not verdict.uncertain:
        return verdict
    return replace(verdict, culprits=culprit.of_model(metrics.UNKNOWN_OPS, now, None, Fraction(0)))


def _limited(limit: Limit, found: Appraisal, base: Snapshot | None) -> Iterator[Verdict]:
    now, before, about = _value(limit, found, base)
    for bound, edge in (("max", limit.high), ("min", limit.low)):
        if edge is None:
            continue
        # a lower bound of a count is an upper bound of what is saved of it
        heavy = (bound == "max") == (metrics.better(limit.metric) is Better.LESS)
        partial = heavy and found.snapshot.partial and metrics.bounded(limit.metric)
        passed = not partial and (now <= edge if bound == "max" else now >= edge)
        yield Verdict(
            model="",
            kind=BUDGET,
            metric=limit.metric,
            layers="",
            bound=bound,
            limit=edge,
            now=now,
            base=before,
            passed=passed,
            level=limit.level,
            reason=(LOWER_BOUND if bound == "max" else UNCOUNTED) if partial else about,
            message=limit.message,
            line=limit.line,
            culprits=_too_much(limit, edge, found, base) if heavy and not passed else (),
        )


def _too_much(
    limit: Limit, edge: Fraction, found: Appraisal, base: Snapshot | None
) -> tuple[Culprit, ...]:
    """The layers that make up what a maximum is exceeded by, or a saving misses."""
    metric, most = limit.metric, edge
    if metric.startswith(metrics.REDUCTION):
        metric = metric.removeprefix(metrics.REDUCTION)
        most = (1 - edge) * found.references[limit.against][metric]
    if metric not in KEPT:  # of a latency no layer is to blame
        return ()
    return culprit.of_model(metric, found.snapshot, base, found.snapshot.metrics[metric] - most)


def _value(
    limit: Limit, found: Appraisal, base: Snapshot | None
) -> tuple[Value, Value | None, str]:
    """What a limit is about: now, in the baseline, and what must be said besides."""
    name = limit.metric
    if name in metrics.LATENCIES:
        time = found.times.get(time_key(limit), Time(0.0, None, ""))
        return time.seconds, time.before_s, time.about
    if name in KEPT:
        return found.snapshot.metrics[name], base.metrics.get(name) if base else None, ""
    metric = name.removeprefix(metrics.REDUCTION)
    whole = found.references[limit.against][metric]
    against = f"against {limit.against or 'the model before its rewrite'}"
    if not whole:
        return Fraction(0), None, f"{against}, which has no {metric}"
    before = base.metrics.get(metric) if base else None
    return (
        1 - Fraction(found.snapshot.metrics[metric], whole),
        None if before is None else 1 - Fraction(before, whole),
        against,
    )


def _layers(asked: LayerLimits, now: Snapshot, base: Snapshot | None) -> Iterator[Verdict]:
    layers = now.matching(asked.match)
    if not layers:
        from difflib import get_close_matches

        close = get_close_matches(asked.match, [layer.path for layer in now.layers], n=3)
        hint = f"did you mean {' or '.join(close)}?" if close else "its layers: " + _tops(now)
        raise UnmatchedError(f"no layer of {now.model} fits {asked.match!r}", hint, asked.line)
    before = base.matching(asked.match) if base else ()
    for limit in asked.limits:
        yield from _of_layers(asked, limit, layers, before, now, base)


class UnmatchedError(UsageError):
    """A glob of a configuration fits no layer; `line` is where it stands."""

    def __init__(self, message: str, hint: str, line: int) -> None:
        super().__init__(message, hint)
        self.line = line


def _tops(now: Snapshot) -> str:
    tops = dict.fromkeys(layer.path.partition(".")[0] for layer in now.layers)
    return ", ".join(tops)


def _of_layers(
    asked: LayerLimits,
    limit: Limit,
    layers: Sequence[LayerCost],
    before: Sequence[LayerCost],
    now: Snapshot,
    base: Snapshot | None,
) -> Iterator[Verdict]:
    """The sum of the layers against a limit, or the worst of them."""
    metric = limit.metric
    of = KEPT[metric].of_cost
    values = [of(layer.cost) for layer in layers]
    known = base is not None and culprit.knows(base, metric) and asked.sum
    total = sum(of(layer.cost) for layer in before) if known else None
    for bound, edge in (("max", limit.high), ("min", limit.low)):
        if edge is None:
            continue
        value = sum(values) if asked.sum else (max if bound == "max" else min)(values)
        partial = now.partial and metrics.bounded(metric) and bound == "max"
        passed = not partial and (value <= edge if bound == "max" else value >= edge)
        if asked.sum:
            over = value - edge
            grew = culprit.grown(metric, layers, base, over) if known and base else ()
            culprits = (grew or culprit.largest(metric, layers)) if bound == "max" else ()
        else:
            culprits = tuple(
                Culprit(layer.path, has, grew=False)
                for has, layer in sorted(zip(values, layers, strict=True), key=lambda one: -one[0])
                if (has > edge if bound == "max" else has < edge)
            )
        yield Verdict(
            model="",
            kind=BUDGET,
            metric=metric,
            layers=asked.match if asked.sum else f"each {asked.match}",
            bound=bound,
            limit=edge,
            now=value,
            base=total,
            passed=passed,
            level=limit.level,
            reason=LOWER_BOUND if partial else "",
            message=limit.message,
            line=limit.line,
            culprits=() if passed else culprits[: culprit.MOST],
        )


def _ratcheted(allowance: Allowance, now: Snapshot, base: Snapshot) -> Verdict:
    name = allowance.metric
    value, before = now.metrics[name], base.metrics[name]
    partial = now.partial and metrics.bounded(name)
    passed = not partial and not allowance.exceeded(before, value)
    over = Fraction(value - before)
    return Verdict(
        model="",
        kind=RATCHET,
        metric=name,
        layers="",
        bound="max",
        limit=allowance.most(before),
        now=value,
        base=before,
        passed=passed,
        level=allowance.level or ERROR,
        reason=LOWER_BOUND if partial else "",
        message=allowance.message,
        line=allowance.line,
        culprits=() if passed else culprit.of_model(name, now, base, over),
    )
