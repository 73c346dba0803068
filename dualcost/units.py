"""The only place that knows K, M, G and KiB, and how shapes are written.

Counts are integers in memory; they become text here, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Sequence

from dualcost.errors import UsageError

SCALES: dict[str, int] = {"1": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
UNIT_NAMES = ("auto", *SCALES)


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


def percent(share: float) -> str:
    """A share of one as a percentage with one decimal: `percent(0.711)` is "71.1%"."""
    return f"{100 * share:.1f}%"


def size(dims: Sequence[int]) -> str:
    """A size in the terms of this field: (3, 3) is "3×3"."""
    return "×".join(str(dim) for dim in dims)


def parse_size(text: str) -> tuple[int, ...]:
    """Read "1x3x224x224" (or with × or *) into (1, 3, 224, 224).

    Raises:
        UsageError: a part is not a positive integer.
    """
    parts = text.strip().lower().replace("×", "x").replace("*", "x").split("x")
    dims = tuple(int(part) for part in parts if part.isdecimal())
    if len(dims) != len(parts):
        dims = ()
    if not dims or min(dims) < 1:
        raise UsageError(
            f"{text!r} is not a shape", "write positive integers joined by x, such as 1x3x224x224"
        )
    return dims
