"""Hand-made snapshots and configurations, for tests of what is made of them."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

from dualcost.gate.appraisal import Appraisal
from dualcost.gate.config import Config, Model
from dualcost.gate.limit import ERROR, Allowance, LayerLimits, Limit
from dualcost.gate.snapshot import LayerCost, Snapshot
from dualcost.network.cost import Cost

# a path: (MACs, parameters)
LAYERS = {"stem": (100, 10), "body.0": (2000, 300), "body.1": (4000, 300), "head": (50, 500)}


def snapshot(
    layers: Mapping[str, tuple[int, int]] = LAYERS,
    *,
    model: str = "small",
    unknown: int = 0,
    **facts: Any,
) -> Snapshot:
    """A model with these layers, whose metrics add up."""
    costs = tuple(LayerCost(path, Cost(macs, params)) for path, (macs, params) in layers.items())
    macs = sum(layer.cost.macs for layer in costs)
    params = sum(layer.cost.params for layer in costs)
    metrics = {
        "macs": macs,
        "flops": 2 * macs,
        "params": params,
        "weight-bytes": 4 * params,
        "peak-activations": 1024,
        "traffic": 4096,
        "trainable-params": params,
        "unknown-ops": unknown,
    }
    given: dict[str, Any] = {
        "target": "models.py:small",
        "rewrite": "",
        "inputs": ("1x3x32x32",),
        "convention": "torch",
        "structure": "0123456789abcdef",
        "peak_at": "body.0",
        "unknown": {"erfinv": unknown} if unknown else {},
        **facts,
    }
    return Snapshot(model=model, metrics=metrics, layers=costs, **given)


def limit(
    metric: str = "params",
    high: Fraction | int | None = None,
    low: Fraction | int | None = None,
    **facts: Any,
) -> Limit:
    """A limit of a metric, in its canonical unit."""
    given: dict[str, Any] = {
        "level": ERROR,
        "message": "",
        "against": "",
        "threads": 1,
        "line": 7,
        **facts,
    }
    bounds = [None if bound is None else Fraction(bound) for bound in (high, low)]
    return Limit(metric, bounds[0], bounds[1], **given)


def allowance(
    metric: str = "params",
    share: Fraction | int | None = None,
    absolute: int | None = None,
    level: str = ERROR,
) -> Allowance:
    """How much a metric may grow."""
    bounds = [None if bound is None else Fraction(bound) for bound in (share, absolute)]
    return Allowance(metric, bounds[0], bounds[1], level, message="", line=9)


def model(*limits: Limit, layers: tuple[LayerLimits, ...] = (), name: str = "small") -> Model:
    """A model with these limits."""
    return Model(
        name=name,
        target="models.py:small",
        rewrite=None,
        plan="",
        inputs=(),
        example="",
        rules="",
        convention="torch",
        limits=limits,
        layers=layers,
        line=3,
    )


def appraisal(found: Snapshot, **references: Mapping[str, int]) -> Appraisal:
    """A snapshot as a measured model; without references it was not rewritten."""
    return Appraisal(found, references or {"": found.metrics})


def configuration(*models: Model, ratchet: tuple[Allowance, ...] = ()) -> Config:
    """A configuration of these models."""
    return Config(Path("pyproject.toml"), Path("dualcost.lock"), models, ratchet)
