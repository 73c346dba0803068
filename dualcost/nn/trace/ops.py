"""What each executed op of torch did: its group, its multiply-accumulates, its other operations.

What an op is stands in `network/ops.py`; the formulas of products are here. What neither names is a
view (by its schema), elementwise (by torch's own tag), or unknown; unknown is shown to the user,
never counted as zero in silence.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from math import prod
from typing import Any

import torch
from torch import Tensor

from dualcost.network.network import CONVOLUTION, ELEMENTWISE, FREE, UNKNOWN
from dualcost.network.ops import operations, operator
from dualcost.network.site import ConvSite
from dualcost.nn.trace.rules import OP_RULES

# Not operations at all: memory is reserved, or a question is asked.
ALLOCATIONS = frozenset({"empty", "empty_like", "empty_strided", "new_empty", "new_empty_strided"})


@dataclass(frozen=True)
class Work:
    """What one executed op is: its group, MACs, its site if a convolution, other operations."""

    group: str
    macs: int = 0
    site: ConvSite | None = None
    operations: int = 0


@cache
def name_of(function: torch._ops.OpOverload) -> str:
    """The op as users know it: "convolution", "relu_", "torchvision::nms"."""
    return function._schema.name.removeprefix("aten::")


@cache
def is_view(function: torch._ops.OpOverload) -> bool:
    """Its result shares memory with an argument that it does not write to."""
    aliases = (argument.alias_info for argument in function._schema.arguments)
    return any(alias is not None and not alias.is_write for alias in aliases)


def work(
    function: torch._ops.OpOverload, arguments: dict[str, Any], result: Any, *, learnt: bool
) -> Work:
    """Say what an op did.

    Args:
        function: the op.
        arguments: by the names of its schema, defaults filled in.
        result: what it returned.
        learnt: one of its factors is a parameter, or it ran in a linear layer.
    """
    name = name_of(function).rstrip("_")
    done = _classified(function, name, arguments, result, learnt)
    return replace(done, operations=operations(name, done.group, arguments, result))


def _classified(
    function: torch._ops.OpOverload, name: str, arguments: dict[str, Any], result: Any, learnt: bool
) -> Work:
    if name in OP_RULES:
        group, rule = OP_RULES[name]
        return Work(group, int(rule(arguments, result)))
    if name in _CONVOLUTIONS:
        site = _CONVOLUTIONS[name](arguments, result)
        return Work(CONVOLUTION, site.macs, site)
    if (known := operator(name)) is not None:
        group = (known.learnt if learnt else "") or known.group
        return Work(group, _PRODUCTS[name](arguments, result) if name in _PRODUCTS else 0)
    if is_view(function) or torch.Tag.inplace_view in function.tags:
        return Work(FREE)
    return Work(ELEMENTWISE if torch.Tag.pointwise in function.tags else UNKNOWN)


def _convolution(arguments: dict[str, Any], result: Tensor) -> ConvSite:
    """aten::convolution: input (B, M, *in), weight (N, M/g, *K), transposed (M, N/g, *K)."""
    image, weight = arguments["input"], arguments["weight"]
    dims = weight.dim() - 2

    def spread(values: Any) -> tuple[int, ...]:
        sizes = tuple(int(value) for value in values)
        return sizes * dims if len(sizes) == 1 else sizes

    return ConvSite(
        M=image.shape[1],
        N=result.shape[1],
        kernel=tuple(weight.shape[2:]),
        stride=spread(arguments["stride"]),
        padding=spread(arguments["padding"]),
        dilation=spread(arguments["dilation"]),
        groups=int(arguments["groups"]),
        bias=arguments.get("bias") is not None,
        transposed=bool(arguments.get("transposed", False)),
        in_size=tuple(image.shape[2:]),
        out_size=tuple(result.shape[2:]),
        batch=image.shape[0],
    )


def _macs(count: Any) -> int:
    """A count as it is: an integer, or torch's symbol for one in a symbolic trace."""
    number: int = count
    return number


def _inner(first: str) -> Callable[[dict[str, Any], Tensor], int]:
    """A product of matrices: one MAC per result element and element of the contracted axis."""
    return lambda arguments, result: prod(result.shape) * arguments[first].shape[-1]


def _summed_batches(arguments: dict[str, Any], result: Tensor) -> int:
    """aten::addbmm: the products (b, n, k) × (b, k, m) are summed over b."""
    first, second = arguments["batch1"], arguments["batch2"]
    return _macs(prod(first.shape) * second.shape[-1])


def _attention(arguments: dict[str, Any], result: Any) -> int:
    """query·keyᵀ and scores·value: B·H·S·T·(E + E_v)."""
    query, key, value = (arguments[name] for name in ("query", "key", "value"))
    scores = prod(query.shape[:-1]) * key.shape[-2]
    return _macs(scores * (query.shape[-1] + value.shape[-1]))


def _deformable(arguments: dict[str, Any], result: Tensor) -> int:
    """torchvision::deform_conv2d: as a convolution; sampling the taps is not counted."""
    return _macs(prod(arguments["weight"].shape[1:]) * prod(result.shape))


def _recurrent_layer(arguments: dict[str, Any], result: Any) -> int:
    """aten::mkldnn_rnn_layer: both weight matrices once per element of the sequence."""
    steps = prod(arguments["input"].shape[:2])
    return _macs(steps * sum(prod(arguments[name].shape) for name in ("weight0", "weight1")))


def _bilinear(arguments: dict[str, Any], result: Tensor) -> int:
    """aten::_trilinear as nn.Bilinear calls it: x₁ W x₂ for every output feature."""
    rows = prod(result.shape[:-1])
    return _macs(rows * prod(arguments["i2"].shape))


_CONVOLUTIONS: dict[str, Callable[[dict[str, Any], Any], ConvSite]] = {
    "convolution": _convolution,
    "_convolution": _convolution,
    "convolution_overrideable": _convolution,
}
_PRODUCTS: dict[str, Callable[[dict[str, Any], Any], int]] = {
    "mm": _inner("self"),
    "bmm": _inner("self"),
    "mv": _inner("self"),
    "dot": lambda arguments, result: prod(arguments["self"].shape),
    "vdot": lambda arguments, result: prod(arguments["self"].shape),
    "addmm": _inner("mat1"),
    "_addmm_activation": _inner("mat1"),
    "addmv": _inner("mat"),
    "baddbmm": _inner("batch1"),
    "addbmm": _summed_batches,
    "linear": _inner("input"),
    "_trilinear": _bilinear,
    "scaled_dot_product_attention": _attention,
    "_scaled_dot_product_flash_attention": _attention,
    "_scaled_dot_product_flash_attention_for_cpu": _attention,
    "_scaled_dot_product_efficient_attention": _attention,
    "_scaled_dot_product_cudnn_attention": _attention,
    "_scaled_dot_product_fused_attention_overrideable": _attention,
    "mkldnn_rnn_layer": _recurrent_layer,
    "torchvision::deform_conv2d": _deformable,
}
