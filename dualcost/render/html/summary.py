"""What stands at the top of a page: each quantity before and after, and the modules' bars."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from dualcost import units
from dualcost.costs.profile import Profile
from dualcost.views.listing import MORE
from dualcost.views.tree import Branch


@dataclass(frozen=True)
class Side:
    """One side of a quantity: its text, its exact value as text, and its share of the largest."""

    text: str
    exact: str
    share: float


@dataclass(frozen=True)
class Quantity:
    """A quantity before and after, or of the sides of a comparison.

    Attributes:
        title: what it is.
        sides: two or more; of a network that nothing was done to, one.
        changes: of each side against the first, in percent with the sign, and the tone of it.
        note: what else should be known.
    """

    title: str
    sides: tuple[Side, ...]
    changes: tuple[tuple[str, str], ...]
    note: str = ""

    @property
    def change(self) -> tuple[str, str]:
        """Of the last side."""
        return self.changes[-1]


def change(value: Any, first: Any) -> tuple[str, str]:
    """In percent with its sign, and whether that is "less" or "more"; "" twice where it is equal.

    Both are integers, or both seconds.
    """
    if value == first:
        return "", ""
    tone = "less" if value < first else "more"
    if not first:
        return "new", tone
    sign = "−" if value < first else "+"
    return f"{sign}{units.percent(abs(value / first - 1))}", tone


def count(title: str, *values: int, most: int = 0, low: str = "", note: str = "") -> Quantity:
    """A count on each side; `most` is what fills a bar, and `low` marks a lower bound."""
    sides = tuple(
        Side(low + units.count(value), f"{low}{value:,}", _share(value, most or max(values)))
        for value in values
    )
    return Quantity(title, sides, _changes(values), note)


def memory(title: str, *values: int, note: str = "") -> Quantity:
    """Bytes on each side."""
    sides = tuple(
        Side(units.memory(value), f"{value:,} bytes", _share(value, max(values)))
        for value in values
    )
    return Quantity(title, sides, _changes(values), note)


def _changes(values: Sequence[Any]) -> tuple[tuple[str, str], ...]:
    return tuple(change(value, values[0]) for value in values)


def _share(value: float, most: float) -> float:
    """Of a bar, in percent."""
    return round(100 * value / most, 3) if most else 0.0


def quantities(profile: Profile) -> tuple[Quantity, ...]:
    """The totals of a profile."""
    sides = (profile.before, profile.after)[profile.rewrite is None :]
    peaks = profile.peak[profile.rewrite is None :]
    low = "≥ " if profile.partial else ""
    flops = " → ".join(low + units.count(side.flops) for side in sides)
    found = [
        count("MACs", *(side.macs for side in sides), low=low, note=f"FLOPs {flops}"),
        count("parameters", *(side.params for side in sides)),
        memory("weights", *(side.weight_bytes for side in sides)),
        memory(
            "peak of activations",
            *(peak.nbytes for peak in peaks),
            note=" → ".join(dict.fromkeys(f"in {peak.path}" for peak in peaks)),
        ),
        memory(
            "traffic",
            *(side.traffic for side in sides),
            note=" → ".join(f"{side.intensity:.1f}" for side in sides if side.intensity is not None)
            + " FLOPs a byte",
        ),
    ]
    return (*found, *_latency(profile))


def _latency(profile: Profile) -> Iterator[Quantity]:
    predicted = profile.latency
    if predicted is None:
        return
    low = "≥ " if predicted.unpredicted else ""
    timings = (predicted.before, predicted.after)[profile.rewrite is None :]
    most = max(timing.seconds for timing in timings)
    bands = [
        f"{units.duration(timing.lower_s)} to {units.duration(timing.upper_s)}"
        for timing in timings
    ]
    yield Quantity(
        "latency, predicted",
        tuple(
            Side(
                f"{low}~{units.duration(timing.seconds)}",
                f"{low}~{units.milliseconds(timing.seconds)} ms",
                _share(timing.seconds, most),
            )
            for timing in timings
        ),
        _changes([timing.seconds for timing in timings]),
        note=" → ".join(bands),
    )


@dataclass(frozen=True)
class Bars:
    """A module: what it is called, its colour, and MACs and parameters before and after."""

    name: str
    hue: str
    quantities: tuple[Quantity, ...]


def bars(modules: Sequence[Branch], profile: Profile) -> tuple[Bars, ...]:
    """Bars of modules, all MACs to one scale, and all parameters to another."""
    from dualcost.render.html.layers import hue, label

    metrics = {"MACs": "macs", "parameters": "params"}
    most = {
        metric: max(
            getattr(cost, metric) for one in modules for cost in (one.row.before, one.row.after)
        )
        for metric in metrics.values()
    }
    found = []
    for one in modules:
        costs = (one.row.before, one.row.after)[profile.rewrite is None :]
        shown = tuple(
            count(title, *(getattr(cost, metric) for cost in costs), most=most[metric])
            for title, metric in metrics.items()
        )
        kinds = {hue(leaf) for leaf in one.leaves if leaf.row.replaced}
        name = one.path or ("the rest" if one.row.group == MORE else label(one))
        found.append(Bars(name, kinds.pop() if len(kinds) == 1 else "", shown))
    return tuple(found)
