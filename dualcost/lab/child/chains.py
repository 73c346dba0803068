"""Chains: small networks that a calibration measures as a whole, and their ops as it does others.

They tell how much longer ops take in a network than by themselves, and what calling a layer costs.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from torch import nn

from dualcost.lab.child.probes import Probe, shaped
from dualcost.network.site import ConvSite, Size
from dualcost.rewrite.lowering import convolution_op

# How many stages, the channels and the side that the first reads, the most MACs of a convolution,
# and the channels drawn from. Small layers tell what a call costs, larger ones what a network does,
# and those with many weights what these push out of the caches.
LINKS = (
    (6, 24, 56, 12_000_000, (16, 24, 32, 40, 48, 64, 80, 96, 120, 160)),
    (4, 64, 56, 60_000_000, (64, 96, 128, 192, 256, 320, 384, 512)),
    (4, 128, 28, 120_000_000, (128, 256, 384, 512, 768, 1024)),
    (4, 256, 14, 120_000_000, (256, 384, 512, 768, 1024, 1536, 2048)),
)
REPEATS = 2  # of the block of each stage: what has run once in a forward runs faster the next time


@dataclass(frozen=True)
class Chain:
    """A small network of many layers.

    Attributes:
        model: the network.
        probes: what it runs, a module each.
        input: the shape that it takes.
    """

    model: nn.Module
    probes: tuple[Probe, ...]
    input: Size


def chains(seed: int = 0, count: int = 2 * len(LINKS)) -> list[Chain]:
    """Networks of convolution, norm and activation: of small, of larger and of large layers."""
    return [
        _chain(random.Random(seed + number), *LINKS[number % len(LINKS)]) for number in range(count)
    ]


def _chain(
    draw: random.Random,
    stages: int,
    channels: int,
    side: int,
    most_macs: int,
    widths: tuple[int, ...],
) -> Chain:
    """Stages as networks have them: a convolution to other channels, then blocks of two."""
    first = (1, channels, side, side)
    run: list[Probe] = []
    made: list[nn.Module] = []

    def width(K: int) -> int:
        most = max(widths[0], most_macs // (side * side * channels * K * K))
        return draw.choice([n for n in widths if n <= most])

    for number in range(stages):
        K = draw.choice((1, 3))
        units = [_unit(draw, channels, width(K), K, side, 2 if number % 2 and K > 1 else 1)]
        channels, side = units[0].shape[1:3]
        K, depthwise = draw.choice(((1, False), (3, True), (5, True), (3, False)))
        N = channels if depthwise else width(K)
        for _ in range(REPEATS):
            units.append(_unit(draw, channels, N, K, side, groups=channels if depthwise else 1))
            units.append(_unit(draw, N, channels, 1, side))
        run += [probe for unit in units for probe in unit.probes]
        made.append(nn.Sequential(*(unit.layers for unit in units)))
    return Chain(nn.Sequential(*made).eval(), tuple(run), first)


@dataclass(frozen=True)
class _Unit:
    """A convolution, its norm and its activation; what they run, and the shape that they make."""

    layers: nn.Module
    probes: tuple[Probe, ...]
    shape: Size


def _unit(
    draw: random.Random, M: int, N: int, K: int, side: int, stride: int = 1, groups: int = 1
) -> _Unit:
    conv = nn.Conv2d(M, N, K, stride, K // 2, groups=groups, bias=False)
    out = (side - 1) // stride + 1
    site = ConvSite(
        M, N, (K, K), (stride,) * 2, (K // 2,) * 2, (1, 1), groups, False, False,
        (side, side), (out, out),
    )  # fmt: skip
    shape = (1, N, out, out)
    activation = draw.choice((nn.ReLU, nn.Hardswish, nn.SiLU))
    norm, act = nn.BatchNorm2d(N), activation(inplace=True)
    probes = (
        Probe(convolution_op(site), ((1, M, side, side),)),
        shaped(norm, (shape,)),
        shaped(act, (shape,)),
    )
    return _Unit(nn.Sequential(conv, norm, act), probes, shape)
