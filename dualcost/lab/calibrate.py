"""Measure this machine's ops in a fresh process, and fit a calibration to them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from dualcost import process
from dualcost.errors import UnmeasuredError
from dualcost.latency.calibration import FORMATS, Calibration, Pair
from dualcost.latency.estimate import cold_share
from dualcost.latency.machine import Machine
from dualcost.latency.regression import fitted
from dualcost.latency.workload import WEIGHTED, Workload
from dualcost.version import __version__

BUDGET_S = 60.0
LEAST_OPS = 2  # of a family: below that there is no curve
STARTING_S, FITTING_S = 9.0, 4.0  # of the budget: torch is imported, shapes are drawn; the fit
LEAST_MEASURING_S = 1.0

MICRO = 1e-6
ODD = 0.03  # a relative error of a chain
NEEDED = {"dense", "pointwise", "relu_", "batch_norm"}  # there is no network without

Watcher = Callable[[float], None]


@dataclass
class _Heard:
    """What the measuring process said."""

    machine: Machine | None = None
    peaks: Mapping[str, float] = field(default_factory=dict)
    ops: list[dict[str, Any]] = field(default_factory=list)
    chains: list[dict[str, Any]] = field(default_factory=list)


def calibrate(
    budget_s: float = BUDGET_S, watch: Watcher = lambda share: None, seed: int = 0
) -> Calibration:
    """Measure single ops and small networks on one thread, and fit every family's curves.

    Args:
        budget_s: seconds that it may take in all.
        watch: told what share of the measuring is done.
        seed: draws the shapes that are measured.

    Raises:
        UnmeasuredError: this torch has no oneDNN, or the measuring process died.
    """
    measuring_s = max(LEAST_MEASURING_S, budget_s - STARTING_S - FITTING_S)
    heard = _Heard()
    request = {"budget_s": measuring_s, "seed": seed}
    for event in process.events("dualcost.lab.child.calibrate", request, threads=1):
        if "machine" in event:
            heard.machine = Machine.from_json(event["machine"])
            heard.peaks = event["peaks"]
        heard.ops += event.get("ops", ())
        heard.chains += event.get("chains", ())
        if "done" in event:
            watch(event["done"])
    if heard.machine is None or not heard.chains:
        raise UnmeasuredError("the measuring process ended before it measured", "try again")
    return _fitted(heard, heard.machine)


def _fitted(heard: _Heard, machine: Machine) -> Calibration:
    curves = {format: _curves(heard.ops, format) for format in FORMATS}
    if not all(curves[format].keys() >= NEEDED for format in FORMATS):
        raise UnmeasuredError(
            "too little was measured in that time to predict from", "give it more: --budget 60s"
        )
    best = max(_work(op).macs / op["warm_s"] for op in heard.ops if _multiplies(op))
    in_networks = {format: _in_networks(heard.chains, machine, format) for format in FORMATS}
    return Calibration(
        machine=machine,
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        version=__version__,
        macs_per_s=max(best, heard.peaks["macs_per_s"]),
        bytes_per_s=heard.peaks["bytes_per_s"],
        slowdown={format: slowdown for format, (slowdown, _) in in_networks.items()},
        call_s={format: call_s for format, (_, call_s) in in_networks.items()},
        curves=curves,
    )


def _curves(ops: Iterable[Mapping[str, Any]], format: str) -> dict[str, Pair]:
    """The curves of every family of which enough ops were measured."""
    families: dict[str, list[tuple[Workload, float, float]]] = {}
    for op in ops:
        if op["format"] == format:
            work = _work(op)
            families.setdefault(work.family, []).append((work, op["warm_s"], op["cold_s"]))
    found = {}
    for name, members in sorted(families.items()):
        if len(members) >= LEAST_OPS:
            works, warm, cold = zip(*members, strict=True)
            curve = fitted(works, warm)
            found[name] = Pair(curve, fitted(works, cold) if name in WEIGHTED else curve)
    return found


def _in_networks(
    chains: Iterable[Mapping[str, Any]], machine: Machine, format: str
) -> tuple[float, float]:
    """How much longer ops take in a network than by themselves, and what calling a layer costs.

    Two coefficients of least relative error: a chain takes the one times the sum of its ops, and
    the other for each layer. Beyond ODD an error counts but linearly: a chain that was disturbed
    all the time does not outweigh the others.
    """
    import numpy as np
    from scipy.optimize import least_squares

    rows = []
    for chain in chains:
        if chain["format"] == format:
            share = cold_share(chain["weights"], machine)
            ops_s = share * chain["cold_s"] + (1 - share) * chain["warm_s"]
            # both columns near 1, for the sake of the arithmetic
            rows.append((ops_s / chain["seconds"], MICRO * chain["layers"] / chain["seconds"]))
    shares = np.array(rows)
    slowdown, call_us = least_squares(
        lambda found: shares @ found - 1,
        (1.0, 1.0),
        bounds=(0, np.inf),
        loss="soft_l1",
        f_scale=ODD,
    ).x
    return float(slowdown), float(call_us) * MICRO


def _multiplies(op: Mapping[str, Any]) -> bool:
    return op["workload"]["family"] in WEIGHTED


def _work(op: Mapping[str, Any]) -> Workload:
    return _as_workload(op["workload"])


def _as_workload(facts: Mapping[str, Any]) -> Workload:
    return Workload(**{**facts, "place": tuple(facts["place"])})
