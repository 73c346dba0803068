"""Which ops a calibration measures: shapes as networks have them, drawn anew from a seed.

Convolutions are those of a catalogue of packaged networks, as they are, with other channels and
sizes, and as the kinds replace them. All other ops are drawn from the sizes of maps.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from math import gcd
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from dualcost.kinds.kinds import DUAL, KINDS
from dualcost.latency.workload import WEIGHTED, workload
from dualcost.library.networks import TRACES
from dualcost.network import tracefile
from dualcost.network.network import CONVOLUTION, LINEAR, Network, Op
from dualcost.network.ops import OPERATORS, VIEW, family_of
from dualcost.network.site import ConvSite, Size
from dualcost.rewrite.lowering import convolution_op, recipe_ops

# Their shapes are measured. None of them is predicted when predictions are validated.
CATALOGUE = (
    "torchvision:vgg13",
    "torchvision:resnet34",
    "torchvision:densenet169",
    "torchvision:resnet152",
    "torchvision:squeezenet1_0",
    "torchvision:mobilenet_v3_small",
    "torchvision:mnasnet0_75",
    "torchvision:efficientnet_b1",
    "torchvision:regnet_y_800mf",
    "torchvision:regnet_x_1_6gf",
    "torchvision:shufflenet_v2_x1_5",
    "torchvision:resnext101_64x4d",
    "zoo:vgg16-cifar100",
    "zoo:mobilenetv2-cifar",
)
# The kinds whose parts are measured; dual twice, for it is what most people ask for.
DRAWN = (DUAL, *(KINDS[name] for name in sorted(KINDS) if KINDS[name].letter))
DIVISORS = (2, 4, 8, 16, 32)
# How many ops of each family of convolutions are measured in each memory format.
QUOTAS = {
    "dense": 120,
    "pointwise": 110,
    "strided": 40,
    "depthwise": 70,
    "grouped": 90,
    "narrow": 160,
    "grouped_pointwise": 60,
    "image": 36,
}
PARTS = ("strided", "grouped", "narrow", "grouped_pointwise")  # of what kinds put in their place
# An op that takes longer teaches as much as a shorter one.
MOST_MACS, MOST_ELEMENTS = 300_000_000, 1 << 23
CHANNELS = (8, 16, 24, 32, 48, 64, 96, 128, 160, 192, 256, 320, 384, 512, 768, 1024, 1536, 2048)
SIDES = (1, 2, 4, 7, 8, 14, 16, 20, 28, 32, 40, 56, 64, 80, 112, 150, 224)


@dataclass(frozen=True)
class Probe:
    """An op to measure.

    Attributes:
        op: the op.
        module: runs it on its inputs; None: it is made from the op's site (or is linear).
        inputs: the shapes of the activations that it reads.
    """

    op: Op
    inputs: tuple[Size, ...]
    module: nn.Module | None = None

    @property
    def family(self) -> str:
        """Its family of ops."""
        return workload(self.op).family


def probes(seed: int = 0) -> list[Probe]:
    """All ops of a calibration, so ordered that any first part of them has all families."""
    draw = random.Random(seed)
    families: dict[str, list[Probe]] = {}
    for op in _convolutions(draw):
        families.setdefault(workload(op).family, []).append(Probe(op, op.in_shapes))
    for probe in (*_linears(draw), *_others(draw)):
        families.setdefault(probe.family, []).append(probe)
    placed = [
        (place / len(members), probe)
        for members in families.values()
        for place, probe in enumerate(members)
    ]
    return [probe for _, probe in sorted(placed, key=lambda pair: pair[0])]


def _convolutions(draw: random.Random) -> Iterator[Op]:
    """The catalogue's convolutions, changed ones, and what the kinds make of them, by quota."""
    sites = {op.site for name in CATALOGUE for op in _packaged(name).ops if op.site is not None}
    plain = sorted(sites, key=repr)
    for family, quota in QUOTAS.items():
        known = [site for site in plain if workload(convolution_op(site)).family == family]
        if family in PARTS:
            wide = [site for site in plain if min(site.M, site.N) >= 16 and site.groups == 1]
            known += [site for site in wide if family != "strided" or max(site.stride) > 1]
        seen: set[tuple[float, ...]] = set()
        for attempt in range(50 * quota):
            site = draw.choice(known)
            if attempt % 2:
                site = _varied(site, draw)
            parts = _replaced(site, draw) if family in PARTS else ()
            for op in (convolution_op(site), *parts):
                work = workload(op)
                fits = work.macs <= MOST_MACS and work.elements <= MOST_ELEMENTS
                if work.family == family and fits and work.place not in seen:
                    seen.add(work.place)
                    yield op
            if len(seen) >= quota:
                break


def _packaged(name: str) -> Network:
    origin, _, model = name.partition(":")
    return tracefile.read(TRACES / origin / f"{model}{tracefile.SUFFIX}")


def _replaced(site: ConvSite, draw: random.Random) -> tuple[Op, ...]:
    """The convolutions of a kind in the place of a site; none, if it has groups."""
    if site.groups > 1:
        return ()
    kind = draw.choice(DRAWN)
    divisors = [d for d in DIVISORS if gcd(site.M, site.N) % d == 0]
    if not divisors:
        return ()
    ops = recipe_ops(kind, site, draw.choice(divisors))
    return tuple(op for op in ops if op.group == CONVOLUTION)


def _varied(site: ConvSite, draw: random.Random) -> ConvSite:
    """The same with other channels, and on another size of map."""

    def scaled(channels: int) -> int:
        step = 8 if channels >= 32 else 4
        factor = draw.choice((0.5, 0.75, 1, 1.25, 1.5, 2))
        return max(step, round(channels * factor / step) * step)

    if site.groups == 1:
        M = site.M if site.M <= 4 else scaled(site.M)
        site = replace(site, M=M, N=scaled(site.N))
    elif site.depthwise:
        M = scaled(site.M)
        site = replace(site, M=M, N=M, groups=M)
        site = _with_kernel(site, draw.choice((3, 3, 5, 7)), site.stride[0])
    if site.M <= 4:
        site = _with_kernel(site, *draw.choice(((3, 1), (3, 2), (7, 2), (4, 4), (11, 4), (5, 2))))
    elif site.groups == 1 and site.taps > 1:
        site = _with_kernel(site, *draw.choice(((3, 1), (3, 1), (3, 2), (3, 2), (5, 1), (2, 2))))
    zoom = draw.choice((0.5, 0.75, 1, 1, 1.25, 1.5, 2))
    in_size = tuple(
        max(k, round(side * zoom)) for side, k in zip(site.in_size, site.kernel, strict=True)
    )
    return replace(site, in_size=in_size, out_size=_out_size(site, in_size))


def _with_kernel(site: ConvSite, K: int, stride: int) -> ConvSite:
    return replace(
        site,
        kernel=(K, K),
        stride=(stride, stride),
        padding=((K - 1) // 2 if stride != K else 0,) * 2,
        dilation=(1, 1),
    )


def _out_size(site: ConvSite, in_size: Size) -> Size:
    sides = zip(in_size, site.padding, site.dilation, site.kernel, site.stride, strict=True)
    return tuple((i + 2 * p - d * (k - 1) - 1) // s + 1 for i, p, d, k, s in sides)


def _linears(draw: random.Random) -> Iterator[Probe]:
    """Linear layers, of one row as classifiers have them and of many as attention has."""
    for number in range(64):
        rows = 1 if number % 3 == 0 else draw.choice((2, 8, 16, 49, 196, 784, 1568, 3136))
        widths = (64, 96, 192, 384, 512, 768, 1024, 1280, 2048, 3072, 4096)
        m, n = draw.choice(widths), draw.choice(widths)
        if rows == 1:
            n = draw.choice((n, n, 10, 1000))
            m = draw.choice((m, m, 9216, 25088))
        op = Op("addmm", "", "", LINEAR, (-1,), ((rows, m),), ((rows, n),), macs=rows * m * n)
        if rows == 1 or op.macs <= MOST_MACS // 4:
            yield Probe(op, ((rows, m),))


class _Called(nn.Module):
    """A function as a module: networks call modules."""

    def __init__(self, function: Callable[..., Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.function(*inputs)


def _split_shuffle(image: Tensor) -> Tensor:
    """A shuffle of channels as ShuffleNet writes it."""
    batch, channels, height, width = image.shape
    return image.view(batch, 2, channels // 2, height, width).transpose(1, 2).contiguous()


# What runs on one map or more: how many maps, how often drawn, taps of a window.
_ON_MAPS: tuple[tuple[Callable[..., Tensor], int, int, int], ...] = (
    (F.relu, 1, 14, 1),
    (lambda image: F.relu(image, inplace=True), 1, 16, 1),
    (lambda image: F.hardswish(image, inplace=True), 1, 12, 1),
    (lambda image: F.silu(image, inplace=True), 1, 12, 1),
    (torch.sigmoid, 1, 12, 1),
    (F.gelu, 1, 10, 1),
    (lambda image: F.softmax(image, 1), 1, 6, 1),
    (torch.add, 2, 14, 1),
    (lambda image, other: image.add_(other), 2, 16, 1),
    (lambda *images: torch.cat(images, 1), 2, 12, 1),
    (lambda *images: torch.cat(images, 1), 4, 12, 1),
    (_split_shuffle, 1, 14, 1),
    (lambda image: F.channel_shuffle(image, 2), 1, 12, 1),
    (lambda image: F.channel_shuffle(image, 8), 1, 12, 1),
    (lambda image: image.mean((2, 3), keepdim=True), 1, 16, 1),
    (lambda image: F.interpolate(image, scale_factor=2), 1, 10, 1),
    (lambda image: F.interpolate(image, scale_factor=2, mode="bilinear"), 1, 10, 1),
    (lambda image: F.avg_pool2d(image, 2), 1, 12, 4),
    (lambda image: F.avg_pool2d(image, 3, 1, 1), 1, 12, 9),
    (lambda image: F.max_pool2d(image, 2), 1, 14, 4),
    (lambda image: F.max_pool2d(image, 3, 2, 1), 1, 14, 9),
    (lambda image: F.max_pool2d(image, 3, 2, ceil_mode=True), 1, 12, 9),
    (lambda image: F.max_pool2d(image, 3, 1, 1), 1, 12, 9),
)


def _others(draw: random.Random) -> Iterator[Probe]:
    for function, maps, count, taps in _ON_MAPS:
        for shape in _maps(draw, count):
            yield shaped(_Called(function), (shape,) * maps, taps)
    for shape in _maps(draw, 30):
        yield shaped(nn.BatchNorm2d(shape[1]), (shape,))
    for shape in _maps(draw, 14):  # squeeze and excitation
        yield shaped(_Called(torch.mul), (shape, (*shape[:2], 1, 1)))
    for shape in _maps(draw, 14):
        yield shaped(nn.LayerNorm(shape[1]), ((1, shape[2] * shape[3], shape[1]),))
    for shape in _maps(draw, 10):  # attention in 8 heads of 64
        tokens = min(shape[2] * shape[3], 1024)
        pair = ((8, tokens, 64), (8, 64, tokens))
        yield shaped(_Called(torch.bmm), pair, macs=8 * tokens * tokens * 64)
    for columns in range(16, 400, 32):
        yield shaped(_Called(lambda image: image.view(-1)), ((64, columns),))


def _maps(draw: random.Random, count: int) -> Iterator[Size]:
    """Shapes of maps; the small ones and the large ones as often as the others."""
    for number in range(count):
        wanted = 8 + 15 * (number + draw.random()) / count  # log2 of the elements
        fitting = [
            (channels, side)
            for channels in CHANNELS
            for side in SIDES
            if abs((channels * side * side).bit_length() - wanted) <= 1 and side >= 7
        ] or [(16, 7)]
        channels, side = draw.choice(fitting)
        yield 1, channels, side, side


class _Names(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch's mode has no types
    """Notes the ops that run."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # as above
        self.names: list[str] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        self.names.append(func._schema.name.removeprefix("aten::"))
        return func(*args, **(kwargs or {}))


def shaped(module: nn.Module, inputs: tuple[Size, ...], taps: int = 1, macs: int = 0) -> Probe:
    """An op whose name, and the shape of whose result, are those that its module gives it.

    Args:
        module: what runs it, after views at most; it is put into eval mode.
        inputs: the shapes of the activations that it reads.
        taps: of a pool: the elements of its window.
        macs: its multiply-accumulates.
    """
    # really run: the meta device would import torch's compiler first, which takes seconds; and not
    # in inference mode, which shows ops before they are taken apart
    with torch.inference_mode(False), torch.no_grad():
        maps = [torch.zeros(shape) for shape in inputs]
        with _Names() as run:
            made = module.eval()(*maps)
    name = next((name for name in reversed(run.names) if family_of(name) != VIEW), run.names[-1])
    written = made.numel()
    # a maximum compares one time less than it has elements
    operations = written * (taps - name.startswith("max_pool"))
    op = Op(
        name,
        "",
        "",
        OPERATORS[name.rstrip("_")].group,
        (-1,) * len(inputs),
        inputs,
        (tuple(made.shape),),
        macs,
        operations=operations,
    )
    return Probe(op, inputs, module)


def weighted(probe: Probe) -> bool:
    """It reads weights, so that it matters where they lie before it runs."""
    return probe.family in WEIGHTED
