"""What a budget may limit: kept metrics, what is saved of them, and times; read and written."""

from __future__ import annotations

import re
from fractions import Fraction

from dualcost.costs.metrics import ALIASES, KEPT, METRICS, Better, Whole
from dualcost.errors import UnknownNameError, UsageError
from dualcost.units import Unit, parse_percent, parse_quantity

Value = Fraction | int | float  # counts and bytes are integers, shares exact, seconds measured

UNKNOWN_OPS = METRICS["unknown-ops"].name
# Read from two profiles: what is saved, as a share of the first.
REDUCTION = "reduction."
REDUCTIONS = tuple(f"{REDUCTION}{name}" for name in KEPT if name != UNKNOWN_OPS)
# Measured or predicted, never exact.
CPU, CUDA, ESTIMATE = "latency.cpu", "latency.cuda", "latency.estimate"
LATENCIES = (CPU, CUDA, ESTIMATE)
NAMES = (*KEPT, *REDUCTIONS, *LATENCIES)
# Those that a single layer has.
OF_LAYERS = tuple(name for name, metric in KEPT.items() if metric.adds_up)

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(s|ms|us|µs)")
_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "µs": 10**6}


def measured(whole: Whole) -> dict[str, int]:
    """Every kept metric of a network."""
    return {name: metric.of(whole) for name, metric in KEPT.items()}


def canonical(name: str) -> str:
    """A name as files have it: "peak-activations" of "peak", also after "reduction."."""
    start = REDUCTION if name.startswith(REDUCTION) else ""
    rest = name.removeprefix(REDUCTION)
    return f"{start}{ALIASES.get(rest, rest)}"


def bounded(name: str) -> bool:
    """An op that no rule counts makes this metric a bound, and no exact number."""
    name = name.removeprefix(REDUCTION)
    return name in KEPT and KEPT[name].bounded


def better(name: str) -> Better:
    """Which way a metric is better: of what is saved, more."""
    if name in KEPT:
        return KEPT[name].better
    return Better.MORE if name.startswith(REDUCTION) else Better.LESS


def unit(name: str) -> Unit:
    """What a metric is given in."""
    if name in KEPT:
        return KEPT[name].unit
    return Unit.SHARE if name.startswith(REDUCTION) else Unit.SECONDS


def check(name: str, known: tuple[str, ...] = NAMES) -> str:
    """A metric's name as files have it, if it is one of `known`.

    Raises:
        UnknownNameError: it is not.
    """
    name = canonical(name)
    if name not in known:
        look = f"metrics: {', '.join(known)}"
        raise UnknownNameError("metric", name, known, look)
    return name


def quantity(name: str, text: str | int) -> Fraction:
    """Read a limit of a metric exactly, in its canonical unit.

    Raises:
        UsageError: the text cannot be read, or its unit is missing or another metric's.
    """
    wanted = unit(name)
    if wanted is Unit.SHARE:
        return parse_percent(_text(name, text, "25 %"))
    if wanted is Unit.SECONDS:
        return _seconds(name, _text(name, text, "120 ms"))
    if wanted is Unit.BYTES:
        number, given = parse_quantity(_text(name, text, "12 MiB"))
        if given is not wanted:
            raise UsageError(
                f"{name} is in bytes, and {text!r} has no unit of bytes",
                'write "12 MiB" (KiB, MiB, GiB: powers of 1024) or "12 MB" (powers of 1000)',
            )
        return number
    number, given = parse_quantity(str(text))
    if given is not wanted:
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
    return unit(name).text(value)
