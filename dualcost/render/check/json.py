"""A check as JSON: exact integers, and all that a later check needs as its baseline."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import Any

from dualcost.gate.budget import Verdict
from dualcost.gate.check import Checked, Report
from dualcost.gate.metrics import Value, unit
from dualcost.render.check import words
from dualcost.version import __version__

SCHEMA = 1


def check_json(report: Report) -> str:
    """The whole check; its form is check.schema.json, beside this file."""
    document = {
        "schema": SCHEMA,
        "version": __version__,
        "config": words.path(report),
        "baseline": report.baseline or None,
        "passed": report.exit_code == 0,
        "exit_code": int(report.exit_code),
        "summary": words.summary(report),
        "stale": list(report.stale),
        "models": [_model(one) for one in report.models],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _model(checked: Checked) -> dict[str, Any]:
    error = checked.error
    return {
        "name": checked.model.name,
        "target": checked.model.target,
        "line": checked.model.line,
        "error": {"message": error.message, "hint": error.hint} if error else None,
        "notes": list(checked.notes),
        "advice": checked.advice or None,
        "verdicts": [_verdict(verdict) for verdict in checked.verdicts],
        "snapshot": checked.found.snapshot.to_json() if checked.found else None,
    }


def _verdict(verdict: Verdict) -> dict[str, Any]:
    return {
        "kind": verdict.kind,
        "metric": verdict.metric,
        "layers": verdict.layers or None,
        "unit": unit(verdict.metric),
        "bound": verdict.bound,
        "limit": number(verdict.limit),
        "base": number(verdict.base),
        "now": number(verdict.now),
        "difference": number(verdict.difference),
        "headroom": number(verdict.headroom),
        "level": verdict.level,
        "status": verdict.status,
        "line": verdict.line,
        "said": words.sentence(verdict),
        "reason": verdict.reason,
        "message": verdict.message,
        "culprits": [
            {"path": one.path, "amount": number(one.amount), "grew": one.grew}
            for one in verdict.culprits
        ],
    }


def number(value: Value | None) -> int | float | None:
    """An integer where it is one; else the nearest float of a share or a time."""
    if isinstance(value, Fraction):
        return value.numerator if value.denominator == 1 else float(value)
    return value
