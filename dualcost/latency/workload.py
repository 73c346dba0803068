"""What an executed op is to a machine: its family, and the sizes that its time depends on.

Ops of one family run the same kind of kernel, so that their times are one function of their sizes.
A machine is calibrated family by family. The family of an op stands in `network/ops.py`; those of
convolutions and linear layers, which depend on sizes, are told apart here.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import log2, prod

from dualcost.network import ops
from dualcost.network.network import (
    ACTIVATION,
    ELEMENTWISE,
    EMBEDDING,
    FREE,
    LINEAR,
    MATMUL,
    NORM,
    POOLING,
    RESIZE,
    Op,
)
from dualcost.network.site import ConvSite, Size

LANES = 16  # elements of fp32 in a vector of 512 bits, the block of oneDNN's layouts
IMAGE_CHANNELS = 4  # with so few input channels a convolution reads an image: another kernel
# The family of an op that has none of its own.
_BY_GROUP = {
    LINEAR: "linear",
    MATMUL: "matmul",
    NORM: "layer_norm",
    ACTIVATION: "silu_",
    POOLING: "avg_pool",
    RESIZE: "bilinear",
    ELEMENTWISE: "add",
    EMBEDDING: "copy",
    FREE: "copy",
}
CONVOLUTIONS = (
    "image",
    "dense",
    "pointwise",
    "strided",
    "depthwise",
    "grouped",
    "narrow",
    "grouped_pointwise",
    "transposed",
)
WEIGHTED = (*CONVOLUTIONS, "row", "linear")  # those that read weights worth the name


@dataclass(frozen=True)
class Workload:
    """The work of one op, in the units of memory: MACs, elements.

    Attributes:
        family: the ops of one kernel; "" if unknown.
        macs: multiply-accumulates.
        blocked: the same with channels rounded up to full vectors.
        read: elements of the activations that it reads.
        written: elements of its result.
        weights: elements of its parameters.
        windows: taps of a kernel for each element of the result.
        place: where it lies in its family: logarithms (base 2) of its sizes.
    """

    family: str
    macs: int
    blocked: int
    read: int
    written: int
    weights: int
    windows: int
    place: tuple[float, ...]

    @property
    def elements(self) -> int:
        """All that it reads and writes, each once."""
        return self.read + self.written + self.weights


def workload(op: Op) -> Workload:
    """The work of an executed op; equal ops have equal work, wherever they stand."""
    shapes = op.in_shapes, op.out_shapes[:1]
    return _workload(op.name, op.group, *shapes, op.macs, op.site, op.operations)


@lru_cache(maxsize=65536)
def _workload(
    name: str,
    group: str,
    in_shapes: tuple[Size, ...],
    out_shapes: tuple[Size, ...],
    macs: int,
    site: ConvSite | None,
    operations: int,
) -> Workload:
    family = _family(name, group, in_shapes, out_shapes, site)
    if site is not None:
        return _convolution(family, site)
    if family == "linear":
        return _linear(macs, out_shapes[0])
    # the statistics and weights of a norm are too small to count
    read = sum(map(prod, in_shapes[:1] if group == NORM else in_shapes))
    written = sum(map(prod, out_shapes))
    pooled = family in ("max_pool", "avg_pool")
    taps = _taps(name, operations, read, written) if pooled else 1
    ratio = read / max(1, written)
    channels, positions = _split(out_shapes[0] if out_shapes else ())
    if family == "mean":  # what it reads says more than what is left
        channels, positions = _split(in_shapes[0] if in_shapes else ())
    place = (_log(channels), _log(positions), _log(ratio), _log(taps))
    return Workload(family, macs, macs, read, written, 0, taps * written, place)


def _family(
    name: str,
    group: str,
    in_shapes: tuple[Size, ...],
    out_shapes: tuple[Size, ...],
    site: ConvSite | None,
) -> str:
    if site is not None:
        return _convolution_family(site)
    family = ops.family_of(name) or _BY_GROUP.get(group, "")
    if family in ("add", "add_") and any(
        shape != out_shapes[0] for shape in in_shapes if prod(shape) > 1
    ):
        return "scale"  # one value for many: squeeze and excitation, layer scale
    return family


def _convolution_family(site: ConvSite) -> str:
    if site.transposed:
        return "transposed"
    if site.depthwise:
        return "depthwise"
    if site.groups > 1:
        if site.taps == 1:
            return "grouped_pointwise"
        # too few channels in a group to fill a vector
        return "narrow" if min(site.M, site.N) < LANES * site.groups else "grouped"
    if site.taps == 1:  # one that skips positions runs another kernel
        return "pointwise" if max(site.stride) == 1 else "strided"
    return "image" if site.M <= IMAGE_CHANNELS else "dense"


def _convolution(family: str, site: ConvSite) -> Workload:
    m, n = site.M // site.groups, site.N // site.groups
    blocked = site.positions * site.taps * site.groups * _full(m) * _full(n)
    outputs, inputs = site.out_elements // site.N, site.in_elements // site.M
    place = (
        _log(m),
        _log(n),
        _log(site.groups),
        _log(outputs),
        _log(site.taps),
        _log(inputs / outputs),
        # how much of the last vector is used
        2 * m / _full(m),
        2 * n / _full(n),
    )
    return Workload(
        family,
        site.macs,
        blocked,
        site.in_elements,
        site.out_elements,
        site.weights,
        site.taps * site.out_elements,
        place,
    )


def _linear(macs: int, out_shape: Size) -> Workload:
    """A linear layer; of one row it is the product of a matrix and a vector."""
    written = prod(out_shape)
    n = out_shape[-1]
    rows, m = written // n, macs // max(1, written)
    blocked = rows * _full(m) * _full(n)
    family = "row" if rows == 1 else "linear"
    place = (_log(m), _log(n), _log(rows), 2 * n / _full(n))
    return Workload(family, macs, blocked, rows * m, written, m * n, written, place)


def _taps(name: str, operations: int, read: int, written: int) -> int:
    """The elements of a pool's window, from the operations that it does."""
    if name.startswith("max_pool"):
        return operations // max(1, written) + 1
    return max(operations, read) // max(1, written)


def _split(shape: Size) -> tuple[int, int]:
    """Channels and positions of a map (B, C, …); of a matrix, columns and rows."""
    if len(shape) >= 3:
        return shape[1], prod(shape) // max(1, shape[1])
    return (shape[-1] if shape else 1), prod(shape[:-1])


def _full(channels: int) -> int:
    return -(-channels // LANES) * LANES


def _log(number: float) -> float:
    return log2(max(number, 2**-20))
