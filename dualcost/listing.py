"""The rows of a profile as a user asked to see them: folded, sorted, cut, always adding up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from dualcost.cost import Cost
from dualcost.errors import UnknownNameError, UsageError
from dualcost.estimate import Timing
from dualcost.profiles import NEVER_RUN, Profile, Row
from dualcost.site import CONVOLUTION, LINEAR, MATMUL

FOLDED = "folded"  # the group of a row that stands for several
SORTS: dict[str, Callable[[Row], Any]] = {
    "order": lambda row: 0,
    "macs": lambda row: -row.after.macs,
    "params": lambda row: -row.after.params,
    "saved": lambda row: row.after.macs - row.before.macs,
    "path": lambda row: row.path,
}


def listing(
    profile: Profile, depth: int | None = None, sort: str = "order", top: int = 0
) -> tuple[Row, ...]:
    """The rows for a table; together they have its MACs, operations and parameters.

    Args:
        profile: the profile.
        depth: fold all rows below this depth of the module tree; None lists every layer that
            multiplies, and folds the others into one row per group. Rows that count nothing
            are left out.
        sort: one of SORTS; ties stay in order of execution.
        top: keep this many rows and fold the rest into a last one; 0 keeps all.

    Raises:
        UnknownNameError: there is no such sort.
        UsageError: depth or top is negative.
    """
    if (depth or 0) < 0:
        raise UsageError(f"--depth {depth} is negative", "--depth 0 folds the whole network")
    rows = _by_layer(profile.rows) if depth is None else _by_module(profile.rows, depth)
    return ordered(rows, sort, top)


def ordered(rows: Sequence[Row], sort: str = "order", top: int = 0) -> tuple[Row, ...]:
    """Sort rows, and fold all but the first `top` into a last one.

    Raises:
        UnknownNameError: there is no such sort.
        UsageError: top is negative.
    """
    if sort not in SORTS:
        raise UnknownNameError("order of rows", sort, SORTS, f"orders: {', '.join(SORTS)}")
    if top < 0:
        raise UsageError(f"--top {top} is negative", "--top 0 shows all rows")
    rows = sorted(rows, key=SORTS[sort])
    if top and len(rows) > top:
        rows = [*rows[:top], folded(f"and {_rows(rows[top:])} more", rows[top:])]
    return tuple(rows)


def _rows(rows: Sequence[Row]) -> int:
    """How many layers some rows stand for."""
    return sum(row.folds for row in rows)


def _counts(row: Row) -> bool:
    """It has MACs, other operations that the convention counts, parameters, or a time."""
    timed = row.time is not None and row.time.seconds > 0
    return timed or any((cost.flops or cost.params) for cost in (row.before, row.after))


def _by_layer(rows: Iterable[Row]) -> list[Row]:
    """Every row that multiplies or was replaced; the others folded by their group, at the end."""
    shown: list[Row] = []
    others: dict[str, list[Row]] = {}
    for row in rows:
        if row.group in (CONVOLUTION, LINEAR, MATMUL) or row.replaced:
            shown.append(row)
        elif _counts(row):
            others.setdefault(row.group, []).append(row)
    for group, members in others.items():
        what = f"parameter{'s' * (len(members) > 1)} never run" if group == NEVER_RUN else group
        shown.append(folded(f"{len(members)} × {what}", members))
    return shown


def _by_module(rows: Iterable[Row], depth: int) -> list[Row]:
    modules: dict[str, list[Row]] = {}
    for row in rows:
        if _counts(row):
            modules.setdefault(".".join(row.path.split(".")[:depth]), []).append(row)
    return [
        members[0] if len(members) == 1 else folded(path or "(the network)", members)
        for path, members in modules.items()
    ]


def folded(path: str, rows: Sequence[Row]) -> Row:
    """One row for several, with the sum of their costs and times."""
    replaced = {row.becomes for row in rows if row.replaced}
    count = sum(row.replaced for row in rows)
    times = [row.time for row in rows if row.time is not None]
    return Row(
        path=path,
        module="",
        op="",
        group=FOLDED,
        before=sum((row.before for row in rows), Cost()),
        after=sum((row.after for row in rows), Cost()),
        becomes=f"{count} × {', '.join(sorted(replaced))}" if replaced else "",
        folds=_rows(rows),
        ops=tuple(index for row in rows for index in row.ops),
        time=sum(times, Timing()) if times else None,
    )
