"""What an executed op is to a machine: its family, and the sizes that its time depends on.

Ops of one family run the same kind of kernel, so that their times are one function of their sizes.
A machine is calibrated family by family; the names of families are those of this file.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import log2, prod

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
VIEW = "view"  # a call, and no work: the arithmetic of shapes
VIEWS = frozenset(
    [
        "view",
        "_unsafe_view",
        "unsqueeze",
        "squeeze",
        "expand",
        "select",
        "slice",
        "split",
        "split_with_sizes",
        "unbind",
        "chunk",
        "transpose",
        "permute",
        "as_strided",
        "as_strided_",
        "detach",
        "alias",
        "unfold",
    ]
)
WITHIN = frozenset({"t"})  # part of the call of a linear layer

# Ops by name. What is not named here is taken for the family of its group.
_MEMBERS = {
    "relu": "relu relu6 clamp clamp_min clamp_max hardtanh leaky_relu threshold abs neg",
    "relu_": "relu_ relu6_ clamp_ clamp_min_ hardtanh_ leaky_relu_ threshold_",
    "hardswish_": "hardswish hardswish_ hardsigmoid_",
    "silu_": "silu silu_ mish mish_ elu elu_ celu selu",
    "sigmoid": "sigmoid sigmoid_ hardsigmoid tanh tanh_ exp log_sigmoid softplus",
    "gelu": "gelu erf",
    "add": "add sub mul div rsub maximum minimum pow sqrt rsqrt where lerp",
    "add_": "add_ sub_ mul_ div_",
    "batch_norm": "native_batch_norm _native_batch_norm_legit_no_training",
    "layer_norm": "native_layer_norm native_group_norm local_response_norm",
    "max_pool": "max_pool2d_with_indices max_pool2d",
    "avg_pool": "avg_pool2d _adaptive_avg_pool2d",
    "mean": "mean sum amax max amin min linalg_vector_norm",
    "softmax": "_softmax _log_softmax _safe_softmax",
    "cat": "cat stack",
    "copy": "clone copy copy_ contiguous _to_copy repeat roll flip constant_pad_nd pixel_shuffle "
    "pixel_unshuffle index index_select reflection_pad2d",
    "shuffle": "channel_shuffle native_channel_shuffle",
    "nearest": "upsample_nearest2d",
    "bilinear": "upsample_bilinear2d upsample_bicubic2d",
}
_FAMILY_OF = {name: family for family, names in _MEMBERS.items() for name in names.split()}
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
        family: the ops of one kernel; VIEW for what costs a call and no work; "" if unknown.
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
    if name in VIEWS or name in WITHIN:
        return VIEW if name in VIEWS else ""
    family = _FAMILY_OF.get(name) or _BY_GROUP.get(group, "")
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
