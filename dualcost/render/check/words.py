"""The words that every form of a check shares: each is put together once, here."""

from __future__ import annotations

from dualcost.gate import metrics
from dualcost.gate.budget import FAIL, OK, RATCHET, Verdict
from dualcost.gate.check import Checked, Report
from dualcost.gate.culprit import Culprit
from dualcost.gate.limit import WARN

SAID = {OK: "ok", WARN: "warn", FAIL: "FAIL"}
NONE = "–"


def metric(verdict: Verdict) -> str:
    """The metric of a verdict: a ratchet's is told apart from a budget's."""
    return f"{verdict.name} (ratchet)" if verdict.kind == RATCHET else verdict.name


def limit(verdict: Verdict) -> str:
    """The bound: "≤ 19.00 M"."""
    sign = "≤" if verdict.bound == "max" else "≥"
    return f"{sign} {metrics.said(verdict.metric, verdict.limit)}"


def base(verdict: Verdict) -> str:
    """The value of the baseline, if there is one."""
    return NONE if verdict.base is None else metrics.said(verdict.metric, verdict.base)


def now(verdict: Verdict) -> str:
    """The value."""
    return metrics.said(verdict.metric, verdict.now)


def difference(verdict: Verdict) -> str:
    """What changed since the baseline, with its sign."""
    return NONE if verdict.difference is None else signed(verdict.metric, verdict.difference)


def headroom(verdict: Verdict) -> str:
    """How far the value is from the bound; with a minus beyond it."""
    return metrics.said(verdict.metric, verdict.headroom)


def signed(name: str, value: metrics.Value) -> str:
    """A change of a metric: "+1.180 M", "0"."""
    return f"{'+' if value > 0 else ''}{metrics.said(name, value)}"


def sentence(verdict: Verdict) -> str:
    """A verdict in one sentence: "params is 25.56 M: 6.557 M over the budget of 19.00 M"."""
    name, value = verdict.metric, now(verdict)
    edge = metrics.said(name, verdict.limit)
    kind = "ratchet's limit" if verdict.kind == RATCHET else "budget"
    if verdict.passed:
        return f"{verdict.name} is {value}: within the {kind} of {edge}"
    if verdict.uncertain:
        bound = "at least" if verdict.bound == "max" else "at most"
        return f"{verdict.name} is {bound} {value}: {verdict.reason}"
    beyond = metrics.said(name, -verdict.headroom)
    over = "over" if verdict.bound == "max" else "short of"
    return f"{verdict.name} is {value}: {beyond} {over} the {kind} of {edge}"


def culprit(verdict: Verdict, one: Culprit) -> str:
    """A layer of an overshoot: "layer3.0.conv2 +1.180 M"."""
    name = (
        metrics.UNKNOWN_OPS if verdict.uncertain else verdict.metric.removeprefix(metrics.REDUCTION)
    )
    amount = signed(name, one.amount) if one.grew else metrics.said(name, one.amount)
    return f"{one.path} {amount}"


def culprits(verdict: Verdict) -> str:
    """All of them, largest first; "" if there are none."""
    if not verdict.culprits:
        return ""
    start = "grew" if verdict.culprits[0].grew else "largest"
    if verdict.metric == "peak-activations":
        start = "during"
    if verdict.metric == metrics.UNKNOWN_OPS or verdict.uncertain:
        start = "ops"
    return f"{start}: {', '.join(culprit(verdict, one) for one in verdict.culprits)}"


def details(verdict: Verdict) -> list[str]:
    """What helps with a verdict that did not pass, a line each."""
    reason = "" if verdict.reason in sentence(verdict) else verdict.reason
    return [line for line in (reason, culprits(verdict), verdict.message) if line]


def about(checked: Checked) -> str:
    """A model in one line: what it is, and what was done to it."""
    model = checked.model
    found = checked.found.snapshot if checked.found else None
    inputs = found.inputs if found else tuple(spec.word for spec in model.inputs)
    replaced = model.plan or (found.rewrite if found else "")
    parts = [model.target, replaced, ", ".join(inputs)]
    return " · ".join(part for part in parts if part)


def summary(report: Report) -> str:
    """The whole check in one line."""
    verdicts = len(report.verdicts)
    parts = [
        f"{len(report.failed)} failed" if report.failed else "",
        f"{len(report.warned)} warned" if report.warned else "",
        f"{len(report.unmeasured)} could not be measured" if report.unmeasured else "",
        "the lock file is out of date" if report.stale else "",
    ]
    said = ", ".join(part for part in parts if part) or "all passed"
    models = len(report.models)
    return f"{verdicts} limit{'s' * (verdicts != 1)} of {models} model{'s' * (models != 1)}: {said}"


def path(report: Report) -> str:
    """The configuration as the command found it; "" where the command itself says all."""
    return report.config.path.as_posix() if report.config.path else ""
