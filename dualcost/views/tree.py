"""The rows of a profile as the tree of modules that they ran in; a branch is the sum of its twigs.

`module_tree` is the whole tree, `outline` what of it a terminal has lines for, and `frontier` the
modules that tell it at a glance. Nothing is left out of them, and nothing counts twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from dualcost.costs.profile import Profile, Row
from dualcost.errors import UsageError
from dualcost.latency.estimate import Timing
from dualcost.network.cost import PRODUCTS, Cost
from dualcost.views.listing import (
    FOLDED,
    MODULE,
    MORE,
    WHOLE,
    counts,
    listing,
    more,
    ordered,
    together,
)
from dualcost.views.order import EXECUTION, key

LINES = 30  # more than these are folded where nobody says how
OWN = "(itself)"  # what a module runs or owns outside of the modules in it


@dataclass(frozen=True)
class Branch:
    """A module with what ran in it, or a layer.

    Attributes:
        path: the module; "" for the whole network.
        name: the last part of its path; "" for an op that a module with others in it runs itself,
            and for what a cut left out.
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
    """The tree of all rows that cost anything; views, such as a transposition, do not.

    What does not multiply is one leaf for each module and group, such as its three activations.

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
    return _module("", "", leaves, 0)


def _costs(row: Row, before: Timing | None) -> bool:
    """It has a cost, or takes time; views have neither."""
    timed = any(time is not None and time.seconds > 0 for time in (before, row.time))
    return timed or row.before != Cost() or row.after != Cost()


def _module(path: str, name: str, leaves: Sequence[Branch], depth: int) -> Branch:
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
            key = ("own", leaf.row.group, str(leaf.row.becomes or ""))
        groups.setdefault(key, []).append(leaf)
    twigs = tuple(
        _module(f"{path}.{part}" if path else part, part, members, depth + 1)
        if where == "below"
        else _own(members)
        for (where, part, *_), members in groups.items()
    )
    if depth and len(twigs) == 1 and twigs[0].leaf and twigs[0].path == path:
        return replace(twigs[0], name=name)  # a module that runs one op is that layer
    row = together(path, [leaf.row for leaf in leaves], MODULE)
    return Branch(path, name, row, _sum(leaf.before for leaf in leaves), twigs)


def _own(leaves: Sequence[Branch]) -> Branch:
    """What a module runs itself of one group, as a leaf."""
    row = leaves[0].row
    if len(leaves) > 1:
        rows = [leaf.row for leaf in leaves]
        row = replace(
            together(row.path, rows, MODULE),
            module=row.module,
            op=", ".join(dict.fromkeys(row.op for row in rows)),
            group=row.group,
            becomes=row.becomes,
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
        row = more([one.row for one in rest])
        found.append(Branch("", "", row, _sum(one.before for one in rest)))
    return tuple(found)


def _large(branch: Branch) -> bool:
    return bool(branch.row.before.macs or branch.row.after.macs)


@dataclass(frozen=True)
class Entry:
    """A line of an outline.

    Attributes:
        name: what it is called below its parent; "" where it folds a group or what a cut left out.
        row: what it costs: a layer, or the sum of all that is folded into it.
        ends: for each level from the second to its own, whether it is within the last of that
            level; empty on the left.
        open: the entries one level deeper that follow add up to it.
    """

    name: str
    row: Row
    ends: tuple[bool, ...] = ()
    open: bool = False


@dataclass(frozen=True)
class Outline:
    """The lines of a table: layers, or modules with their sums and what lies in each.

    Attributes:
        entries: the lines; those on the left add up to the network.
        depth: modules are folded at this depth; None: every line is a layer, or a rest of them.
        chosen: nobody said so: there would have been too many lines.
        sort: by what the lines are sorted, and of what their shares are.
    """

    entries: tuple[Entry, ...]
    depth: int | None = None
    chosen: bool = False
    sort: str = EXECUTION


def outline(
    profile: Profile, depth: int | None = None, sort: str = EXECUTION, top: int | None = None
) -> Outline:
    """The lines that a user wants; where nobody says which, as many as are easily read.

    Args:
        profile: the profile.
        depth: a tree of modules down to this depth; `sort` and `top` hold within each of them.
        sort: one of `order.SORTS`.
        top: keep this many lines and fold the rest into a last one; 0 keeps all. None: all with
            a depth; else all layers if they are no more than LINES, or modules as deep as LINES
            allow, or the first LINES layers of those that were sorted.

    Raises:
        UnknownNameError: there is no such sort.
        UsageError: depth or top is negative, or layers have no such metric.
    """
    if (depth or 0) < 0:
        raise UsageError(f"--depth {depth} is negative", "--depth 0 folds the whole network")
    layers = listing(profile, None, sort, top or 0)
    if depth is None and (top is not None or len(layers) <= LINES):
        return Outline(_flat(layers), sort=sort)
    if depth is None and sort != EXECUTION:
        return Outline(_flat(ordered(layers, sort, LINES)), chosen=True, sort=sort)
    tree = module_tree([row for row in profile.rows if counts(row, sort)])
    if depth is not None:
        return Outline(folded(tree, depth, sort, top or 0), depth, sort=sort)
    fitting, entries = 1, folded(tree, 1, top=LINES)
    while (deeper := folded(tree, fitting + 1)) != entries and len(deeper) <= LINES:
        fitting, entries = fitting + 1, deeper
    return Outline(entries, fitting, chosen=True)


def folded(tree: Branch, depth: int, sort: str = EXECUTION, top: int = 0) -> tuple[Entry, ...]:
    """Modules with their sums, each followed by what lies in it, down to a depth.

    What a module runs itself is one line, and a module in which there is only one other shares
    its line.
    """
    if depth == 0:
        return (Entry(WHOLE, replace(tree.row, path=WHOLE)),)
    return tuple(_entries(_level(tree, depth, sort, top)))


def _flat(rows: Sequence[Row]) -> tuple[Entry, ...]:
    return tuple(
        Entry("" if row.group in (FOLDED, MORE) else row.path or "(root)", row) for row in rows
    )


def _entries(level: Sequence[Branch], inside: tuple[bool, ...] | None = None) -> Iterator[Entry]:
    for branch in level:
        ends = () if inside is None else (*inside, branch is level[-1])
        yield Entry(branch.name, branch.row, ends, not branch.leaf)
        yield from _entries(branch.twigs, ends)


def _level(module: Branch, depth: int, sort: str, top: int) -> tuple[Branch, ...]:
    """What lies directly in a module, each to a depth below it."""
    members: dict[str, list[Branch]] = {}
    for twig in module.twigs:
        members.setdefault(OWN if twig.path == module.path else twig.name, []).append(twig)
    level = [
        _itself(inner) if name == OWN else _closed(inner[0], depth - 1, sort, top)
        for name, inner in members.items()
    ]
    by = key(sort)
    level.sort(key=lambda branch: by(branch.row))
    if top and len(level) > top:
        level = [*level[:top], Branch("", "", more([branch.row for branch in level[top:]]))]
    return tuple(level)


def _itself(leaves: Sequence[Branch]) -> Branch:
    """What a module runs itself, as one leaf."""
    first = leaves[0]
    if len(leaves) == 1 and first.row.folds == 1:
        return replace(first, name=OWN)
    return Branch(first.path, OWN, together(first.path, [leaf.row for leaf in leaves], MODULE))


def _closed(branch: Branch, depth: int, sort: str, top: int) -> Branch:
    """A branch as a level shows it: open where there are several things in it, and depth left."""
    if branch.row.folds == 1:
        while not branch.leaf:
            (only,) = branch.twigs
            branch = replace(only, name=f"{branch.name}.{only.name}")
        return branch
    if depth <= 0 or len({leaf.path for leaf in branch.leaves}) == 1:
        row = together(branch.path, [branch.row], MODULE) if branch.leaf else branch.row
        return Branch(branch.path, branch.name, row)
    level = _level(branch, depth, sort, top)
    if len(level) == 1:
        (only,) = level
        return replace(only, name=f"{branch.name}.{only.name}")
    return replace(branch, twigs=level)
