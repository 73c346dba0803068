"""Network × rewrite × convention → Profile: rows, and totals that the rows add up to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Self

from dualcost.costs.dearer import Dearer, Replaced, dearer
from dualcost.costs.memory import live, peak
from dualcost.costs.metrics import Whole
from dualcost.kinds.choice import Choice
from dualcost.kinds.kinds import GROUP, STANDARD
from dualcost.latency.estimate import Prediction, Timing
from dualcost.network.cost import CONVENTIONS, Convention, Cost, ratio
from dualcost.network.form import Form
from dualcost.network.network import (
    CONVOLUTION,
    LINEAR,
    MATMUL,
    NORM,
    UNKNOWN,
    Network,
    Op,
    Parameter,
    TensorSpec,
)
from dualcost.network.site import ConvSite
from dualcost.rewrite.decision import Decision, Reason
from dualcost.rewrite.request import Request
from dualcost.rewrite.rewrite import Replacement, Rewritten, rewrite

NEVER_RUN = "never run"
REST = "rest"
# What totals are given for; every other group of ops is part of the rest.
TOTALLED = (CONVOLUTION, LINEAR, MATMUL, NORM, REST)


@dataclass(frozen=True)
class Removed:
    """What a row becomes that leaves with the block around it."""

    def __str__(self) -> str:
        return "removed"


REMOVED = Removed()


@dataclass(frozen=True)
class Several:
    """What the sites become for which a row stands that sums up others.

    Attributes:
        sites: how many are replaced.
        choices: what they become, each once, in the order of their text.
    """

    sites: int
    choices: tuple[Choice, ...]

    @classmethod
    def of(cls, rows: Iterable[Row]) -> Several | None:
        """What becomes of the sites of some rows; None if they all stay."""
        sites = 0
        choices: set[Choice] = set()
        for row in rows:
            match row.becomes:
                case Choice():
                    sites += 1
                    choices.add(row.becomes)
                case Several():
                    sites += row.becomes.sites
                    choices.update(row.becomes.choices)
        return cls(sites, tuple(sorted(choices, key=str))) if sites else None


Becomes = Choice | Several | Removed


@dataclass(frozen=True)
class Row:
    """One layer: an executed op, or a block that was replaced as a whole.

    Attributes:
        path: the module it ran in; of a parameter that never ran, its name.
        module: the type of that module.
        op: the op as torch calls it; of a block, its kind.
        group: what it is (`network.GROUPS`), or NEVER_RUN.
        kind: the kind of convolution or block before; None if it is neither.
        becomes: what replaces it, or REMOVED; None if it stays.
        site: sizes of the convolution (of the one that stands for a block).
        M: input channels or features.
        N: output channels or features.
        divisor: groups before; G or P after, if it was replaced.
        out_shape: the shape of the result, with the batch.
        before: cost as traced.
        after: cost as rewritten; equal to `before` where it stays.
        reason: why it is not replaced by the request's own kind, G or P; None where it is.
        folds: how many rows it stands for (listing.py folds rows).
        folded: the group of all that it stands for, where it folds a group.
        ops: the indices of the traced ops that it stands for.
        time: how long it is predicted to take after the rewrite; None where nobody asked.
        live_bytes: the most activations that live while it runs, after the rewrite.
    """

    path: str
    module: str
    op: str
    group: str
    before: Cost
    after: Cost
    kind: Form | None = None
    becomes: Becomes | None = None
    site: ConvSite | None = None
    M: int | None = None
    N: int | None = None
    divisor: int | None = None
    out_shape: tuple[int, ...] = ()
    reason: Reason | None = None
    folds: int = 1
    folded: str = ""
    ops: tuple[int, ...] = ()
    time: Timing | None = None
    live_bytes: int = 0

    @property
    def replaced(self) -> bool:
        """The rewrite replaced it."""
        return isinstance(self.becomes, Choice | Several)

    @property
    def choice(self) -> Choice | None:
        """What replaces it; None if it stays, leaves, or sums up others."""
        return self.becomes if isinstance(self.becomes, Choice) else None

    @property
    def total(self) -> str:
        """The total that it adds to: one of TOTALLED."""
        return self.group if self.group in TOTALLED else REST

    @property
    def ratio(self) -> float | None:
        """What is left of its MACs, or of its parameters if it has none; None: nothing changed."""
        if self.before == self.after:
            return None
        metric = "macs" if self.before.macs else "params"
        return ratio(getattr(self.after, metric), getattr(self.before, metric))


@dataclass(frozen=True)
class PeakAt:
    """The most bytes of activations that live at once, and the layer during which they do."""

    nbytes: int
    path: str


@dataclass(frozen=True)
class Profile:
    """What a network costs, before and after a rewrite.

    Attributes:
        network: its name.
        inputs: what it was traced with.
        convention: what is counted.
        rows: the layers in order of execution, then the parameters that never ran.
        rewrite: what was replaced by what; None: the network as it is.
        decisions: what became of each candidate of the rewrite's rule.
        unknown: ops that no rule counts, with how often they ran: totals are lower bounds then.
        peak: the most activations that live at once, before and after the rewrite.
        frozen: parameters that are not trainable.
        frozen_after: those of them that are left after the rewrite, whose own are trainable.
        buffers: the network's buffers, which are no parameters.
        notes: what was assumed to trace it.
        versions: of the libraries that traced it.
        latency: how long it is predicted to take (`latency.py`); None where nobody asked.
        dearer: the sites whose replacement costs more than they did; None: there is none.
    """

    network: str
    inputs: tuple[TensorSpec, ...]
    convention: Convention
    rows: tuple[Row, ...]
    rewrite: Request | None = None
    decisions: tuple[Decision, ...] = ()
    unknown: dict[str, int] = field(default_factory=dict)
    peak: tuple[PeakAt, PeakAt] = (PeakAt(0, ""), PeakAt(0, ""))
    frozen: int = 0
    frozen_after: int = 0
    buffers: tuple[Parameter, ...] = ()
    notes: tuple[str, ...] = ()
    versions: dict[str, str] = field(default_factory=dict)
    latency: Prediction | None = None
    dearer: Dearer | None = None

    @cached_property
    def before(self) -> Cost:
        """The whole network as it is."""
        return _sum(row.before for row in self.rows)

    @cached_property
    def after(self) -> Cost:
        """The whole network as rewritten; `before`, if nothing was."""
        return _sum(row.after for row in self.rows)

    @cached_property
    def whole_before(self) -> Whole:
        """The network as it is, with what only a whole network has: metrics are read from it."""
        return self._whole(0, self.before, self.frozen)

    @cached_property
    def whole_after(self) -> Whole:
        """The same as rewritten."""
        return self._whole(1, self.after, self.frozen_after)

    def _whole(self, side: int, cost: Cost, frozen: int) -> Whole:
        times = (self.latency.before, self.latency.after) if self.latency else None
        return Whole(
            cost,
            peak_bytes=self.peak[side].nbytes,
            frozen=frozen,
            unknown_ops=sum(self.unknown.values()),
            seconds=times[side].seconds if times else None,
        )

    @cached_property
    def totals(self) -> dict[str, tuple[Cost, Cost]]:
        """Before and after for each of TOTALLED that the network has."""
        return {
            name: (_sum(row.before for row in rows), _sum(row.after for row in rows))
            for name in TOTALLED
            if (rows := [row for row in self.rows if row.total == name])
        }

    @property
    def partial(self) -> bool:
        """An op ran that no rule counts: MACs are a lower bound."""
        return bool(self.unknown)

    @property
    def replaced(self) -> int:
        """How many sites were replaced."""
        return sum(row.replaced for row in self.rows)

    @property
    def unrewritten(self) -> Self:
        """The same network without its rewrite: its layers, or all of a replaced block in one."""
        return replace(
            self,
            rows=tuple(replace(row, after=row.before, becomes=None) for row in self.rows),
            rewrite=None,
            decisions=(),
            dearer=None,
            peak=(self.peak[0], self.peak[0]),
            frozen_after=self.frozen,
        )

    def ratio(self, metric: str) -> float | None:
        """What is left of "macs", "params" or "traffic"; None where there was none."""
        return ratio(getattr(self.after, metric), getattr(self.before, metric))


def profile(
    network: Network,
    asked: Request | None = None,
    convention: Convention = CONVENTIONS["torch"],
) -> Profile:
    """Cost every layer of a network, as it is and as the rewrite makes it.

    Raises:
        IndivisibleError: G or P does not divide some channels, and the policy is to refuse.
        UsageError: the rewrite's rule matches nothing.
    """
    rewritten = rewrite(network, asked).checked() if asked else None
    replacements = rewritten.replacements if rewritten else ()
    rows = tuple(_rows(network, replacements, convention))
    return Profile(
        network=network.name,
        inputs=network.inputs,
        convention=convention,
        rows=(*rows, *_never_run(network)),
        rewrite=asked,
        decisions=rewritten.decisions if rewritten else (),
        unknown=dict(Counter(op.name for op in network.ops if op.group == UNKNOWN)),
        peak=(_peak_at(network, ()), _peak_at(network, replacements)),
        frozen=_frozen(network, ()),
        frozen_after=_frozen(network, replacements),
        buffers=network.buffers,
        notes=network.notes,
        versions=network.versions,
        dearer=_dearer(rewritten, rows) if rewritten else None,
    )


def _dearer(rewritten: Rewritten, rows: Sequence[Row]) -> Dearer | None:
    """Each site with all rows of it: what leaves with a block is a part of what it cost."""
    row_of = {row.ops[0]: row for row in rows}
    replaced = []
    decided = (decision.candidate for decision in rewritten.decisions if decision.replaced)
    for candidate, replacement in zip(decided, rewritten.replacements, strict=True):
        own = [row_of[index] for index in replacement.ops if index in row_of]
        before, after = _sum(row.before for row in own), _sum(row.after for row in own)
        replaced.append(Replaced(candidate, before, after))
    return dearer(replaced, rewritten.request.rule)


def _peak_at(network: Network, replacements: Sequence[Replacement]) -> PeakAt:
    found = peak(network, replacements)
    op = network.ops[found.op] if network.ops else None
    return PeakAt(found.nbytes, op.path or op.name if op else "")


def _frozen(network: Network, replacements: Sequence[Replacement]) -> int:
    """Elements that are not trainable, without those that only replaced ops read."""
    gone = {index for replacement in replacements for index in replacement.ops}
    frozen = (parameter for parameter in network.parameters if not parameter.trainable)
    return sum(p.numel for p in frozen if not (users := network.users[p.name]) or set(users) - gone)


def _sum(costs: Iterable[Cost]) -> Cost:
    return sum(costs, Cost())


def _rows(
    network: Network, replacements: Sequence[Replacement], convention: Convention
) -> Iterator[Row]:
    """The layers in order; what is replaced stands at its last op."""
    gone = frozenset(index for replacement in replacements for index in replacement.ops)
    before = _costs(network, convention, frozenset())
    after = _costs(network, convention, gone)
    in_order = sorted(replacements, key=lambda replacement: replacement.ops[-1])
    costed = zip(in_order, replaced_costs(network, in_order, convention), strict=True)
    living = live(network, replacements)
    at_end = {replacement.ops[-1]: (replacement, cost) for replacement, cost in costed}
    for index, op in enumerate(network.ops):
        if index in at_end:
            yield from _replaced_rows(network, *at_end[index], before, living[index])
        elif index not in gone:
            yield _kept_row(op, index, before[index], after[index], living[index])


def _costs(network: Network, convention: Convention, gone: frozenset[int]) -> list[Cost]:
    """The cost of each op, its parameters at the first of those not `gone` that read them.

    So a module that runs twice costs its MACs twice and its parameters once, and a weight that is
    shared between a replaced and a kept layer stays.
    """
    owned: list[list[Parameter]] = [[] for _ in network.ops]
    for parameter in network.parameters:
        users = [index for index in network.users[parameter.name] if index not in gone]
        if users:
            owned[users[0]].append(parameter)
    return [
        Cost(
            macs=op.macs if op.group in convention.groups else 0,
            params=sum(parameter.numel for parameter in parameters),
            traffic=network.traffic(op),
            operations=convention.operations(op) if convention.operations else 0,
            weight_bytes=sum(parameter.nbytes for parameter in parameters),
            activation_bytes=op.allocated,
        )
        for op, parameters in zip(network.ops, owned, strict=True)
    ]


def replaced_costs(
    network: Network, replacements: Iterable[Replacement], convention: Convention
) -> Iterator[Cost]:
    """What each replaced site costs, in order of execution; a module that runs twice is built once.

    With the other rows of a profile these add up to the network.
    """
    itemsizes = {parameter.name: parameter.itemsize for parameter in network.parameters}
    built: set[tuple[str, ...]] = set()
    for replacement in replacements:
        recipe, op = replacement.cost, network.ops[replacement.ops[-1]]
        scratch = replacement.kind.scratch(replacement.site, replacement.divisor)
        weights = tuple(name for i in replacement.ops for name in network.ops[i].parameters)
        params = 0 if weights in built else recipe.params
        built.add(weights)
        yield Cost(
            macs=recipe.macs if CONVOLUTION in convention.groups else 0,
            params=params,
            traffic=recipe.traffic * op.itemsize,
            operations=recipe.operations if convention.recipes else 0,
            weight_bytes=params * itemsizes[op.parameters[0]],
            activation_bytes=op.allocated + scratch * op.itemsize,
        )


def _kept_row(op: Op, index: int, before: Cost, after: Cost, live_bytes: int) -> Row:
    site = op.site
    M, N = op.channels
    return Row(
        path=op.path,
        module=op.module,
        op=op.name,
        group=op.group,
        before=before,
        after=after,
        kind=_form(site) if site else None,
        site=site,
        M=M,
        N=N,
        divisor=site.groups if site else None,
        out_shape=op.out_shapes[0] if op.out_shapes else (),
        ops=(index,),
        live_bytes=live_bytes,
    )


def _form(site: ConvSite) -> Form:
    """What a traced convolution is, in the field's terms."""
    if site.depthwise:
        return Form("depthwise", transposed=site.transposed)
    if site.groups > 1:
        return Form(GROUP.name, GROUP.letter, site.groups, site.transposed)
    return Form("pointwise" if site.pointwise else STANDARD.name, transposed=site.transposed)


def _replaced_rows(
    network: Network,
    replacement: Replacement,
    after: Cost,
    costs: Sequence[Cost],
    live_bytes: int,
) -> Iterator[Row]:
    """The convolution that stands for the replaced ones, then what else left with a block."""
    groups: dict[str, list[int]] = {}
    for index in replacement.ops:
        groups.setdefault(network.ops[index].group, []).append(index)
    site = replacement.site
    last = network.ops[replacement.ops[-1]]
    convolutions = groups.pop(CONVOLUTION)
    yield Row(
        path=replacement.path,
        module=replacement.module,
        op=last.name,
        group=CONVOLUTION,
        before=_sum(costs[index] for index in convolutions),
        after=after,
        kind=Form(replacement.block) if replacement.block else _form(site),
        becomes=Choice(replacement.kind, replacement.divisor),
        site=site,
        M=site.M,
        N=site.N,
        divisor=replacement.divisor,
        out_shape=last.out_shapes[0],
        reason=replacement.reason,
        ops=tuple(convolutions),
        live_bytes=live_bytes,
    )
    for group, indices in groups.items():
        yield Row(
            path=replacement.path,
            module=replacement.module,
            op=", ".join(sorted({network.ops[index].name for index in indices})),
            group=group,
            before=_sum(costs[index] for index in indices),
            after=Cost(),
            becomes=REMOVED,
            ops=tuple(indices),
        )


def _never_run(network: Network) -> Iterator[Row]:
    for parameter in network.parameters:
        if not network.users[parameter.name]:
            cost = Cost(params=parameter.numel, weight_bytes=parameter.nbytes)
            yield Row(parameter.name, "", "", NEVER_RUN, before=cost, after=cost)
