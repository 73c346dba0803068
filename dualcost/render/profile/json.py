"""A profile as JSON: exact integers, a schema number, and nothing that changes from run to run."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from dualcost.costs.dearer import Dearer
from dualcost.costs.metrics import ADDED
from dualcost.costs.profile import Profile
from dualcost.latency.estimate import Prediction, Timing
from dualcost.network.cost import Cost, ratio
from dualcost.render.profile.columns import fields
from dualcost.render.profile.heading import versions
from dualcost.render.rewrite import why

SCHEMA = 1


def profile_json(profile: Profile) -> str:
    """The whole profile; its form is profile.schema.json, beside this file."""
    return json.dumps(as_dict(profile), indent=2, ensure_ascii=False) + "\n"


def as_dict(profile: Profile) -> dict[str, Any]:
    """The same as plain data."""
    shown = fields(timed=profile.latency is not None)
    return {
        "schema": SCHEMA,
        "network": profile.network,
        "inputs": [asdict(spec) for spec in profile.inputs],
        "convention": {
            "name": profile.convention.name,
            "groups": profile.convention.groups,
            "unit": profile.convention.unit,
        },
        "rewrite": _rewrite(profile),
        "partial": profile.partial,
        "unknown": profile.unknown,
        "notes": profile.notes,
        "versions": versions(profile),
        "peak": {
            side: {"bytes": peak.nbytes, "during": peak.path}
            for side, peak in zip(("before", "after"), profile.peak, strict=True)
        },
        "frozen": profile.frozen,
        "buffers": [
            {"name": buffer.name, "shape": buffer.shape, "bytes": buffer.nbytes}
            for buffer in profile.buffers
        ],
        "total": _change(profile.before, profile.after),
        "totals": {name: _change(*costs) for name, costs in profile.totals.items()},
        "rows": [{name: value(row) for name, value in shown.items()} for row in profile.rows],
        **({"latency": latency(profile.latency)} if profile.latency else {}),
    }


def latency(predicted: Prediction) -> dict[str, Any]:
    """A predicted latency as plain data, in seconds."""
    return {
        "before": _timing(predicted.before),
        "after": _timing(predicted.after),
        "ratio": predicted.ratio,
        "memory_format": predicted.memory_format,
        "unpredicted": dict(predicted.unpredicted),
        "machine": predicted.calibration.machine.to_json(),
        "calibrated": predicted.calibration.date,
        "foreign": predicted.foreign,
    }


def _timing(timing: Timing) -> dict[str, Any]:
    return {
        "seconds": timing.seconds,
        "lower_s": timing.lower_s,
        "upper_s": timing.upper_s,
        "roofline_s": timing.roofline_s,
        "bound": timing.bound,
    }


def _rewrite(profile: Profile) -> dict[str, Any] | None:
    asked = profile.rewrite
    if asked is None:
        return None
    return {
        "conv": asked.kind.name,
        **({asked.kind.letter: asked.divisor} if asked.kind.letter else {}),
        "where": str(asked.rule),
        "indivisible": str(asked.indivisible),
        "bias": asked.bias,
        "but": [str(exemption) for exemption in asked.exemptions],
        "replaced": profile.replaced,
        "dearer": _dearer(profile.dearer),
        "decisions": [
            {"path": d.candidate.path, "replaced": d.replaced, "reason": why(d.outcome, d.reason)}
            for d in profile.decisions
        ],
    }


def _dearer(found: Dearer | None) -> dict[str, Any] | None:
    if found is None:
        return None
    term = str(found.term) if found.term else None
    return {"sites": found.sites, "term": term, "others": found.others}


def _change(before: Cost, after: Cost) -> dict[str, Any]:
    return {
        "before": _cost(before),
        "after": _cost(after),
        "ratio": {
            metric.key: ratio(metric.of_cost(after), metric.of_cost(before))
            for metric in ADDED.values()
        },
    }


def _cost(cost: Cost) -> dict[str, int]:
    return {metric.key: metric.of_cost(cost) for metric in ADDED.values()}
