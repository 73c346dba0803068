"""What each op is, by its name: its group, its elementary operations, its family of kernels.

Names are those of torch's schemas, without the namespace `aten` and without the trailing `_` of
in-place forms. A name stands here once; whoever traces, counts, predicts or measures reads it here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dualcost.network.fvcore import PLAIN, Handle, adaptive_pool, batch_norm, mean, norm, resizing
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
)
from dualcost.network.operations import (
    SOFTMAX,
    Arguments,
    Rule,
    aligned,
    batch_normalised,
    bias,
    each,
    each_read,
    elements,
    normalised,
    ordered,
    pairs,
    recurrent,
    scores,
    window,
)

VIEW = "view"  # a call, and no work: the arithmetic of shapes
WITHIN = "within"  # part of the call of another op


@dataclass(frozen=True)
class Operator:
    """What all ops of a name are.

    Attributes:
        group: one of `network.GROUPS`.
        operations: elementary ones besides multiply-accumulates; None: as many as its group has.
        family: the ops that run the same kind of kernel; "": that of its group.
        in_place: the family of its in-place form.
        learnt: its group where one factor of its products is a parameter; "": the same.
        fvcore: how fvcore knows it, where it does not count its products by torch's name.
    """

    group: str
    operations: Rule | None = None
    family: str = ""
    in_place: str = ""
    learnt: str = ""
    fvcore: Handle = PLAIN


_OPERATORS: dict[str, Operator] = {
    # products: their multiply-accumulates are counted by `nn/trace/ops.py`
    "convolution _convolution convolution_overrideable": Operator(CONVOLUTION, bias("bias")),
    "torchvision::deform_conv2d": Operator(CONVOLUTION, bias("bias")),
    "mm bmm mv dot vdot": Operator(MATMUL, learnt=LINEAR),
    "linear": Operator(MATMUL, bias("bias"), learnt=LINEAR),
    "addmm _addmm_activation addmv baddbmm addbmm": Operator(MATMUL, bias("self"), learnt=LINEAR),
    "_trilinear": Operator(MATMUL, learnt=LINEAR, fvcore=Handle(name="bilinear")),
    """scaled_dot_product_attention _scaled_dot_product_flash_attention
    _scaled_dot_product_flash_attention_for_cpu _scaled_dot_product_efficient_attention
    _scaled_dot_product_cudnn_attention
    _scaled_dot_product_fused_attention_overrideable""": Operator(MATMUL, scores),
    "mkldnn_rnn_layer": Operator(LINEAR, recurrent),
    # norms
    "native_batch_norm": Operator(
        NORM,
        batch_normalised,
        family="batch_norm",
        fvcore=Handle("batch norm", batch_norm, "batch_norm"),
    ),
    "_native_batch_norm_legit_no_training": Operator(NORM, batch_normalised, "batch_norm"),
    "_native_batch_norm_legit cudnn_batch_norm miopen_batch_norm": Operator(NORM, batch_normalised),
    "_batch_norm_with_update": Operator(NORM, normalised),
    "instance_norm": Operator(NORM, normalised, fvcore=Handle("instance norm")),
    "native_layer_norm": Operator(
        NORM,
        normalised,
        family="layer_norm",
        fvcore=Handle("layer norm", norm, "layer_norm"),
    ),
    "native_group_norm": Operator(
        NORM,
        normalised,
        family="layer_norm",
        fvcore=Handle("group norm", norm, "group_norm"),
    ),
    "_fused_rms_norm rms_norm": Operator(NORM, each(4)),  # square, sum, divide, scale
    "_weight_norm _weight_norm_interface": Operator(NORM, each(4)),
    "norm": Operator(NORM, each_read(2)),
    "linalg_vector_norm": Operator(NORM, each_read(2), "mean"),
    # activations
    "relu threshold": Operator(ACTIVATION, each(1), "relu", in_place="relu_"),
    "relu6 hardtanh leaky_relu": Operator(ACTIVATION, each(2), "relu", in_place="relu_"),
    "hardswish": Operator(ACTIVATION, each(5), "hardswish_", in_place="hardswish_"),
    # add, two comparisons, divide
    "hardsigmoid": Operator(ACTIVATION, each(4), "sigmoid", in_place="hardswish_"),
    # negate, exp, add, divide
    "sigmoid": Operator(ACTIVATION, each(4), "sigmoid", in_place="sigmoid"),
    "tanh": Operator(ACTIVATION, each(1), "sigmoid", in_place="sigmoid"),
    "log_sigmoid": Operator(ACTIVATION, each(4), "sigmoid"),
    "softplus": Operator(ACTIVATION, each(3), "sigmoid"),
    "silu mish": Operator(ACTIVATION, each(5), "silu_", in_place="silu_"),
    "elu": Operator(ACTIVATION, each(3), "silu_", in_place="silu_"),
    "celu selu": Operator(ACTIVATION, each(4), "silu_"),
    "gelu": Operator(ACTIVATION, each(5), "gelu"),  # divide, erf, add, two products
    "_softmax _log_softmax _safe_softmax": Operator(ACTIVATION, each(SOFTMAX), "softmax"),
    "glu": Operator(ACTIVATION, each(5)),
    "log_sigmoid_forward": Operator(ACTIVATION, each(4)),
    "prelu _prelu_kernel rrelu rrelu_with_noise softshrink hardshrink native_dropout": Operator(
        ACTIVATION, each(2)
    ),
    # pools
    "max_pool2d max_pool2d_with_indices": Operator(POOLING, window(1), "max_pool"),
    """max_pool1d max_pool3d max_pool3d_with_indices
    mkldnn_max_pool2d mkldnn_max_pool3d""": Operator(POOLING, window(1)),
    "avg_pool2d": Operator(POOLING, window(0), "avg_pool"),
    "avg_pool1d avg_pool3d": Operator(POOLING, window(0)),
    "_adaptive_avg_pool2d": Operator(
        POOLING,
        each_read(1),
        family="avg_pool",
        fvcore=Handle("adaptive average pooling", adaptive_pool, "adaptive_avg_pool2d"),
    ),
    """_adaptive_avg_pool3d adaptive_avg_pool1d
    adaptive_max_pool2d adaptive_max_pool3d""": Operator(POOLING, each_read(1)),
    "fractional_max_pool2d fractional_max_pool3d max_unpool2d max_unpool3d": Operator(POOLING),
    "torchvision::roi_align": Operator(POOLING, aligned),
    "torchvision::nms": Operator(POOLING, pairs),
    "torchvision::roi_pool torchvision::ps_roi_align torchvision::ps_roi_pool": Operator(POOLING),
    # reductions: one comparison or addition for each element that is read, if not more
    "mean": Operator(
        POOLING,
        each_read(1),
        family="mean",
        fvcore=Handle("adaptive average pooling", mean, "adaptive_avg_pool2d"),
    ),
    "sum amax amin max min": Operator(POOLING, each_read(1), "mean"),
    "any all argmax argmin prod cumsum cumprod aminmax": Operator(POOLING, each_read(1)),
    "logsumexp": Operator(POOLING, each_read(3)),
    "var var_mean std std_mean": Operator(POOLING, each_read(4)),
    "topk sort median kthvalue": Operator(POOLING, ordered),
    # resizing: a weighted sum of 2, 4, 8 or 16 neighbours is n products and n - 1 additions
    "upsample_nearest2d": Operator(
        RESIZE,
        each(0),
        family="nearest",
        fvcore=Handle("nearest-neighbour resizing", resizing(1)),
    ),
    """upsample_nearest1d upsample_nearest3d _upsample_nearest_exact1d _upsample_nearest_exact2d
    _upsample_nearest_exact3d""": Operator(RESIZE, each(0)),
    "upsample_linear1d": Operator(RESIZE, each(3)),
    "upsample_bilinear2d": Operator(
        RESIZE,
        each(7),
        family="bilinear",
        fvcore=Handle("bilinear resizing", resizing(4)),
    ),
    "_upsample_bilinear2d_aa affine_grid_generator": Operator(RESIZE, each(7)),
    "upsample_trilinear3d": Operator(RESIZE, each(15)),
    "upsample_bicubic2d": Operator(RESIZE, each(31), "bilinear"),
    "_upsample_bicubic2d_aa": Operator(RESIZE, each(31)),
    "grid_sampler_2d": Operator(
        RESIZE, each(7), fvcore=Handle("grid sampling", resizing(4), "grid_sampler")
    ),
    "grid_sampler_3d": Operator(RESIZE, each(15)),
    # lookups
    "embedding _embedding_bag _embedding_bag_forward_only": Operator(EMBEDDING),
    # one element at a time
    "add sub mul div": Operator(ELEMENTWISE, family="add", in_place="add_"),
    "rsub maximum minimum pow sqrt rsqrt where": Operator(ELEMENTWISE, family="add"),
    "lerp": Operator(ELEMENTWISE, each(3), "add"),
    "abs neg clamp_max": Operator(ELEMENTWISE, family="relu"),
    "clamp_min": Operator(ELEMENTWISE, family="relu", in_place="relu_"),
    "clamp": Operator(ELEMENTWISE, each(2), "relu", in_place="relu_"),
    "exp": Operator(ELEMENTWISE, family="sigmoid"),
    "erf": Operator(ELEMENTWISE, family="gelu"),
    "addcmul addcdiv": Operator(ELEMENTWISE, each(2)),
    "cross": Operator(ELEMENTWISE, each(3)),
    "_unique2": Operator(ELEMENTWISE, ordered),
    """masked_fill bucketize searchsorted isin _cdist_forward floor_divide remainder nan_to_num
    isnan isinf isfinite meshgrid tril triu addr""": Operator(ELEMENTWISE),
    # data moves, nothing is computed from activations
    "cat stack": Operator(FREE, family="cat"),
    "channel_shuffle native_channel_shuffle": Operator(FREE, family="shuffle"),
    "copy": Operator(FREE, family="copy", in_place="copy"),
    """clone contiguous _to_copy repeat roll flip constant_pad_nd pixel_shuffle pixel_unshuffle
    index index_select reflection_pad2d""": Operator(FREE, family="copy"),
    """repeat_interleave rot90 reflection_pad1d reflection_pad3d replication_pad1d
    replication_pad2d replication_pad3d _reshape_copy im2col col2im index_put _index_put_impl
    _unsafe_index gather scatter scatter_add index_add index_copy masked_select masked_scatter
    nonzero take take_along_dim slice_scatter select_scatter index_fill diag_embed one_hot
    unsafe_split unsafe_chunk unsafe_split_with_sizes
    _pack_padded_sequence _pad_packed_sequence""": Operator(FREE),
    # … or is made, or asked for
    """zeros ones full zeros_like ones_like full_like new_zeros new_ones new_full arange linspace
    logspace eye scalar_tensor fill zero rand randn randint randperm rand_like randn_like
    bernoulli uniform normal lift_fresh lift lift_fresh_copy resize set sym_size sym_numel
    sym_stride is_same_size equal _local_scalar_dense _assert_async _assert_tensor_metadata
    _has_compatible_shallow_copy_type""": Operator(FREE),
    # views: those that a machine is known to call for nothing but shapes
    """view _unsafe_view unsqueeze squeeze expand select slice split split_with_sizes unbind chunk
    transpose permute detach alias unfold""": Operator(FREE, family=VIEW),
    "as_strided": Operator(FREE, family=VIEW, in_place=VIEW),
    "t": Operator(FREE, family=WITHIN),  # of the weight of a linear layer
}
OPERATORS: dict[str, Operator] = {
    name: operator for names, operator in _OPERATORS.items() for name in names.split()
}
_COMPUTING = (ACTIVATION, NORM, POOLING, RESIZE, ELEMENTWISE)


def operator(name: str) -> Operator | None:
    """What ops of this name are, in place or not; None for a name that is not known."""
    return OPERATORS.get(name.rstrip("_"))


def family_of(name: str) -> str:
    """The family of kernels of an op by its name; "" if it has none but that of its group."""
    known = operator(name)
    if known is None:
        return ""
    return known.in_place if name.endswith("_") else known.family


def operations(name: str, group: str, arguments: Arguments, result: Any) -> int:
    """How many operations an op did besides its multiply-accumulates.

    Args:
        name: the op.
        group: its group.
        arguments: by the names of its schema; whatever has a `shape` is a tensor.
        result: what it returned.
    """
    known = operator(name)
    if known is not None and known.operations is not None:
        return known.operations(arguments, result)
    return elements(result) if group in _COMPUTING else 0
