"""A profile as the lines of a table: layers, or modules with their sums and what lies in each.

What stands directly below an open module adds up to it, and what stands on the left adds up to
the network: nothing is left out, and nothing counts twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dualcost.costs.profile import Profile, Row
from dualcost.errors import UsageError
from dualcost.views.listing import MODULE, SORTS, WHOLE, counts, listing, more, ordered, together

LINES = 30  # more than these are folded where nobody says how
OWN = "(itself)"  # what a module runs or owns outside of the modules in it


@dataclass(frozen=True)
class Entry:
    """A line of an outline.

    Attributes:
        name: what it is called below its parent.
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
    """The lines of a table.

    Attributes:
        entries: the lines.
        depth: modules are folded at this depth; None: every line is a layer, or a rest of them.
        chosen: nobody said so: there would have been too many lines.
    """

    entries: tuple[Entry, ...]
    depth: int | None = None
    chosen: bool = False


def outline(
    profile: Profile, depth: int | None = None, sort: str = "order", top: int | None = None
) -> Outline:
    """The lines as they were asked for; without a word about that, as many as are easily read.

    Args:
        profile: the profile.
        depth: a tree of modules down to this depth; `sort` and `top` hold within each of them.
        sort: one of `listing.SORTS`.
        top: keep this many lines and fold the rest into a last one; 0 keeps all. None: all with
            a depth; else all layers if they are no more than LINES, or modules as deep as LINES
            allow, or the first LINES layers of those that were sorted.

    Raises:
        UnknownNameError: there is no such sort.
        UsageError: depth or top is negative.
    """
    if (depth or 0) < 0:
        raise UsageError(f"--depth {depth} is negative", "--depth 0 folds the whole network")
    layers = listing(profile, None, sort, top or 0)
    if depth is not None:
        return Outline(tree(profile.rows, depth, sort, top or 0), depth)
    if top is not None or len(layers) <= LINES:
        return Outline(_flat(layers))
    if sort != "order":
        return Outline(_flat(ordered(layers, sort, LINES)), chosen=True)
    fitting, entries = 1, tree(profile.rows, 1, top=LINES)
    while (deeper := tree(profile.rows, fitting + 1)) != entries and len(deeper) <= LINES:
        fitting, entries = fitting + 1, deeper
    return Outline(entries, fitting, chosen=True)


def tree(rows: Sequence[Row], depth: int, sort: str = "order", top: int = 0) -> tuple[Entry, ...]:
    """Modules with their sums, each followed by what lies in it, down to a depth.

    A module in which there is only one other shares its line.
    """
    counted = [row for row in rows if counts(row)]
    if depth == 0:
        return (Entry(WHOLE, together(WHOLE, counted, MODULE)),)
    return tuple(_lines(_level(counted, (), depth, sort, top), ()))


@dataclass(frozen=True)
class _Node:
    """A module, or a layer, and what is shown of what lies in it."""

    name: str
    row: Row
    inner: tuple[_Node, ...] = ()


def _flat(rows: Sequence[Row]) -> tuple[Entry, ...]:
    return tuple(Entry(row.path or "(root)", row) for row in rows)


def _lines(nodes: Sequence[_Node], ends: tuple[bool, ...], top: bool = True) -> Iterator[Entry]:
    for node in nodes:
        own = () if top else (*ends, node is nodes[-1])
        yield Entry(node.name, node.row, own, bool(node.inner))
        yield from _lines(node.inner, own, top=False)


def _level(
    rows: Sequence[Row], inside: tuple[str, ...], depth: int, sort: str, top: int
) -> tuple[_Node, ...]:
    """What lies directly in the module `inside`, whose rows these are."""
    members: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        members.setdefault(_parts(row)[: len(inside) + 1], []).append(row)
    nodes = [_node(of, path, inside, depth, sort, top) for path, of in members.items()]
    nodes.sort(key=lambda node: SORTS[sort](node.row))
    if top and len(nodes) > top:
        rest = more([node.row for node in nodes[top:]])
        nodes = [*nodes[:top], _Node(rest.path, rest)]
    return tuple(nodes)


def _node(
    rows: Sequence[Row],
    path: tuple[str, ...],
    inside: tuple[str, ...],
    depth: int,
    sort: str,
    top: int,
) -> _Node:
    name = ".".join(path[len(inside) :])
    if len(rows) == 1:
        (row,) = rows
        return _Node(".".join(_parts(row)[len(inside) :]) or OWN, row)
    row = together(".".join(path), rows, MODULE)
    if not name:
        return _Node(OWN, row)
    if len(path) >= depth or len({one.path for one in rows}) == 1:
        return _Node(name, row)
    inner = _level(rows, path, depth, sort, top)
    if len(inner) == 1:
        (only,) = inner
        return _Node(f"{name}.{only.name}", only.row, only.inner)
    return _Node(name, row, inner)


def _parts(row: Row) -> tuple[str, ...]:
    return tuple(row.path.split(".")) if row.path else ()
