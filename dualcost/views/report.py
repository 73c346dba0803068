"""Everything that the page about one network shows, as facts: `dualcost report`."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import Enum
from functools import cached_property

from dualcost.costs.profile import NEVER_RUN, Profile, profile
from dualcost.costs.timed import timed
from dualcost.errors import UsageError
from dualcost.latency.calibration import Calibration
from dualcost.network.cost import CONVENTIONS, Convention
from dualcost.network.network import GROUPS, UNKNOWN, Network
from dualcost.rewrite.request import Request
from dualcost.views.roofline import Roofline, roofline
from dualcost.views.substitution import Substitution, substitutions
from dualcost.views.tree import Branch, frontier, module_tree


class Counting(Enum):
    """What a convention does with a group of ops."""

    COUNTED = "counted"
    BESIDES = "besides"  # it counts other operations of theirs
    LEFT_OUT = "left out"  # they have MACs, which it does not count
    NO_MACS = "no MACs"


@dataclass(frozen=True)
class Ran:
    """The ops of one group: what they are called, how often they ran, and their MACs.

    Attributes:
        group: one of `network.GROUPS`, or `profile.NEVER_RUN` for parameters that no op reads.
        names: of the ops, with how often each ran; the most frequent first.
        times: how often they ran together.
        macs_before: multiply-accumulates as counted.
        macs_after: after the rewrite.
        counted: what the convention does with them.
        unknown: no rule counts them.
    """

    group: str
    names: tuple[tuple[str, int], ...]
    times: int
    macs_before: int
    macs_after: int
    counted: Counting
    unknown: bool


@dataclass(frozen=True)
class Report:
    """A network, as it is and as rewritten, from every side.

    Attributes:
        profile: its costs, with predicted times if there is a calibration.
        tree: the same rows by module.
        ran: every group of ops that ran, counted or not.
        roofline: its layers under the machine's peaks; None without a calibration.
    """

    profile: Profile
    tree: Branch
    ran: tuple[Ran, ...]
    roofline: Roofline | None = None

    @cached_property
    def modules(self) -> tuple[Branch, ...]:
        """The modules into which it divides at a glance."""
        return frontier(self.tree)

    @cached_property
    def substitutions(self) -> tuple[Substitution, ...]:
        """The paper's equations with its numbers put in."""
        return substitutions(self.profile)


def report(
    network: Network,
    asked: Request | None = None,
    convention: Convention = CONVENTIONS["torch"],
    calibration: Calibration | None = None,
    *,
    channels_last: bool = False,
    foreign: bool = False,
) -> Report:
    """Cost a network, and predict how long it takes if there is a calibration.

    Args:
        network: what it is about.
        asked: what is replaced in it.
        convention: what is counted.
        calibration: of the machine that it would run on.
        channels_last: the memory format of weights and images.
        foreign: nobody has compared that machine with this one.

    Raises:
        IndivisibleError: G or P does not divide some channels, and the policy is to refuse.
        UsageError: the rewrite's rule matches nothing.
    """
    counted = profile(network, asked, convention)
    if calibration is None:
        return Report(counted, module_tree(counted.rows), ran(network, counted))
    whole = timed(counted, network, calibration, channels_last=channels_last, foreign=foreign)
    before = timed(counted.unrewritten, network, calibration, channels_last=channels_last)
    tree = module_tree(whole.rows, [row.time for row in before.rows])
    try:
        placed = roofline(network, calibration, asked, channels_last=channels_last)
    except UsageError:  # no layer multiplies, or nothing is known of those that do
        placed = None
    return Report(whole, tree, ran(network, whole), placed)


def ran(network: Network, profile: Profile) -> tuple[Ran, ...]:
    """Every group of ops that ran, in the order of `network.GROUPS`; then what never ran."""
    names = {group: Counter(op.name for op in network.ops if op.group == group) for group in GROUPS}
    names[NEVER_RUN] = Counter(row.path for row in profile.rows if row.group == NEVER_RUN)
    found = []
    for group, ops in names.items():
        rows = [row for row in profile.rows if row.group == group]
        if not ops:
            continue
        flops = sum(row.before.flops + row.after.flops for row in rows)
        if group in profile.convention.groups:
            counted = Counting.COUNTED
        elif flops:
            counted = Counting.BESIDES
        elif any(op.macs for op in network.ops if op.group == group):
            counted = Counting.LEFT_OUT
        else:
            counted = Counting.NO_MACS
        found.append(
            Ran(
                group=group,
                names=tuple(ops.most_common()),
                times=0 if group == NEVER_RUN else ops.total(),
                macs_before=sum(row.before.macs for row in rows),
                macs_after=sum(row.after.macs for row in rows),
                counted=counted,
                unknown=group == UNKNOWN,
            )
        )
    return tuple(found)
