"""The rows of a profile as a user asked to see them: folded, sorted, cut, always adding up."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from dualcost.costs.profile import Profile, Row, Several
from dualcost.errors import UsageError
from dualcost.latency.estimate import Timing
from dualcost.network.cost import Cost
from dualcost.network.network import CONVOLUTION, LINEAR, MATMUL
from dualcost.views.order import AMOUNTS, EXECUTION, PEAK, key, known

# groups of rows that stand for several: all in a module, all of a group (their `folded`), all that
# a cut left out
MODULE, FOLDED, MORE = SEVERAL = ("module", "folded", "more")
WHOLE = "(the network)"


def listing(
    profile: Profile, depth: int | None = None, sort: str = EXECUTION, top: int = 0
) -> tuple[Row, ...]:
    """The rows for a table; together they have its MACs, operations and parameters.

    Args:
        profile: the profile.
        depth: fold all rows below this depth of the module tree; None lists every layer that
            multiplies, and folds the others into one row per group. Rows that count nothing
            are left out, unless they have something of what is sorted by.
        sort: one of `order.SORTS`; ties stay in order of execution.
        top: keep this many rows and fold the rest into a last one; 0 keeps all.

    Raises:
        UnknownNameError: there is no such sort.
        UsageError: depth or top is negative, or layers have no such metric.
    """
    kept = [row for row in profile.rows if counts(row, sort)]
    if depth is not None:
        rows = modules(kept, depth)
    else:  # a peak is that of an op: those of a group have none in common
        rows = kept if known(sort) == PEAK.name else _by_layer(kept)
    return ordered(rows, sort, top)


def ordered(rows: Sequence[Row], sort: str = EXECUTION, top: int = 0) -> tuple[Row, ...]:
    """Sort rows, and fold all but the first `top` into a last one.

    Raises:
        UnknownNameError: there is no such sort.
        UsageError: top is negative, or layers have no such metric.
    """
    rows = sorted(rows, key=key(sort))
    if top < 0:
        raise UsageError(f"--top {top} is negative", "--top 0 shows all rows")
    if top and len(rows) > top:
        rows = [*rows[:top], more(rows[top:])]
    return tuple(rows)


def more(rows: Sequence[Row]) -> Row:
    """The row for what a cut leaves out."""
    return together("", rows, MORE)


def counts(row: Row, sort: str = EXECUTION) -> bool:
    """The row is worth a line.

    It has MACs, other operations that the convention counts, parameters, or a time; or something of
    what rows are sorted by, so that what is shown of it adds up.
    """
    timed = row.time is not None and row.time.seconds > 0
    sorted_by = AMOUNTS.get(known(sort))
    return (
        timed
        or any((cost.flops or cost.params) for cost in (row.before, row.after))
        or (sorted_by is not None and row.after != Cost() and sorted_by.of(row) != 0)
    )


def _by_layer(rows: Iterable[Row]) -> list[Row]:
    """Every row that multiplies or was replaced; the others folded by their group, at the end."""
    shown: list[Row] = []
    folded: dict[str, list[Row]] = {}
    for row in rows:
        if row.group in (CONVOLUTION, LINEAR, MATMUL) or row.replaced:
            shown.append(row)
        else:
            folded.setdefault(row.group, []).append(row)
    sums = (replace(together("", rows, FOLDED), folded=group) for group, rows in folded.items())
    return [*shown, *sums]


def modules(rows: Iterable[Row], depth: int) -> list[Row]:
    """One row for each module at a depth, and for what lies higher; each row is in one of them.

    Raises:
        UsageError: depth is negative.
    """
    if depth < 0:
        raise UsageError(f"--depth {depth} is negative", "--depth 0 folds the whole network")
    members: dict[str, list[Row]] = {}
    for row in rows:
        members.setdefault(".".join(row.path.split(".")[:depth]), []).append(row)
    return [
        inside[0] if len(inside) == 1 else together(path if depth else WHOLE, inside, MODULE)
        for path, inside in members.items()
    ]


def together(path: str, rows: Sequence[Row], group: str) -> Row:
    """One row for several, with the sum of their costs."""
    times = [row.time for row in rows if row.time is not None]
    return Row(
        path=path,
        module="",
        op="",
        group=group,
        before=sum((row.before for row in rows), Cost()),
        after=sum((row.after for row in rows), Cost()),
        becomes=Several.of(rows),
        folds=sum(row.folds for row in rows),
        ops=tuple(index for row in rows for index in row.ops),
        time=sum(times, Timing()) if times else None,
        live_bytes=max((row.live_bytes for row in rows), default=0),
    )
