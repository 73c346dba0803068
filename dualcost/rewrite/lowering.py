"""What a rewritten network runs: a recipe's plain ops in the place of what it replaces.

A profile costs a recipe as a whole; whoever times it needs the ops that its module
(`nn/layers/recipe.py`) really calls: grouped convolutions, the addition of two maps, and what
sorts, pads or joins channels in between. A test holds them against a trace of the module, op by op.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import prod

from dualcost.kinds.grouping import INTERLEAVED, RUNS, GroupedRun
from dualcost.kinds.recipe import ConvKind, Part
from dualcost.network.network import CONVOLUTION, Network, Op
from dualcost.network.ops import OPERATORS
from dualcost.network.site import ConvSite, Size
from dualcost.rewrite.rewrite import Replacement, Rewritten


@dataclass(frozen=True)
class Executed:
    """One op that runs, and the op of the traced network in whose place it does."""

    op: Op
    index: int


def executed(what: Network | Rewritten) -> tuple[Executed, ...]:
    """The ops of a network in the order in which they run, as it is or as rewritten."""
    replacements: Sequence[Replacement] = what.replacements if isinstance(what, Rewritten) else ()
    network = what.network if isinstance(what, Rewritten) else what
    gone = {index for replacement in replacements for index in replacement.ops}
    at_end = {replacement.ops[-1]: replacement for replacement in replacements}
    ops: list[Executed] = []
    for index, op in enumerate(network.ops):
        if index in at_end:
            replacement = at_end[index]
            kind, site, divisor = replacement.kind, replacement.site, replacement.divisor
            # a recipe without a bias has one parameter less for each filter
            bias = replacement.cost.params != kind.at(site, divisor, bias=False).params
            # the module stands where the first convolution did
            path = network.ops[replacement.ops[0]].path
            for new in recipe_ops(kind, site, divisor, bias=bias, itemsize=op.itemsize):
                ops.append(Executed(replace(new, path=path), index))
        elif index not in gone:
            ops.append(Executed(op, index))
    return tuple(ops)


def recipe_ops(
    kind: ConvKind, site: ConvSite, divisor: int = 1, *, bias: bool = False, itemsize: int = 4
) -> tuple[Op, ...]:
    """The ops that the module of a kind calls on maps, in the place of a convolution.

    Raises:
        IndivisibleError: G or P does not divide M and N.
    """
    kind.check(site.M, site.N, divisor)
    recipe = _Recipe(kind, site, divisor, itemsize)
    return tuple(recipe.chain(bias) if kind.chained else recipe.sum(bias))


def convolution_op(site: ConvSite, itemsize: int = 4) -> Op:
    """A plain convolution as an op without a name for its weights."""
    return Op(
        name="convolution",
        path="",
        module="",
        group=CONVOLUTION,
        inputs=(-1,),
        in_shapes=((site.batch, site.M, *site.in_size),),
        out_shapes=((site.batch, site.N, *site.out_size),),
        macs=site.macs,
        site=site,
        operations=site.out_elements if site.bias else 0,
        itemsize=itemsize,
    )


@dataclass(frozen=True)
class _Recipe:
    """A kind in the place of a site; the steps are those of `RecipeConv2d.forward`."""

    kind: ConvKind
    site: ConvSite
    divisor: int
    itemsize: int

    def chain(self, bias: bool) -> Iterator[Op]:
        parts = self._parts()
        in_size = self.site.in_size
        for part in parts:
            last = part is parts[-1]
            stride = self.site.stride if part.spatial else (1,) * len(in_size)
            yield from self._run(part, in_size, stride, bias=bias and last)
            in_size = self.site.out_size

    def sum(self, bias: bool) -> Iterator[Op]:
        parts = self._parts()
        sorts = self.divisor > 1 and any(part.sight in INTERLEAVED for part in parts)
        if sorts:
            yield self._shuffle(self.site.M, self.site.in_size)
        first, *others = parts
        yield from self._run(first, self.site.in_size, self.site.stride, bias=bias)
        for part in others:
            in_size = self._centred()
            if in_size != self.site.in_size or self._shifted():
                seen = self._map(self.site.M, self.site.in_size), self._map(self.site.M, in_size)
                yield self._op("constant_pad_nd", (seen[0],), seen[1])
            yield from self._run(part, in_size, self.site.stride, bias=False)
            yield self._add("add_")
        if sorts:
            yield self._shuffle(self.site.N, self.site.out_size)

    def _parts(self) -> list[Part]:
        """The parts that have weights: at P = 1 nothing is left for het's 1×1."""
        site = self.site
        parts = self.kind.parts
        return [part for part in parts if part.weights(site.taps, site.M, site.N, self.divisor)]

    def _run(self, part: Part, in_size: Size, stride: Size, *, bias: bool) -> Iterator[Op]:
        """One part: the sum of its grouped convolutions."""
        for number, run in enumerate(RUNS[part.sight](self.site.M, self.divisor)):
            if not run.straight:
                yield self._joined(run, in_size)
            yield convolution_op(
                self._site(part, run, in_size, stride, bias and not number), self.itemsize
            )
            if number:
                yield self._add("add")

    def _site(
        self, part: Part, run: GroupedRun, in_size: Size, stride: Size, bias: bool
    ) -> ConvSite:
        plain = (1,) * len(in_size)
        return replace(
            self.site,
            N=self.site.M if part.per_channel else self.site.N,
            kernel=self.site.kernel if part.spatial else plain,
            stride=stride,
            padding=self.site.padding if part.spatial else (0,) * len(in_size),
            dilation=self.site.dilation if part.spatial else plain,
            groups=run.groups,
            bias=bias,
            transposed=self.site.transposed and part.spatial,
            in_size=in_size,
        )

    def _centred(self) -> Size:
        """The input's size as a 1×1 of the same stride must read it: see `_shifted`."""
        site = self.site
        if not self._shifted():
            return site.in_size
        sides = zip(site.in_size, site.out_size, site.stride, self._leads(), strict=True)
        return tuple(
            size if lead == 0 and (size - 1) // stride + 1 == out else (out - 1) * stride + 1
            for size, out, stride, lead in sides
        )

    def _shifted(self) -> bool:
        """The centre of a window does not lie where a 1×1 without padding reads."""
        site = self.site
        sides = zip(site.in_size, site.out_size, site.stride, self._leads(), strict=True)
        return any(lead or (size - 1) // stride + 1 != out for size, out, stride, lead in sides)

    def _leads(self) -> tuple[int, ...]:
        site = self.site
        sides = zip(site.kernel, site.dilation, site.padding, strict=True)
        return tuple((k - 1) // 2 * dilation - padding for k, dilation, padding in sides)

    def _map(self, channels: int, sides: Size) -> Size:
        return (self.site.batch, channels, *sides)

    def _joined(self, run: GroupedRun, in_size: Size) -> Op:
        piece = self._map(self.site.M // run.groups, in_size)
        return self._op("cat", (piece,) * run.groups, self._map(self.site.M, in_size))

    def _shuffle(self, channels: int, sides: Size) -> Op:
        whole = self._map(channels, sides)
        return self._op("channel_shuffle", (whole,), whole)

    def _add(self, name: str) -> Op:
        whole = self._map(self.site.N, self.site.out_size)
        return self._op(name, (whole, whole), whole, operations=prod(whole))

    def _op(self, name: str, read: tuple[Size, ...], written: Size, operations: int = 0) -> Op:
        return Op(
            name=name,
            path="",
            module="",
            group=OPERATORS[name.rstrip("_")].group,
            inputs=(-1,) * len(read),
            in_shapes=read,
            out_shapes=(written,),
            operations=operations,
            itemsize=self.itemsize,
        )
