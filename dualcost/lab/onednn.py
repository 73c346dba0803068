"""Which kernels ran: oneDNN's own words about a forward, read into facts.

oneDNN's verbose mode prints a line for each primitive that it runs (oneDNN Developer Guide,
"Verbose Mode", version 1 of the format):

    onednn_verbose,v1,primitive,exec,cpu,PRIMITIVE,IMPLEMENTATION,KIND,
    src:f32:a:blocked:aBcd16b::f0 wei:…,ATTRIBUTES,AUXILIARY,PROBLEM,MILLISECONDS

`child/explain.py` lets a model run and sends its steps with these lines.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

VERBOSE = "onednn_verbose,v1,primitive,exec,"
CONVOLUTIONS = ("convolution", "deconvolution")
REORDER = "reorder"
MILLISECOND = 1e-3
PADDED = "p"
# The families of implementations, best known by a part of their name.
BRGEMM, JIT, GEMM, REFERENCE, OTHER = "brgemm", "jit", "gemm", "reference", "other"
TORCH = "torch"  # what oneDNN did not run
_PARTS = {"ref": REFERENCE, "brg": BRGEMM, "brdgmm": BRGEMM, "gemm": GEMM, "jit": JIT}
VECTOR = (BRGEMM, JIT)  # kernels that fill vectors with channels


@dataclass(frozen=True)
class Kernel:
    """A convolution as oneDNN ran it.

    Attributes:
        implementation: as oneDNN calls it, such as "jit:avx512_core"; TORCH if it did not run it.
        weights: the memory format of the weights, such as "aBCde16c16b".
        seconds: by oneDNN's own clock; 0 if it did not run it.
        padded: zeros fill the weights up to whole blocks.
    """

    implementation: str
    weights: str = ""
    seconds: float = 0.0
    padded: bool = False

    @property
    def name(self) -> str:
        """The implementation without the instructions: "jit", "brg_conv_fwd", "gemm"."""
        first, *others = self.implementation.split(":")
        return GEMM if GEMM in others else first

    @property
    def family(self) -> str:
        """BRGEMM, JIT, GEMM, REFERENCE, OTHER or TORCH."""
        if self.implementation == TORCH:
            return TORCH
        found = (family for part, family in _PARTS.items() if part in self.name)
        return next(found, OTHER)

    @property
    def vector(self) -> bool:
        """It fills vectors with channels."""
        return self.family in VECTOR

    @property
    def block(self) -> int:
        """So many channels lie side by side in the weights; 1 if they are not blocked."""
        return min(map(int, re.findall(r"(\d+)[a-z]", self.weights)), default=1)


@dataclass(frozen=True)
class Reorder:
    """A tensor that oneDNN copied into another memory format.

    Attributes:
        shape: of the tensor.
        source: the format before, such as "abcd".
        target: the format after, such as "aBcd16b".
        weights: the tensor is no map: weights of the convolution.
        seconds: by oneDNN's own clock.
    """

    shape: tuple[int, ...]
    source: str
    target: str
    weights: bool
    seconds: float


@dataclass(frozen=True)
class Step:
    """An op that torch ran, and what oneDNN did for it.

    Attributes:
        path: the layer in which it ran; "" between the layers.
        op: as torch calls it.
        seconds: by the clock on the wall.
        kernel: of a convolution; None for other ops.
        reorders: in the order in which they ran.
        macs: multiply-accumulates of a convolution.
        groups: of a convolution.
        size: the kernel of a convolution, (K_h, K_w).
        channels: of a convolution, input and output.
    """

    path: str
    op: str
    seconds: float
    kernel: Kernel | None = None
    reorders: tuple[Reorder, ...] = ()
    macs: int = 0
    groups: int = 1
    size: tuple[int, ...] = ()
    channels: tuple[int, int] = (0, 0)

    @property
    def per_group(self) -> int:
        """Channels of one group: the fewer of input and output."""
        return min(self.channels) // self.groups

    @property
    def kernel_s(self) -> float:
        """Seconds in the convolution itself."""
        if self.kernel is None:
            return 0.0
        return self.kernel.seconds or self.seconds

    @property
    def reorder_s(self) -> float:
        """Seconds in re-orders."""
        return sum(reorder.seconds for reorder in self.reorders)

    @classmethod
    def from_event(cls, event: Mapping[str, Any]) -> Step:
        """Read what `child/explain.py` says of one op."""
        step = cls(event["path"], event["op"], event["seconds"])
        facts = event.get("convolution")
        if facts is None:
            return step
        maps = (tuple(facts["in_shape"]), tuple(facts["out_shape"]))
        kernels, reorders = read(event["lines"], maps)
        weight = tuple(facts["weight_shape"])
        transposed = facts["transposed"]
        channels = maps[0][1], maps[1][1]
        return replace(
            step,
            kernel=kernels[0] if kernels else Kernel(TORCH),
            reorders=tuple(reorders),
            macs=prod(weight[1:]) * prod(maps[0 if transposed else 1]),
            groups=facts["groups"],
            size=weight[2:],
            channels=channels,
        )


def read(
    lines: Sequence[str], maps: Sequence[tuple[int, ...]] = ()
) -> tuple[list[Kernel], list[Reorder]]:
    """The convolutions and the re-orders of some lines of oneDNN; other lines are passed over.

    Args:
        lines: as printed.
        maps: the shapes of input and output; other tensors that are copied are weights.
    """
    kernels: list[Kernel] = []
    reorders: list[Reorder] = []
    for line in lines:
        if not line.startswith(VERBOSE):
            continue
        words = line.strip().split(",")
        primitive, implementation, tensors = words[5], words[6], _tensors(words[8])
        shape, seconds = words[-2], float(words[-1]) * MILLISECOND
        if primitive in CONVOLUTIONS:
            properties, weights = tensors["wei"]
            kernels.append(Kernel(implementation, weights, seconds, PADDED in properties))
        elif primitive == REORDER:
            size = tuple(int(side) for side in shape.split("x"))
            (_, source), (_, target) = tensors["src"], tensors["dst"]
            reorders.append(Reorder(size, source, target, size not in maps, seconds))
    return kernels, reorders


def _tensors(descriptors: str) -> dict[str, tuple[str, str]]:
    """Properties and memory format by role: "wei:f32:ap:blocked:Acdb16a::f0" has ("ap", "Acdb16a").

    The properties of a tensor are letters: a, its format was left to oneDNN; p, it is padded.
    """
    parts = (descriptor.split(":") for descriptor in descriptors.split())
    return {part[0]: (part[2], part[4]) for part in parts if len(part) > 4}


def least(forwards: Sequence[Sequence[Step]]) -> tuple[Step, ...]:
    """The steps of one forward, each with the least times that it took in any of several."""
    return tuple(_least(same) for same in zip(*forwards, strict=True))


def _least(same: Sequence[Step]) -> Step:
    first = same[0]
    kernel = first.kernel
    if kernel is not None:
        kernel = replace(kernel, seconds=min(one.kernel.seconds for one in same if one.kernel))
    reorders = (
        replace(one, seconds=min(other.reorders[index].seconds for other in same))
        for index, one in enumerate(first.reorders)
    )
    return replace(
        first,
        seconds=min(one.seconds for one in same),
        kernel=kernel,
        reorders=tuple(reorders),
    )
