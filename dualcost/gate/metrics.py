"""What a budget may limit: each metric once, with its unit, and how users write and read it."""

from __future__ import annotations

import re
from fractions import Fraction

from dualcost.costs import metrics as constraint
from dualcost.costs.metrics import Metric
from dualcost.costs.profile import Profile
from dualcost.errors import UnknownNameError, UsageError
from dualcost.network.cost import Cost
from dualcost.units import BYTES, COUNT, count, duration, memory, parse_percent, parse_quantity

SHARE, SECONDS = "share", "seconds"
Value = Fraction | int | float  # counts and bytes are integers, shares exact, seconds measured

# Read from one profile, exactly.
METRICS: dict[str, Metric] = {
    **constraint.METRICS,
    "trainable-params": Metric(
        "trainable-params", COUNT, lambda profile: profile.after.params - profile.frozen_after
    ),
    "unknown-ops": Metric("unknown-ops", COUNT, lambda profile: sum(profile.unknown.values())),
}
# Read from two: what is saved, as a share of the first.
REDUCTION = "reduction."
REDUCTIONS = tuple(f"{REDUCTION}{name}" for name in METRICS if name != "unknown-ops")
# Measured or predicted, never exact.
CPU, CUDA, ESTIMATE = "latency.cpu", "latency.cuda", "latency.estimate"
LATENCIES = (CPU, CUDA, ESTIMATE)
NAMES = (*METRICS, *REDUCTIONS, *LATENCIES)
# Those that a single layer has.
LAYER_METRICS = ("params", "macs", "flops", "traffic", "weight-bytes")
# An op that no rule counts makes these a lower bound.
BOUNDED = ("macs", "flops")

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(s|ms|us|µs)")
_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "µs": 10**6}


def measured(profile: Profile) -> dict[str, int]:
    """Every exact metric of a profile, after its rewrite."""
    return {name: metric.of(profile) for name, metric in METRICS.items()}


def of_layer(cost: Cost, name: str) -> int:
    """One of LAYER_METRICS of a cost."""
    value: int = getattr(cost, name.replace("-", "_"))
    return value


def bounded(name: str) -> bool:
    """An op that no rule counts makes this metric a bound, and no exact number."""
    return name.removeprefix(REDUCTION) in BOUNDED


def dimension(name: str) -> str:
    """What a metric is given in: COUNT, BYTES, SHARE or SECONDS."""
    if name in METRICS:
        return METRICS[name].dimension
    return SHARE if name.startswith(REDUCTION) else SECONDS


def check(name: str, known: tuple[str, ...] = NAMES) -> str:
    """Return a metric's name if it is one of `known`.

    Raises:
        UnknownNameError: it is not.
    """
    if name not in known:
        look = f"metrics: {', '.join(known)}"
        raise UnknownNameError("metric", name, known, look)
    return name


def quantity(name: str, text: str | int) -> Fraction:
    """Read a limit of a metric exactly, in its canonical unit.

    Raises:
        UsageError: the text cannot be read, or its unit is missing or another metric's.
    """
    found = dimension(name)
    if found == SHARE:
        return parse_percent(_text(name, text, "25 %"))
    if found == SECONDS:
        return _seconds(name, _text(name, text, "120 ms"))
    if found == BYTES:
        words = _text(name, text, "12 MiB")
        number, unit = parse_quantity(words)
        if unit != BYTES:
            raise UsageError(
                f"{name} is in bytes, and {text!r} has no unit of bytes",
                'write "12 MiB" (KiB, MiB, GiB: powers of 1024) or "12 MB" (powers of 1000)',
            )
        return number
    number, unit = parse_quantity(str(text))
    if unit != COUNT:
        raise UsageError(
            f"{name} is a count, and {text!r} is a number of bytes", 'write "19 M" (K, M, G, T)'
        )
    return number


def _text(name: str, text: str | int, example: str) -> str:
    if isinstance(text, int):
        raise UsageError(f"{name} = {text} has no unit", f'write one such as "{example}"')
    return text


def _seconds(name: str, text: str) -> Fraction:
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise UsageError(
            f"{name}: {text!r} is not a time with a unit", 'write "120 ms" (s, ms, us)'
        )
    return Fraction(match[1]) / _PER_SECOND[match[2]]


def said(name: str, value: Value) -> str:
    """A value of a metric as people read it."""
    return shown(dimension(name), value)


def shown(unit: str, value: Value) -> str:
    """A value in COUNT, BYTES, SHARE or SECONDS as people read it: a minus before what is below."""
    sign = "-" if value < 0 else ""
    size = Fraction(-value if value < 0 else value)
    if unit == SHARE:
        return f"{sign}{_percent(size)}"
    if unit == SECONDS:
        return f"{sign}{duration(float(size))}" if size else "0 s"
    whole = int(size)
    return f"{sign}{memory(whole) if unit == BYTES else count(whole)}"


def _percent(share: Fraction) -> str:
    """Two decimals at most, and none that say nothing: "25 %", "28.29 %"."""
    return f"{float(100 * share):.2f}".rstrip("0").rstrip(".") + " %"
