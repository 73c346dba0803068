"""A span of values as users write it: "1,2,4", "1..32" (doubling) or "1..32:1" (in steps)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from dualcost.errors import UsageError

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
