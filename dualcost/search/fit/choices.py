"""What each site of a network can become, and what that changes: exact numbers that add up.

A network is cut into groups of sites that become one thing together, so that what a group becomes
changes the same MACs, parameters and bytes whatever the others become. Sites are in one group if
they share a parameter (also by way of a third layer), if they overlap, or if they run in one module
and a rule cannot tell them apart by their paths.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from dualcost.costs.profile import Profile, Row, profile
from dualcost.errors import UsageError
from dualcost.kinds.choice import Choice
from dualcost.network.cost import CONVENTIONS, Convention, Cost
from dualcost.network.network import Network
from dualcost.rewrite.exemption import Exemption
from dualcost.rewrite.request import Bias, Indivisible, Policy, Request
from dualcost.rewrite.rewrite import Rewritten, candidates, computes_weight, rewrite
from dualcost.rewrite.rule import Candidate, Rule, Term


@dataclass(frozen=True)
class Site:
    """A convolution or block that a rule accepts, and the ops that it stands for."""

    candidate: Candidate
    ops: tuple[int, ...]

    @property
    def path(self) -> str:
        """The module that it runs in."""
        return self.candidate.path


@dataclass(frozen=True)
class Group:
    """Sites that become one thing together.

    Attributes:
        sites: in order of execution.
        ops: all ops that a choice may change the cost of.
        changes: what each choice that all sites can take adds to the network's cost, mostly less
            than nothing.
    """

    sites: tuple[Site, ...]
    ops: frozenset[int]
    changes: Mapping[Choice, Cost]

    @property
    def paths(self) -> tuple[str, ...]:
        """The modules of its sites, each once."""
        return tuple(dict.fromkeys(site.path for site in self.sites))


@dataclass(frozen=True)
class Choices:
    """A network, its groups, and what they can become.

    Attributes:
        network: as it is.
        rule: which sites are asked about.
        bias: as in a rewrite.
        convention: what is counted.
        groups: in order of execution of their first sites.
        base: the network as it is.
        rewritten: the network with one choice at all sites that can take it.
    """

    network: Network
    rule: Rule
    bias: Bias
    convention: Convention
    groups: tuple[Group, ...]
    base: Profile
    rewritten: Mapping[Choice, Rewritten] = field(repr=False)

    def plan(self, picked: Sequence[Choice | None]) -> Request | None:
        """The rewrite that makes of each group what was picked (None: it stays).

        The choice of most sites is the rewrite's own, and the others are exceptions by path. None
        if all groups stay.
        """
        taken: dict[Choice, list[Group]] = {}
        for group, choice in zip(self.groups, picked, strict=True):
            if choice is not None:
                taken.setdefault(choice, []).append(group)
        if not taken:
            return None
        # of equally many sites the first in the network
        usual = max(taken, key=lambda choice: sum(len(group.sites) for group in taken[choice]))
        exemptions = tuple(
            _exemption(path, choice)
            for group, choice in zip(self.groups, picked, strict=True)
            if choice != usual
            for path in group.paths
        )
        return Request(usual.kind, usual.divisor, self.rule, bias=self.bias, exemptions=exemptions)


def _exemption(path: str, choice: Choice | None) -> Exemption:
    rule = Rule((_only(path),))
    if choice is None:
        return Exemption(rule, None)
    return Exemption(rule, choice.divisor, choice.kind.letter, choice.kind)


def _only(path: str) -> Term:
    """The term of a rule that holds for a path; the root has an empty one."""
    return Term("path", "=", (_pattern(path),)) if path else Term("path", "!=", ("?*",))


def _pattern(path: str) -> str:
    """A glob for a path. What the text of a rule has no place for is any character."""
    escaped = (f"[{c}]" if c in "*?[" else "?" if c in ",:" or c.isspace() else c for c in path)
    return "".join(escaped)


def choices(
    network: Network,
    offered: Iterable[Choice],
    rule: Rule,
    bias: Bias = Bias.KEEP,
    convention: Convention = CONVENTIONS["torch"],
) -> Choices:
    """Cost every choice at every site that a rule accepts and whose channels it divides.

    Raises:
        UsageError: the rule accepts no site, or no choice fits any.
    """
    sites = [
        Site(candidate, ops)
        for candidate, ops in candidates(network, rule)
        if rule.refusal(candidate) is None and not computes_weight(network, ops)
    ]
    members = _joined(network, sites)
    base = profile(network, None, convention)
    rewritten: dict[Choice, Rewritten] = {}
    changes: list[dict[Choice, Cost]] = [{} for _ in members]
    for choice in offered:
        asked = Request(choice.kind, choice.divisor, rule, Indivisible(Policy.KEEP), bias)
        done = rewrite(network, asked)
        if not done.replacements:
            continue
        rewritten[choice] = done
        gone = {index for one in done.replacements for index in one.ops}
        by_op = _by_first_op(profile(network, asked, convention).rows)
        for (group, ops), known in zip(members, changes, strict=True):
            # an indivisible one, or one that overlaps what is replaced, keeps some of its ops
            if all(gone & set(site.ops) for site in group):
                known[choice] = sum((by_op.get(index, Cost()) for index in ops), Cost())
    if not rewritten:
        raise _nothing(network, rule, bool(sites))
    return Choices(
        network,
        rule,
        bias,
        convention,
        tuple(
            Group(tuple(group), ops, known)
            for (group, ops), known in zip(members, changes, strict=True)
        ),
        base,
        rewritten,
    )


def _by_first_op(rows: Iterable[Row]) -> dict[int, Cost]:
    """What a rewrite adds to the cost of each row, by the first op that the row stands for."""
    return {row.ops[0]: _difference(row.after, row.before) for row in rows if row.ops}


def _difference(after: Cost, before: Cost) -> Cost:
    pairs = zip(astuple(after), astuple(before), strict=True)
    return Cost(*(one - other for one, other in pairs))


def _nothing(network: Network, rule: Rule, any_site: bool) -> UsageError:
    if any_site:
        return UsageError(
            f"none of the kinds, with none of the G or P, fits a site of {network.name}",
            "name others by --conv, --G and --P",
        )
    blocks = sorted({block.kind for block in network.blocks})
    hint = "another --where may; `dualcost profile … --sites` lists every site"
    if blocks and not rule.wants_blocks:
        hint = f"this network has blocks: try --where {' or --where '.join(blocks)}"
    return UsageError(f"nothing in {network.name} matches “{rule}”", hint)


def _joined(network: Network, sites: Sequence[Site]) -> list[tuple[list[Site], frozenset[int]]]:
    """The groups of sites, each with the ops whose cost may change with it."""
    union = _Union()
    for index, op in enumerate(network.ops):
        for name in op.parameters:
            union.join(("op", index), ("parameter", name))
    for site in sites:
        for index in site.ops:
            union.join(("op", site.ops[0]), ("op", index))
        for other in sites:
            if fnmatchcase(other.path, _pattern(site.path)):
                union.join(("op", site.ops[0]), ("op", other.ops[0]))
    ops: dict[Hashable, list[int]] = {}
    for index in range(len(network.ops)):
        ops.setdefault(union.root(("op", index)), []).append(index)
    groups: dict[Hashable, list[Site]] = {}
    for site in sites:
        groups.setdefault(union.root(("op", site.ops[0])), []).append(site)
    return [(group, frozenset(ops[root])) for root, group in groups.items()]


class _Union:
    """What belongs together, directly or by way of others (union-find)."""

    def __init__(self) -> None:
        self._parent: dict[Any, Any] = {}

    def root(self, one: Hashable) -> Hashable:
        """What stands for all that belong together."""
        while (parent := self._parent.get(one, one)) != one:
            self._parent[one] = self._parent.get(parent, parent)
            one = parent
        return one

    def join(self, one: Hashable, other: Hashable) -> None:
        """Say that two belong together."""
        self._parent[self.root(one)] = self.root(other)
