"""The only place that knows K, M, G and KiB, and how shapes are written.

Counts are integers in memory; they become text here, and nowhere else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from enum import StrEnum
from fractions import Fraction
from math import ceil

from dualcost.errors import UsageError

SCALES: dict[str, int] = {"1": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
UNIT_NAMES = ("auto", *SCALES)
MEBI = 2**20


class Unit(StrEnum):
    """What a quantity is given in, in memory and in JSON."""

    COUNT = "count"
    BYTES = "bytes"
    SHARE = "share"  # of one
    SECONDS = "seconds"

    def text(self, value: Fraction | float) -> str:
        """A value as people read it: "19.00 M", "48.00 MiB", "28.29 %", "-41.21 ms"."""
        sign = "-" if value < 0 else ""
        size = Fraction(-value if value < 0 else value)
        match self:
            case Unit.COUNT:
                return f"{sign}{count(int(size))}"
            case Unit.BYTES:
                return f"{sign}{memory(int(size))}"
            case Unit.SHARE:
                # none of its two decimals says nothing
                return f"{sign}{float(100 * size):.2f}".rstrip("0").rstrip(".") + " %"
            case Unit.SECONDS:
                return f"{sign}{duration(float(size))}" if size else "0 s"


# What a quantity that users write may end in, and how many of the canonical unit that is.
SUFFIXES: dict[str, tuple[Unit, int]] = {
    "": (Unit.COUNT, 1),
    **{prefix: (Unit.COUNT, scale) for prefix, scale in SCALES.items() if scale > 1},
    "B": (Unit.BYTES, 1),
    **{f"{prefix}B": (Unit.BYTES, scale) for prefix, scale in SCALES.items() if scale > 1},
    **{f"{prefix}iB": (Unit.BYTES, 1024 ** (n + 1)) for n, prefix in enumerate("KMGT")},
}
_QUANTITY = re.compile(r"(\d[\d,_]*(?:\.\d+)?(?:e\d{1,2})?)\s*([A-Za-z]*)")


def check_unit(unit: str) -> str:
    """Return `unit` if it is one of UNIT_NAMES.

    Raises:
        UsageError: it is not.
    """
    if unit not in UNIT_NAMES:
        raise UsageError(f"no unit is called {unit!r}", f"units: {', '.join(UNIT_NAMES)}")
    return unit


def count(value: int, unit: str = "auto") -> str:
    """A count with an SI prefix: `count(4089184256)` is "4.089 G", unit "1" gives "4,089,184,256".

    Four significant digits; "auto" takes the largest prefix that leaves at least one digit
    before the point, and leaves counts below 10,000 whole.
    """
    if unit == "auto":
        if abs(value) < 10_000:
            return str(value)
        unit = next(u for u in reversed(SCALES) if abs(value) >= SCALES[u])
        # 999,950 would print as "1000 K": what rounds up to the next prefix takes it
        if float(f"{value / SCALES[unit]:.4g}") >= 1000 and unit != "T":
            unit = list(SCALES)[list(SCALES).index(unit) + 1]
    if unit == "1":
        return f"{value:,}"
    scaled = value / SCALES[unit]
    # of the rounded number: 99,999 is "100.0 K"
    whole_digits = len(str(int(float(f"{abs(scaled):.4g}"))))
    return f"{scaled:,.{max(0, 4 - whole_digits)}f} {unit}"


def tick(value: float) -> str:
    """A count at a tick of an axis, without digits that say nothing: `tick(2e9)` is "2 G"."""
    prefix = next((p for p in reversed(SCALES) if abs(value) >= SCALES[p] > 1), "")
    return f"{value / SCALES[prefix]:g} {prefix}" if prefix else f"{value:g}"


def speed(macs_per_s: float) -> str:
    """How much is computed in a second, roughly: `speed(65.3e9)` is "65 GMACs/s"."""
    return f"{tick(float(f'{macs_per_s:.2g}'))}MACs/s"


def memory(nbytes: int) -> str:
    """Bytes with an IEC prefix: `memory(102228128)` is "97.49 MiB"; four significant digits."""
    scaled, prefix = float(nbytes), ""
    for prefix in ("", "Ki", "Mi", "Gi", "Ti"):
        # what rounds up to 1024 takes the next prefix
        if float(f"{scaled:.4g}") < 1024 or prefix == "Ti":
            break
        scaled /= 1024
    if not prefix:
        return f"{nbytes} B"
    whole_digits = len(str(int(float(f"{scaled:.4g}"))))
    return f"{scaled:,.{max(0, 4 - whole_digits)}f} {prefix}B"


def no_less(least: Fraction, unit: Unit = Unit.COUNT) -> str:
    """A limit in three significant digits that reads back as no less: "2.91 G", "48.0 MiB"."""
    scales = (
        {"TiB": 2**40, "GiB": 2**30, "MiB": MEBI, "KiB": 2**10, "B": 1}
        if unit is Unit.BYTES
        else {**dict(reversed([*SCALES.items()][1:])), "": 1}
    )
    suffix, scale = next((u, s) for u, s in scales.items() if least >= s or s == 1)
    before_point = len(str(int(least / scale)))
    step = Fraction(10) ** min(0, before_point - 3) if scale > 1 else Fraction(1)
    rounded = ceil(least / scale / step) * step
    decimals = max(0, 3 - before_point) if scale > 1 else 0
    return f"{float(rounded):.{decimals}f} {suffix}".strip()


def duration(seconds: float) -> str:
    """A time with its prefix: `duration(0.04121)` is "41.21 ms"; four significant digits."""
    scaled, prefix = seconds, ""
    for prefix in ("", "m", "µ", "n"):
        # what rounds up to 1000 keeps the larger prefix
        if float(f"{scaled:.4g}") >= 1 or prefix == "n":
            break
        scaled *= 1000
    whole_digits = len(str(int(float(f"{scaled:.4g}"))))
    return f"{scaled:,.{max(0, 4 - whole_digits)}f} {prefix}s"


def nanoseconds(seconds: float) -> int:
    """The nearest whole number of nanoseconds, where times are compared as integers."""
    return round(seconds * 10**9)


def milliseconds(seconds: float) -> str:
    """A time in a column of milliseconds: `milliseconds(0.04121)` is "41.210"."""
    return f"{1000 * seconds:,.3f}"


def parse_duration(text: str) -> float:
    """Read "60s", "90", "1.5m" or "500ms" into seconds.

    Raises:
        UsageError: it is not a positive time.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(ms|s|m|min|)", text.strip())
    seconds = float(match[1]) * {"ms": 1e-3, "m": 60, "min": 60}.get(match[2], 1) if match else 0
    if not seconds:
        raise UsageError(f"{text!r} is not a time", "write one such as 60s or 2m")
    return seconds


def percent(share: float) -> str:
    """A share of one as a percentage with one decimal: `percent(0.711)` is "71.1%"."""
    return f"{100 * share:.1f}%"


def size(dims: Sequence[int]) -> str:
    """A size in the terms of this field: (3, 3) is "3×3"."""
    return "×".join(str(dim) for dim in dims)


def parse_size(text: str) -> tuple[int, ...]:
    """Read "1x3x224x224", "1,3,224,224", "(1, 3, 224, 224)" or "[1, 3]"; × and * are x.

    Raises:
        UsageError: a part is not a positive integer.
    """
    plain = text.strip().lower().replace("×", "x").replace("*", "x")
    if plain[:1] + plain[-1:] in ("()", "[]"):
        plain = plain[1:-1].strip().removesuffix(",")  # of a tuple of one
    parts = [part.strip() for part in plain.split("," if "," in plain else "x")]
    dims = tuple(int(part) for part in parts if part.isdecimal())
    if len(dims) != len(parts):
        dims = ()
    if not dims or min(dims) < 1:
        raise UsageError(
            f"{text!r} is not a shape", "write positive integers joined by x, such as 1x3x224x224"
        )
    return dims


def parse_quantity(text: str) -> tuple[Fraction, Unit]:
    """Read "20M" or "48 MiB" exactly: (20000000, Unit.COUNT) or (50331648, Unit.BYTES).

    Raises:
        UsageError: it is not a positive number, or the unit is unknown.
    """
    match = _QUANTITY.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"{text!r} is not a quantity", "write a number such as 2.7G or 48MiB")
    number, suffix = match.groups()
    if suffix not in SUFFIXES:
        known = " ".join(filter(None, SUFFIXES))
        raise UsageError(f"{text!r} has the unknown unit {suffix}", f"units: {known}")
    unit, scale = SUFFIXES[suffix]
    return Fraction(number.replace(",", "").replace("_", "")) * scale, unit


def parse_percent(text: str) -> Fraction:
    """Read "5%" exactly as a share of one: 1/20.

    Raises:
        UsageError: it has another form.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*%", text.strip())
    if match is None:
        raise UsageError(f"{text!r} is not a percentage", "write one such as 5%")
    return Fraction(match[1]) / 100


PART = re.compile(r"(\d+)(?:\.\.(\d+)(?::(\d+))?)?")
FORMS = "write 1,2,4, or 1..32 (doubling: 1, 2, 4, …, 32), or 1..32:1 (in steps of 1)"


def span(text: str, name: str) -> tuple[int, ...]:
    """The values in order, each once; `name` is what they are values of, such as "--G".

    Raises:
        UsageError: the text cannot be read, a value is not positive, or there is none.
    """
    values = tuple(dict.fromkeys(n for part in text.split(",") for n in _part(part.strip(), name)))
    if not values:
        raise UsageError(f"{name} {text} is empty", f"put the smaller number first; {FORMS}")
    if min(values) < 1:
        raise UsageError(f"{name} {text} has a value that is not positive", FORMS)
    return values


def _part(text: str, name: str) -> Iterator[int]:
    found = PART.fullmatch(text)
    if not found:
        raise UsageError(f"{name} has no values {text!r}", FORMS)
    first, last, step = (int(number) if number else None for number in found.groups())
    assert first is not None
    if last is None:
        yield first
    elif step is not None:
        if not step:
            raise UsageError(f"{name} {text} has steps of 0", FORMS)
        yield from range(first, last + 1, step)
    elif not first:
        raise UsageError(f"{name} {text} doubles 0", FORMS)
    else:
        while first <= last:
            yield first
            first *= 2
