"""What each torch op is: its group, and the multiply-accumulates of those that have any.

The tables name ops as torch's schemas do, without the namespace `aten` and the trailing `_` of
in-place forms. What no table names is a view (by its schema), elementwise (by torch's own tag),
or unknown; unknown is shown to the user, never counted as zero in silence.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from math import prod
from typing import Any

import torch
from torch import Tensor

from dualcost.network.network import (
    ACTIVATION,
    CONVOLUTION,
    ELEMENTWISE,
    EMBEDDING,
    FREE,
    LINEAR,
    MATMUL,
    NORM,
    POOLING,
    RESIZE,
    UNKNOWN,
)
from dualcost.network.site import ConvSite
from dualcost.nn.trace.operations import operations
from dualcost.nn.trace.rules import OP_RULES

# Not operations at all: memory is reserved, or a question is asked.
ALLOCATIONS = frozenset({"empty", "empty_like", "empty_strided", "new_empty", "new_empty_strided"})

_GROUPS: dict[str, str] = {
    NORM: """native_batch_norm _native_batch_norm_legit _native_batch_norm_legit_no_training
        _batch_norm_with_update miopen_batch_norm cudnn_batch_norm native_layer_norm
        native_group_norm _fused_rms_norm rms_norm linalg_vector_norm norm instance_norm
        _weight_norm _weight_norm_interface""",
    ACTIVATION: """relu relu6 silu hardswish hardsigmoid hardtanh gelu sigmoid tanh leaky_relu elu
        selu celu mish softplus softshrink hardshrink threshold prelu _prelu_kernel rrelu
        rrelu_with_noise glu log_sigmoid log_sigmoid_forward _softmax _log_softmax _safe_softmax
        native_dropout""",
    POOLING: """max_pool1d max_pool2d max_pool3d max_pool2d_with_indices max_pool3d_with_indices
        avg_pool1d avg_pool2d avg_pool3d _adaptive_avg_pool2d _adaptive_avg_pool3d
        adaptive_avg_pool1d adaptive_max_pool2d adaptive_max_pool3d fractional_max_pool2d
        fractional_max_pool3d max_unpool2d max_unpool3d mkldnn_max_pool2d mkldnn_max_pool3d
        mean sum amax amin max min any all argmax argmin var var_mean std std_mean logsumexp prod
        cumsum cumprod aminmax median kthvalue topk sort
        torchvision::roi_align torchvision::roi_pool torchvision::ps_roi_align
        torchvision::ps_roi_pool torchvision::nms""",
    RESIZE: """upsample_nearest1d upsample_nearest2d upsample_nearest3d _upsample_nearest_exact1d
        _upsample_nearest_exact2d _upsample_nearest_exact3d upsample_linear1d upsample_bilinear2d
        upsample_trilinear3d upsample_bicubic2d _upsample_bilinear2d_aa _upsample_bicubic2d_aa
        grid_sampler_2d grid_sampler_3d affine_grid_generator""",
    EMBEDDING: "embedding _embedding_bag _embedding_bag_forward_only",
    ELEMENTWISE: """where masked_fill clamp clamp_min clamp_max bucketize searchsorted _unique2
        isin cross _cdist_forward floor_divide remainder lerp addcmul addcdiv nan_to_num
        isnan isinf isfinite meshgrid tril triu addr""",
    # data moves or is made, nothing is computed from activations
    FREE: """cat stack clone copy _to_copy contiguous repeat repeat_interleave roll flip rot90
        constant_pad_nd reflection_pad1d reflection_pad2d reflection_pad3d replication_pad1d
        replication_pad2d replication_pad3d _unsafe_view _reshape_copy pixel_shuffle
        pixel_unshuffle channel_shuffle native_channel_shuffle im2col col2im index index_select
        index_put _index_put_impl _unsafe_index gather scatter scatter_add index_add index_copy
        masked_select masked_scatter nonzero take take_along_dim slice_scatter select_scatter
        as_strided lift_fresh lift lift_fresh_copy index_fill _local_scalar_dense _assert_async
        _assert_tensor_metadata zeros ones full zeros_like ones_like full_like new_zeros
        new_ones new_full arange linspace logspace eye scalar_tensor fill zero rand randn
        randint randperm rand_like randn_like
        bernoulli uniform normal one_hot resize set sym_size sym_numel sym_stride is_same_size
        _has_compatible_shallow_copy_type unsafe_split unsafe_chunk unsafe_split_with_sizes
        diag_embed equal _pack_padded_sequence _pad_packed_sequence""",
}
GROUP_OF: dict[str, str] = {
    name: group for group, names in _GROUPS.items() for name in names.split()
}


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
    if name in _PRODUCTS:
        return Work(LINEAR if learnt else MATMUL, _PRODUCTS[name](arguments, result))
    if name in _OTHERS:
        group, macs = _OTHERS[name]
        return Work(group, macs(arguments, result))
    if name in GROUP_OF:
        return Work(GROUP_OF[name])
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
}
_OTHERS: dict[str, tuple[str, Callable[[dict[str, Any], Any], int]]] = {
    "scaled_dot_product_attention": (MATMUL, _attention),
    "_scaled_dot_product_flash_attention": (MATMUL, _attention),
    "_scaled_dot_product_flash_attention_for_cpu": (MATMUL, _attention),
    "_scaled_dot_product_efficient_attention": (MATMUL, _attention),
    "_scaled_dot_product_cudnn_attention": (MATMUL, _attention),
    "_scaled_dot_product_fused_attention_overrideable": (MATMUL, _attention),
    "mkldnn_rnn_layer": (LINEAR, _recurrent_layer),
    "torchvision::deform_conv2d": (CONVOLUTION, _deformable),
}
