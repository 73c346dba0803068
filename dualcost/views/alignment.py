"""The layers of several networks beside each other: the same, renamed, missing, or whole blocks.

Layers stand in one line if they have the same path and do the same. Of the others those that come
in the same order and have the same sizes do: they were renamed. What is left has no partner. Where
one side has a single layer in the place of a block, the layers of that block on the other sides are
taken together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from dualcost.costs.metrics import ALIASES, BY_LAYER, METRICS, Metric, metric
from dualcost.errors import UnknownNameError, UsageError
from dualcost.network.cost import ratio
from dualcost.views.side import LAYERS, Contender, Layer, merged


@dataclass(frozen=True)
class Line:
    """One layer on each side, None where a side has none."""

    layers: tuple[Layer | None, ...]

    @property
    def first(self) -> Layer:
        """The layer of the first side that has it."""
        return next(layer for layer in self.layers if layer is not None)

    @property
    def path(self) -> str:
        """Its name on the first side that has it; the group, for what is added up."""
        if self.first.group in LAYERS:
            return self.first.path or "(root)"
        return f"({self.first.group})"

    @property
    def renamed(self) -> str:
        """Another name that it has on another side; "" if there is none."""
        names = [layer.path for layer in self.layers if layer is not None]
        return next((name for name in names if name != names[0]), "")

    def values(self, metric: Metric) -> tuple[int | None, ...]:
        """One of the metrics BY_LAYER on each side."""
        return tuple(None if layer is None else metric.of_cost(layer.cost) for layer in self.layers)

    @property
    def changed(self) -> bool:
        """Some side has it not, or it has another kind or cost there."""
        facts = {layer and (layer.kind, layer.cost) for layer in self.layers}
        return len(facts) > 1

    def difference(self, metric: Metric) -> int:
        """The largest difference to the first side; what a side has not, costs nothing."""
        first, *others = (value or 0 for value in self.values(metric))
        return max((other - first for other in others), key=abs)


@dataclass(frozen=True)
class Alignment:
    """Two or more contenders, and their layers in lines."""

    contenders: tuple[Contender, ...]
    lines: tuple[Line, ...]

    def total(self, metric: Metric) -> tuple[int, ...]:
        """One of the metrics OF_NETWORKS of each of them."""
        return tuple(metric.of(one.whole) for one in self.contenders)


def align(contenders: Sequence[Contender]) -> Alignment:
    """Put the layers of two or more contenders beside each other.

    Raises:
        UsageError: there is only one, or they were not counted in the same way.
    """
    if len(contenders) < 2:
        raise UsageError("there is nothing to compare with", "name two or more")
    conventions = {one.convention for one in contenders}
    if len(conventions) > 1:
        raise UsageError(
            f"they were counted in different ways: {', '.join(sorted(conventions))}",
            "give the convention of the report: --convention NAME",
        )
    homes = {layer.path for one in contenders for layer in one.layers if layer.block}
    sides = [_with_blocks(one.layers, homes) for one in contenders]
    lines = [(layer,) for layer in sides[0]]
    rows: list[tuple[Layer | None, ...]] = [*lines]
    for side in sides[1:]:
        rows = _joined(rows, side)
    return Alignment(tuple(contenders), tuple(map(Line, rows)))


def _with_blocks(layers: Sequence[Layer], homes: set[str]) -> list[Layer]:
    """The layers, with those that lie below one of these paths taken together."""
    members: dict[str, list[Layer]] = {}
    for layer in layers:
        members.setdefault(_home(layer.path, homes), []).append(layer)
    found: list[Layer] = []
    for layer in layers:
        home = _home(layer.path, homes)
        of_home = members[home] if home else [layer]
        if len(of_home) == 1:
            found.append(layer)
        elif of_home[0] is layer:
            found.append(merged(home, layer.group, of_home))
    return found


def _home(path: str, homes: set[str]) -> str:
    """The innermost of these paths at or above a path; "" if there is none."""
    while path and path not in homes:
        path = path.rpartition(".")[0]
    return path


def _named(layers: Sequence[Layer]) -> list[Hashable]:
    """What a layer is called: its path and group, and the how many-eth it is of that name."""
    seen: Counter[tuple[str, str]] = Counter()
    names: list[Hashable] = []
    for layer in layers:
        name = (layer.path, layer.group)
        names.append((*name, seen[name]))
        seen[name] += 1
    return names


# How layers without a partner of their name find one in order: by all sizes, then by fewer.
LIKE: tuple[Callable[[Layer], Hashable], ...] = (
    lambda layer: (layer.group, layer.M, layer.N, layer.kernel, layer.out_size),
    lambda layer: (layer.group, layer.M, layer.N, layer.kernel),
)


def _joined(
    rows: Sequence[tuple[Layer | None, ...]], side: Sequence[Layer]
) -> list[tuple[Layer | None, ...]]:
    """The rows with one more side; what only that side has stands after what it follows there."""
    known = [Line(row).first for row in rows]
    partner = _partners(known, side)
    row_of = {there: here for here, there in partner.items()}
    width = len(rows[0]) if rows else 0
    blank: tuple[None, ...] = (None,) * width
    after: dict[int, list[tuple[Layer | None, ...]]] = {}
    last = -1
    for index, layer in enumerate(side):
        if index in row_of:
            last = row_of[index]
        else:
            after.setdefault(last, []).append((*blank, layer))
    found = [*after.get(-1, [])]
    for index, row in enumerate(rows):
        found.append((*row, side[partner[index]] if index in partner else None))
        found += after.get(index, [])
    return found


def _partners(known: Sequence[Layer], side: Sequence[Layer]) -> dict[int, int]:
    """Index of a layer → index of its partner on the other side."""
    there = {name: index for index, name in enumerate(_named(side))}
    partner = {index: there[name] for index, name in enumerate(_named(known)) if name in there}
    for like in LIKE:
        ours = [i for i in range(len(known)) if i not in partner]
        taken = set(partner.values())
        theirs = [i for i in range(len(side)) if i not in taken]
        matcher = SequenceMatcher(
            None, [like(known[i]) for i in ours], [like(side[i]) for i in theirs], autojunk=False
        )
        for a, b, size in matcher.get_matching_blocks():
            partner.update(zip(ours[a : a + size], theirs[b : b + size], strict=True))
    return partner


def _most_different(metric: Metric) -> Callable[[Line], int]:
    return lambda line: -abs(line.difference(metric))


SORTS: dict[str, Callable[[Line], Any]] = {
    "order": lambda line: 0,
    **{name: _most_different(metric) for name, metric in BY_LAYER.items()},
    "path": lambda line: line.path,
}


def known(sort: str) -> str:
    """The name of an order, which may be given by an alias of a metric.

    Raises:
        UnknownNameError: there is no such order.
        UsageError: it is a metric that is not compared layer by layer.
    """
    name = ALIASES.get(sort, sort)
    if name in SORTS:
        return name
    if name in METRICS:
        raise UsageError(
            f"{name} is not compared layer by layer: lines cannot be sorted by it",
            f"orders: {', '.join(SORTS)}",
        )
    raise UnknownNameError("order of lines", sort, SORTS, f"orders: {', '.join(SORTS)}")


def compared(sides: int, sort: str = "order", by: str | None = None) -> tuple[Metric, ...]:
    """The metrics that lines show: what was named, else what lines are sorted by and the usual.

    Args:
        sides: how many networks are compared; there is room for two metrics of two.
        sort: an order.
        by: the metric that was named, or None.

    Raises:
        UnknownNameError: there is no such metric, or no such order.
        UsageError: it is not compared layer by layer.
    """
    room = 2 if sides == 2 else 1
    own = [name] if (name := known(sort)) in BY_LAYER else []
    names = dict.fromkeys([by, *own] if by else [*own, "macs", "params"])
    return tuple(metric(name, BY_LAYER, "metric of layers") for name in [*names][:room])


def shown(
    alignment: Alignment,
    sort: str = "order",
    top: int = 0,
    changed: bool = False,
    metrics: Iterable[Metric] = tuple(BY_LAYER.values()),
) -> tuple[Line, ...]:
    """The lines as a user asked to see them.

    Args:
        alignment: all lines.
        sort: "order", "path", or a metric or its alias: the largest difference first.
        top: how many; 0 for all.
        changed: leave out what is the same everywhere.
        metrics: leave out what costs nothing in any of these.

    Raises:
        UnknownNameError: there is no such order.
        UsageError: top is negative, or it is not compared layer by layer.
    """
    sort = known(sort)
    if top < 0:
        raise UsageError(f"--top {top} is negative", "--top 0 shows all lines")
    lines = [
        line
        for line in alignment.lines
        if (line.changed or not changed) and any(any(line.values(metric)) for metric in metrics)
    ]
    lines.sort(key=SORTS[sort])
    return tuple(lines[:top] if top else lines)


def change(value: int | None, first: int | None) -> float | None:
    """What is more (or, negative, less) than on the first side, as a share of it."""
    left = ratio(value or 0, first or 0)
    return None if left is None else left - 1
