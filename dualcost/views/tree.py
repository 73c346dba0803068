"""The rows of a profile as the tree of modules that they ran in; a branch is the sum of its twigs.

What does not multiply is one leaf for each module and group ("3 × activation"), and what costs
nothing at all, such as a view, is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from dualcost.costs.profile import Row
from dualcost.latency.estimate import Timing
from dualcost.network.cost import PRODUCTS, Cost
from dualcost.views.listing import MODULE, together


@dataclass(frozen=True)
class Branch:
    """A module with what ran in it, or a layer.

    Attributes:
        path: the module; "" for the whole network.
        name: what tells it from its siblings: the last part of its path, or "(add)" for an op that
            a module with others in it runs itself.
        row: the layer, or the sum of the layers.
        before: how long it is predicted to take before the rewrite; None where nobody asked.
        twigs: the modules and layers in it, in order of execution; none in a layer.
    """

    path: str
    name: str
    row: Row
    before: Timing | None = None
    twigs: tuple[Branch, ...] = ()

    @property
    def leaf(self) -> bool:
        """It is a layer."""
        return not self.twigs

    def walk(self, parent: int = -1, first: int = 0) -> Iterator[tuple[int, Branch]]:
        """Every branch below this one, a module before its twigs: index of its module, branch.

        Indices count from `first`; those directly below this one have `parent`.
        """
        index = first
        for twig in self.twigs:
            yield parent, twig
            here, index = index, index + 1
            for found in twig.walk(here, index):
                yield found
                index += 1

    @property
    def leaves(self) -> tuple[Branch, ...]:
        """The layers in it, in order of execution; itself, if it is one."""
        if self.leaf:
            return (self,)
        return tuple(leaf for twig in self.twigs for leaf in twig.leaves)


def module_tree(rows: Sequence[Row], before: Sequence[Timing | None] = ()) -> Branch:
    """The tree of all rows that cost anything.

    Args:
        rows: of a profile.
        before: the time of each before the rewrite, if it was predicted.
    """
    times = before or [None] * len(rows)
    leaves = [
        Branch(row.path, "", row, time)
        for row, time in zip(rows, times, strict=True)
        if _costs(row, time)
    ]
    return _module("", leaves, 0)


def _costs(row: Row, before: Timing | None) -> bool:
    """It has a cost, or takes time; views have neither."""
    timed = any(time is not None and time.seconds > 0 for time in (before, row.time))
    return timed or row.before != Cost() or row.after != Cost()


def _module(path: str, leaves: Sequence[Branch], depth: int) -> Branch:
    """A module whose path has `depth` parts, with leaves in it or below it."""
    groups: dict[tuple[str, ...], list[Branch]] = {}
    for number, leaf in enumerate(leaves):
        parts = leaf.path.split(".") if leaf.path else []
        key: tuple[str, ...]
        if len(parts) > depth:
            key = ("below", parts[depth])
        elif leaf.row.group in PRODUCTS or leaf.row.replaced:
            key = ("own", str(number))
        else:
            key = ("own", leaf.row.group, leaf.row.becomes)
        groups.setdefault(key, []).append(leaf)
    twigs = []
    for (where, name, *_), members in groups.items():
        if where == "own":
            leaf = _together(members)
            twigs.append(replace(leaf, name=_named(leaf.row)))
            continue
        module = _module(f"{path}.{name}" if path else name, members, depth + 1)
        only = module.twigs[0]
        # a module that runs one op is that layer
        alone = len(module.twigs) == 1 and only.leaf and only.path == module.path
        twigs.append(replace(only if alone else module, name=name))
    row = together(path, [leaf.row for leaf in leaves], MODULE)
    return Branch(path, path, row, _sum(leaf.before for leaf in leaves), tuple(twigs))


def _named(row: Row) -> str:
    """An op that its module runs itself."""
    if row.replaced:
        return f"({row.becomes})"
    return f"({row.folds} × {row.group})" if row.folds > 1 else f"({row.op or row.group})"


def _together(leaves: Sequence[Branch]) -> Branch:
    """Leaves of one module and group as one."""
    if len(leaves) == 1:
        return leaves[0]
    rows = [leaf.row for leaf in leaves]
    whole = together(rows[0].path, rows, MODULE)
    names = ", ".join(dict.fromkeys(row.op for row in rows))
    row = replace(
        whole, module=rows[0].module, op=names, group=rows[0].group, becomes=rows[0].becomes
    )
    return Branch(row.path, "", row, _sum(leaf.before for leaf in leaves))


def _sum(times: Iterator[Timing | None]) -> Timing | None:
    known = [time for time in times if time is not None]
    return sum(known, Timing()) if known else None


def frontier(tree: Branch, least: int = 6, most: int = 24) -> tuple[Branch, ...]:
    """The modules into which a network divides at a glance, in order; together they are all of it.

    The largest module is opened until at least so many have multiply-accumulates; what is beyond
    `most`, or has none, is taken together as the last.
    """
    shown = list(tree.twigs)
    while sum(_large(one) for one in shown) < least:
        closed = [one for one in shown if not one.leaf and _large(one)]
        if not closed:
            break
        largest = max(closed, key=lambda one: one.row.before.macs)
        at = shown.index(largest)
        shown[at : at + 1] = largest.twigs
    ranked = sorted(filter(_large, shown), key=lambda one: -one.row.before.macs)
    kept = {id(one) for one in ranked[:most]}
    rest = [one for one in shown if id(one) not in kept]
    found = [one for one in shown if id(one) in kept]
    if any(one.row.before != Cost() or one.row.after != Cost() for one in rest):
        row = together("", [one.row for one in rest], MODULE)
        found.append(Branch("", "the rest", row, _sum(one.before for one in rest)))
    return tuple(found)


def _large(branch: Branch) -> bool:
    return bool(branch.row.before.macs or branch.row.after.macs)
