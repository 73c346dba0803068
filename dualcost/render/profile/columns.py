"""Each column once: what a row says under it, as text for people and as a value for machines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from dualcost import units
from dualcost.costs.metrics import ADDED, METRICS, Metric
from dualcost.costs.profile import NEVER_RUN, Profile, Row
from dualcost.network.cost import Cost, ratio
from dualcost.render.rewrite import becomes, why
from dualcost.rewrite.decision import Outcome
from dualcost.views.listing import FOLDED, MODULE, MORE, SEVERAL
from dualcost.views.order import EXECUTION, PEAK, TIME, Amount, amount

Value = int | float | str | bool | None


@dataclass(frozen=True)
class Column:
    """A column for people.

    Attributes:
        title: its heading.
        text: (profile, row, unit) → what stands in it.
        number: it is aligned to the right.
        apart: what its entries are aligned on; "": on their ends.
        leaves: where there is too little room, the highest number leaves first; 0 stays.
        only: the profiles in which it says something; None: all.
        part: the part of the whole that a bar beside it shows; None: no bar.
        sums: what is listed adds up in it. Of traffic, ops that count nothing have a part too.
        metric: what it shows of a row as rewritten; None: something else.
    """

    title: str
    text: Callable[[Profile, Row, str], str]
    number: bool = True
    apart: str = ""
    leaves: int = 0
    only: Callable[[Profile], bool] | None = None
    part: Callable[[Profile, Row], float | None] | None = None
    sums: bool = True
    metric: Metric | None = None


def place(row: Row) -> str:
    """The path of a row; of a fold or a rest, how many it stands for."""
    if row.group == MORE:
        return f"and {row.folds} more"
    if row.group != FOLDED:
        return row.path
    parameters = f"parameter{'s' * (row.folds > 1)} never run"
    return f"{row.folds} × {parameters if row.folded == NEVER_RUN else row.folded}"


def _kind(profile: Profile, row: Row, unit: str) -> str:
    if row.group in SEVERAL:
        return becomes(row.becomes) or (f"{row.folds} layers" if row.group == MODULE else "")
    kind = str(row.kind or row.group)
    return f"{kind}→{row.choice.kind.name}" if row.choice else kind


def _groups(profile: Profile, row: Row, unit: str) -> str:
    return str(row.divisor) if row.divisor and row.divisor > 1 else ""


def _channels(profile: Profile, row: Row, unit: str) -> str:
    return f"{row.M}→{row.N}" if row.M is not None else ""


def _kernel(profile: Profile, row: Row, unit: str) -> str:
    if row.site is None:
        return ""
    stride = set(row.site.stride)
    shown = str(stride.pop()) if len(stride) == 1 else units.size(row.site.stride)
    return units.size(row.site.kernel) + (f"/{shown}" if shown != "1" else "")


def _out(profile: Profile, row: Row, unit: str) -> str:
    if row.site is None:
        return ""
    sides = row.site.out_size
    return f"{sides[0]}²" if len(sides) == 2 and sides[0] == sides[1] else units.size(sides)


def _percent(
    part: Callable[[Profile, Row], float | None],
) -> Callable[[Profile, Row, str], str]:
    def text(profile: Profile, row: Row, unit: str) -> str:
        return units.percent(value) if (value := part(profile, row)) else ""

    return text


def _ratio(profile: Profile, row: Row, unit: str) -> str:
    return f"{row.ratio:.3f}" if row.ratio is not None else ""


def _rewritten(profile: Profile) -> bool:
    return profile.rewrite is not None


def _counts_operations(profile: Profile) -> bool:
    return profile.convention.operations is not None


def _milliseconds(profile: Profile, row: Row, unit: str) -> str:
    return units.milliseconds(row.time.seconds) if row.time and row.time.seconds else ""


def _live(profile: Profile, row: Row, unit: str) -> str:
    return PEAK.unit.text(row.live_bytes) if row.live_bytes else ""


def _saved(profile: Profile, row: Row, unit: str) -> str:
    return units.count(row.before.macs - row.after.macs, unit)


def _bound(profile: Profile, row: Row, unit: str) -> str:
    return row.time.bound if row.time else ""


def _timed(profile: Profile) -> bool:
    return profile.latency is not None


def _text(metric: Metric, cost: Cost, unit: str) -> str:
    """A count in the unit that was asked for."""
    value = metric.of_cost(cost)
    counted = metric.unit is units.Unit.COUNT
    return units.count(value, unit) if counted else metric.unit.text(value)


def _before(metric: Metric) -> Callable[[Profile, Row, str], str]:
    return lambda profile, row, unit: _text(metric, row.before, unit)


def _after(metric: Metric, **words: Any) -> Column:
    """The column of a metric after the rewrite, if there is one."""
    return Column(
        metric.title,
        lambda profile, row, unit: _text(metric, row.after, unit),
        apart=" ",
        metric=metric,
        **words,
    )


COLUMNS: tuple[Column, ...] = (
    Column("layer", lambda p, row, u: place(row) or "(root)", number=False),
    Column("kind", _kind, number=False),
    Column("M→N", _channels, apart="→", leaves=3),
    Column("K/s", _kernel, apart="/", leaves=2),
    Column("groups", _groups, leaves=5),
    Column("out", _out, leaves=4),
    Column(
        "MACs before",
        _before(METRICS["macs"]),
        apart=" ",
        leaves=7,
        only=_rewritten,
    ),
    _after(METRICS["macs"]),
    _after(METRICS["operations"], only=_counts_operations),
    Column(
        "params before",
        _before(METRICS["params"]),
        apart=" ",
        leaves=8,
        only=_rewritten,
    ),
    _after(METRICS["params"], leaves=1),
    _after(METRICS["traffic"], leaves=6, sums=False),
    Column("ratio", _ratio, only=_rewritten),
    Column("~ms", _milliseconds, only=_timed, metric=TIME),
    Column("bound", _bound, number=False, only=_timed),
)


def columns(profile: Profile, sort: str = EXECUTION) -> tuple[Column, ...]:
    """The columns that say something about this profile, sorted like this.

    What it is sorted by has a column, which stays where there is little room, and shares with bars.
    """
    shown = [column for column in COLUMNS if column.only is None or column.only(profile)]
    measured = amount(profile, sort)
    metrics = [column.metric for column in shown]
    counted = metrics.index(METRICS["traffic"])  # the last of the costs
    if measured.saved or measured.metric not in metrics:
        own = counted + 1
        shown.insert(own, _own(measured))
    else:
        own = metrics.index(measured.metric)
        shown[own] = replace(shown[own], leaves=0, sums=True)
    shown.insert(max(own, counted) + 1, _share(measured))
    if profile.rewrite is None:
        return tuple(shown)
    return tuple(
        replace(one, title=f"{one.title} after") if one.metric is not None else one for one in shown
    )


def _own(measured: Amount) -> Column:
    """The column of what rows are sorted by, where no other shows it."""
    if measured.saved:
        return Column("MACs saved", _saved, apart=" ")
    if measured.metric is PEAK:
        return Column("live", _live, apart=" ")
    return _after(measured.metric)


def _share(measured: Amount) -> Column:
    """The shares of it, with bars."""
    title = {TIME: "time"}.get(measured.metric, measured.metric.title)
    title = "of saved" if measured.saved else f"of {title}"
    return Column(title, _percent(measured.share), part=measured.share)


def _size(name: str) -> Callable[[Row], Value]:
    return lambda row: "x".join(map(str, getattr(row.site, name))) if row.site else None


def _of_side(metric: Metric, side: str) -> Callable[[Row], Value]:
    return lambda row: metric.of_cost(row.before if side == "before" else row.after)


# The fields of a row for machines, in order: CSV columns, and the keys of a row in JSON.
FIELDS: dict[str, Callable[[Row], Value]] = {
    "path": place,
    "module": lambda row: row.module,
    "op": lambda row: row.op,
    "group": lambda row: row.group,
    "kind": lambda row: str(row.kind or ""),
    "becomes": lambda row: becomes(row.becomes),
    "M": lambda row: row.M,
    "N": lambda row: row.N,
    "kernel": _size("kernel"),
    "stride": _size("stride"),
    "padding": _size("padding"),
    "dilation": _size("dilation"),
    "groups": lambda row: row.site.groups if row.site else None,
    "transposed": lambda row: row.site.transposed if row.site else None,
    "bias": lambda row: row.site.bias if row.site else None,
    "divisor": lambda row: row.divisor if row.replaced else None,
    "out_size": _size("out_size"),
    **{
        f"{metric.key}_{side}": _of_side(metric, side)
        for metric in ADDED.values()
        if metric.stored
        for side in ("before", "after")
    },
    "intensity_before": lambda row: row.before.intensity,
    "intensity_after": lambda row: row.after.intensity,
    "macs_ratio": lambda row: ratio(row.after.macs, row.before.macs),
    "params_ratio": lambda row: ratio(row.after.params, row.before.params),
    "note": lambda row: why(Outcome.REPLACED, row.reason),
}


def _timing(name: str) -> Callable[[Row], Value]:
    return lambda row: getattr(row.time, name) if row.time else None


# The same for rows with a predicted time, in seconds; they come after FIELDS.
TIME_FIELDS: dict[str, Callable[[Row], Value]] = {
    "latency_s": _timing("seconds"),
    "latency_lower_s": _timing("lower_s"),
    "latency_upper_s": _timing("upper_s"),
    "roofline_s": _timing("roofline_s"),
    "bound": _timing("bound"),
}


def fields(timed: bool) -> dict[str, Callable[[Row], Value]]:
    """The fields of the rows of a profile, with predicted times or without."""
    return {**FIELDS, **TIME_FIELDS} if timed else FIELDS
