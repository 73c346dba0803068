"""Hand-made networks, small and plain, that a test can count by hand; and rewrites of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise
from math import prod
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

from dualcost.kinds.kinds import KINDS
from dualcost.network.cost import Cost
from dualcost.network.network import (
    ACTIVATION,
    CONVOLUTION,
    GROUPS,
    LINEAR,
    NORM,
    Block,
    Network,
    Op,
    Parameter,
    TensorSpec,
)
from dualcost.network.site import ConvSite
from dualcost.rewrite.request import Request
from dualcost.rewrite.rewrite import Rewritten

# Shared machines pause now and then: time says nothing about a property.
quickly = settings(deadline=None, max_examples=50)

SIDE = 8  # of the maps that `site` makes unless it is told otherwise


def site(
    M: int,
    N: int,
    K: int = 3,
    side: int = 8,
    *,
    kernel: tuple[int, ...] = (),
    stride: int = 1,
    dilation: int = 1,
    groups: int = 1,
    bias: bool = False,
    transposed: bool = False,
    batch: int = 1,
) -> ConvSite:
    """A "same"-padded convolution of a side×side map; `kernel` is for one that is not K×K."""
    kernel = kernel or (K, K)
    dims = len(kernel)
    out_side = side * stride if transposed else -(-side // stride)
    return ConvSite(
        M=M,
        N=N,
        kernel=kernel,
        stride=(stride,) * dims,
        padding=tuple(k // 2 for k in kernel),
        dilation=(dilation,) * dims,
        groups=groups,
        bias=bias,
        transposed=transposed,
        in_size=(side,) * dims,
        out_size=(out_side,) * dims,
        batch=batch,
    )


def conv(path: str, at: ConvSite, reads: int = -1, *, weight: str = "", module: str = "") -> Op:
    """An executed convolution; `weight` names the module that owns its weight, if it is another."""
    owner = weight or path
    return Op(
        name="conv2d",
        path=path,
        module=module or "Conv2d",
        group=CONVOLUTION,
        inputs=(reads,),
        in_shapes=((at.batch, at.M, *at.in_size),),
        out_shapes=((at.batch, at.N, *at.out_size),),
        macs=at.macs,
        parameters=(f"{owner}.weight", *([f"{owner}.bias"] if at.bias else [])),
        site=at,
    )


def norm(path: str, channels: int, side: int, reads: int) -> Op:
    """A batch norm: a weight and a bias per channel, no multiply-accumulates."""
    shape = (1, channels, side, side)
    names = (f"{path}.weight", f"{path}.bias")
    return Op("batch_norm", path, "BatchNorm2d", NORM, (reads,), (shape,), (shape,), 0, names)


def plain(name: str, group: str, shape: tuple[int, ...], *reads: int, path: str = "") -> Op:
    """An op without parameters or multiply-accumulates, such as an activation."""
    return Op(name, path, "", group, reads, (shape,) * len(reads), (shape,))


def relu(channels: int, side: int, reads: int) -> Op:
    """An activation."""
    return plain("relu", ACTIVATION, (1, channels, side, side), reads)


def linear(path: str, features: int, classes: int, reads: int) -> Op:
    """A fully connected layer with a bias."""
    return Op(
        name="linear",
        path=path,
        module="Linear",
        group=LINEAR,
        inputs=(reads,),
        in_shapes=((1, features),),
        out_shapes=((1, classes),),
        macs=features * classes,
        parameters=(f"{path}.weight", f"{path}.bias"),
    )


def network(*ops: Op, blocks: Iterable[Block] = (), never_run: Iterable[Parameter] = ()) -> Network:
    """A network of these ops; its parameters follow from them, each name once.

    The memory of a result follows too, if an op says nothing of it: free before the op that comes
    after its last reader.
    """
    parameters = {p.name: p for op in ops for p in _parameters(op)}
    return Network(
        name="hand-made",
        inputs=(TensorSpec(ops[0].in_shapes[0]),) if ops and ops[0].in_shapes else (),
        ops=tuple(op if op.memory else _remembered(i, op, ops) for i, op in enumerate(ops)),
        parameters=(*parameters.values(), *never_run),
        blocks=tuple(blocks),
    )


def _remembered(index: int, op: Op, ops: tuple[Op, ...]) -> Op:
    last = max((i for i, other in enumerate(ops) if index in other.inputs), default=len(ops))
    freed = last + 1 if last + 1 < len(ops) else -1
    return replace(op, memory=tuple((op.itemsize * prod(s), freed) for s in op.out_shapes))


def _parameters(op: Op) -> Iterable[Parameter]:
    shapes: tuple[tuple[int, ...], ...]
    if op.site is not None:
        shapes = ((op.site.N, op.site.M // op.site.groups, *op.site.kernel), (op.site.N,))
    elif op.group == LINEAR:
        features, classes = op.in_shapes[0][-1], op.out_shapes[0][-1]
        shapes = ((classes, features), (classes,))
    else:
        channels = op.out_shapes[0][1]
        shapes = ((channels,), (channels,))
    return (Parameter(name, shapes[name.endswith(".bias")]) for name in op.parameters)


def mobile(M: int, wide: int, N: int, side: int = 8, *, residual: bool = False) -> tuple[Op, ...]:
    """A stem, then 1×1 to `wide`, depthwise 3×3, 1×1 to N, each with a norm, and a classifier."""
    middle = (
        conv("stem", site(3, M, side=side), module="Conv2d"),
        conv("b.expand", site(M, wide, 1, side), 0),
        norm("b.norm1", wide, side, 1),
        relu(wide, side, 2),
        conv("b.depth", site(wide, wide, 3, side, groups=wide), 3),
        norm("b.norm2", wide, side, 4),
        relu(wide, side, 5),
        conv("b.project", site(wide, N, 1, side), 6),
        norm("b.norm3", N, side, 7),
    )
    shape = (1, N, side, side)
    tail = (plain("add", "elementwise", shape, 8, 0),) if residual else ()
    features = N * side * side
    return (*middle, *tail, linear("head", features, 10, len(middle) + len(tail) - 1))


_small = st.integers(1, 6)
_shapes = st.lists(st.integers(0, 9), max_size=4).map(tuple)


@st.composite
def sites(draw: st.DrawFn) -> ConvSite:
    """Any convolution of one to three dimensions, its sizes unrelated."""
    groups = draw(_small)
    dims = draw(st.integers(1, 3))
    sizes = [tuple(draw(_small) for _ in range(dims)) for _ in range(6)]
    kernel, stride, padding, dilation, in_size, out_size = sizes
    return ConvSite(
        groups * draw(_small),
        groups * draw(_small),
        kernel,
        stride,
        padding,
        dilation,
        groups,
        draw(st.booleans()),
        draw(st.booleans()),
        in_size,
        out_size,
        draw(_small),
    )


@st.composite
def networks(draw: st.DrawFn) -> Network:
    """Any network that can be written down, sensible or not."""
    words = st.text(max_size=8)
    names = draw(st.lists(words, unique=True, max_size=5))
    itemsize = st.sampled_from([1, 2, 4, 8])
    kept = st.builds(Parameter, words, _shapes, st.booleans(), itemsize)
    parameters = tuple(replace(draw(kept), name=name) for name in names)
    memory = st.lists(st.tuples(st.integers(0, 10**12), st.integers(-1, 9)), max_size=3)
    ops = []
    for index in range(draw(st.integers(0, 5))):
        at = draw(st.none() | sites())
        ops.append(
            Op(
                name=draw(words),
                path=draw(words),
                module=draw(words),
                group=CONVOLUTION if at else draw(st.sampled_from(GROUPS)),
                inputs=tuple(draw(st.lists(st.integers(-1, index - 1), max_size=3))),
                in_shapes=tuple(draw(st.lists(_shapes, max_size=3))),
                out_shapes=tuple(draw(st.lists(_shapes, max_size=2))),
                macs=at.macs if at else draw(st.integers(0, 10**15)),
                parameters=tuple(draw(st.lists(st.sampled_from(names)))) if names else (),
                site=at,
                operations=draw(st.integers(0, 10**15)),
                itemsize=draw(itemsize),
                memory=tuple(draw(memory)),
            )
        )
    indices = st.lists(st.integers(0, max(0, len(ops) - 1)), max_size=4).map(tuple)
    blocks = st.builds(Block, words, words, words, indices, sites())
    return Network(
        name=draw(words),
        inputs=tuple(draw(st.lists(st.builds(TensorSpec, _shapes, words, words), max_size=2))),
        ops=tuple(ops),
        parameters=parameters,
        blocks=tuple(draw(st.lists(blocks, max_size=2))),
        notes=tuple(draw(st.lists(words, max_size=2))),
        buffers=tuple(draw(st.lists(kept, max_size=2))),
        versions=draw(st.dictionaries(words, words, max_size=2)),
    )


def of_kind(network: Network, kind: str) -> list[Block]:
    """The blocks of a kind."""
    return [block for block in network.blocks if block.kind == kind]


def elements(*shapes: tuple[int, ...]) -> int:
    """Elements of tensors of these shapes together."""
    return sum(prod(shape) for shape in shapes)


def asked(conv: str = "dual", number: int = 16, **words: Any) -> Request:
    """Dual with G=16, unless words say otherwise; `number` is G or P, whichever the kind takes."""
    made_of = KINDS.get(conv)
    if made_of and made_of.letter:
        words = {made_of.letter: number, **words}
    return Request.parse(conv, **words)


def replaced(found: Rewritten) -> dict[str, int]:
    """Path → G or P of what is replaced."""
    return {one.path: one.divisor for one in found.replacements}


def dual_macs(M: int, N: int, G: int) -> int:
    return SIDE * SIDE * N * (3 * 3 * M // G + M)  # D_o*D_o*N*(K*K*M/G + M)


def in_bytes(elements: Cost, made: int) -> Cost:
    """A cost whose elements take four bytes each; `made` counts those of the maps it makes."""
    return replace(
        elements,
        traffic=4 * elements.traffic,
        weight_bytes=4 * elements.params,
        activation_bytes=4 * made,
    )


def chain(*channels: int, bias: bool = False) -> Network:
    """3×3 convolutions c0, c1, … from channels to channels, then a classifier."""
    pairs = enumerate(pairwise(channels))
    convs = [conv(f"c{i}", site(M, N, bias=bias), i - 1) for i, (M, N) in pairs]
    return network(*convs, linear("head", channels[-1], 10, len(convs) - 1))
