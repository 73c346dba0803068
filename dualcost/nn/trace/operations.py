"""Elementary operations besides multiply-accumulates, for the convention that counts all.

One addition, multiplication, division, comparison or function value (exp, tanh, erf, …) is one
operation. Most rules are a number per element of the result; the others read the arguments. The
additions of a bias and of a softmax inside attention are counted here too.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, log2, prod
from typing import Any

from torch import Tensor

from dualcost.network.network import ACTIVATION, ELEMENTWISE, EMBEDDING, FREE, NORM, POOLING, RESIZE

Arguments = dict[str, Any]

SOFTMAX = 5  # maximum, subtract, exp, sum, divide

# For each element of the first result.
_PER_ELEMENT: dict[str, int] = {
    "relu": 1,
    "relu6": 2,
    "hardtanh": 2,
    "threshold": 1,
    "leaky_relu": 2,
    "prelu": 2,
    "_prelu_kernel": 2,
    "rrelu": 2,
    "rrelu_with_noise": 2,
    "tanh": 1,
    "sigmoid": 4,  # negate, exp, add, divide
    "silu": 5,
    "hardsigmoid": 4,  # add, two comparisons, divide
    "hardswish": 5,
    "gelu": 5,  # divide, erf, add, two products
    "elu": 3,
    "celu": 4,
    "selu": 4,
    "mish": 5,
    "softplus": 3,
    "softshrink": 2,
    "hardshrink": 2,
    "glu": 5,
    "log_sigmoid": 4,
    "log_sigmoid_forward": 4,
    "_softmax": SOFTMAX,
    "_safe_softmax": SOFTMAX,
    "_log_softmax": SOFTMAX,
    "native_dropout": 2,
    "_fused_rms_norm": 4,  # square, sum, divide, scale
    "rms_norm": 4,
    "_weight_norm": 4,
    "_weight_norm_interface": 4,
    "upsample_nearest1d": 0,
    "upsample_nearest2d": 0,
    "upsample_nearest3d": 0,
    "_upsample_nearest_exact1d": 0,
    "_upsample_nearest_exact2d": 0,
    "_upsample_nearest_exact3d": 0,
    # a weighted sum of 2, 4, 8 or 16 neighbours: n products and n - 1 additions
    "upsample_linear1d": 3,
    "upsample_bilinear2d": 7,
    "_upsample_bilinear2d_aa": 7,
    "upsample_trilinear3d": 15,
    "upsample_bicubic2d": 31,
    "_upsample_bicubic2d_aa": 31,
    "grid_sampler_2d": 7,
    "grid_sampler_3d": 15,
    "affine_grid_generator": 7,
    "clamp": 2,
    "lerp": 3,
    "addcmul": 2,
    "addcdiv": 2,
    "cross": 3,
}
# What reads every element of its first argument, so often.
_PER_INPUT: dict[str, int] = {
    "linalg_vector_norm": 2,
    "norm": 2,
    "var": 4,
    "var_mean": 4,
    "std": 4,
    "std_mean": 4,
    "logsumexp": 3,
    "_adaptive_avg_pool2d": 1,
    "_adaptive_avg_pool3d": 1,
    "adaptive_avg_pool1d": 1,
    "adaptive_max_pool2d": 1,
    "adaptive_max_pool3d": 1,
}
_REDUCTIONS = frozenset(
    # one comparison or addition for each element that is read
    (
        "mean",
        "sum",
        "amax",
        "amin",
        "max",
        "min",
        "any",
        "all",
        "argmax",
        "argmin",
        "prod",
        "cumsum",
        "cumprod",
        "aminmax",
    )
)
_SORTS = ("topk", "sort", "median", "kthvalue", "_unique2")


def operations(name: str, group: str, arguments: Arguments, result: Any) -> int:
    """How many operations an op did besides its multiply-accumulates.

    Args:
        name: the op, without the trailing `_` of in-place forms.
        group: its group.
        arguments: by the names of its schema.
        result: what it returned.
    """
    if name in _SPECIAL:
        return _SPECIAL[name](arguments, result)
    if group in (FREE, EMBEDDING):
        return 0
    if name in _PER_ELEMENT:
        return _PER_ELEMENT[name] * _elements(result)
    first = next((value for value in arguments.values() if isinstance(value, Tensor)), None)
    read = _elements(first)
    if name in _PER_INPUT:
        return _PER_INPUT[name] * read
    if name in _REDUCTIONS:
        return read
    if name in _SORTS:
        return read * ceil(log2(max(2, read)))
    return _elements(result) if group in (ACTIVATION, NORM, POOLING, RESIZE, ELEMENTWISE) else 0


def _elements(value: Any) -> int:
    while isinstance(value, list | tuple):
        value = value[0] if value else None
    return int(prod(value.shape)) if isinstance(value, Tensor) else 0


def _bias(argument: str) -> Callable[[Arguments, Any], int]:
    """One addition for each element of the result, if there is something to add."""
    return lambda arguments, result: _elements(result) if arguments.get(argument) is not None else 0


def _window(least: int) -> Callable[[Arguments, Any], int]:
    """A pool: a window of taps for each element of the result, less `least` operations."""

    def counted(arguments: Arguments, result: Any) -> int:
        taps = prod(int(size) for size in arguments["kernel_size"])
        if len(arguments["kernel_size"]) == 1:  # one number stands for every side
            taps **= arguments["self"].dim() - 2
        return (taps - least) * _elements(result)

    return counted


def _normalised(arguments: Arguments, result: Any) -> int:
    """Mean, variance (two) and their use (two) for each element; two more with weights."""
    return _elements(result) * (7 if arguments.get("weight") is not None else 5)


def _batch_normalised(arguments: Arguments, result: Any) -> int:
    """In eval mode one product and one addition, folded from the statistics.

    With the statistics of the batch itself, as an instance norm has them, it is a norm like others.
    """
    return _normalised(arguments, result) if arguments.get("training") else 2 * _elements(result)


def _scores(arguments: Arguments, result: Any) -> int:
    """Attention: the scaling and the softmax of every score."""
    query, key = arguments["query"], arguments["key"]
    return int((1 + SOFTMAX) * prod(query.shape[:-1]) * key.shape[-2])


def _recurrent(arguments: Arguments, result: Any) -> int:
    """A step of an LSTM: 8 biases, 3 sigmoids, 2 tanh, 4 products and sums for each unit.

    A GRU has 6 biases, 2 sigmoids, 1 tanh and 5; a plain RNN 2 biases and a function.
    """
    gates = arguments["weight0"].shape[0] // arguments["hidden_size"]
    per_unit = {4: 8 + 3 * 4 + 2 + 4, 3: 6 + 2 * 4 + 1 + 5, 1: 2 + 1}[gates]
    return int(per_unit * prod(arguments["input"].shape[:2]) * arguments["hidden_size"])


def _aligned(arguments: Arguments, result: Any) -> int:
    """roi_align: bilinear samples, averaged; a ratio of 0 is adaptive and taken as 2."""
    samples = (arguments["sampling_ratio"] if arguments["sampling_ratio"] > 0 else 2) ** 2
    return 8 * samples * _elements(result)


def _pairs(arguments: Arguments, result: Any) -> int:
    """nms: the overlap of every pair of boxes takes about a dozen operations."""
    boxes = arguments["dets"].shape[0]
    return int(12 * boxes * (boxes - 1) // 2)


_SPECIAL: dict[str, Callable[[Arguments, Any], int]] = {
    "convolution": _bias("bias"),
    "_convolution": _bias("bias"),
    "convolution_overrideable": _bias("bias"),
    "torchvision::deform_conv2d": _bias("bias"),
    "linear": _bias("bias"),
    "addmm": _bias("self"),
    "_addmm_activation": _bias("self"),
    "addmv": _bias("self"),
    "baddbmm": _bias("self"),
    "addbmm": _bias("self"),
    "native_batch_norm": _batch_normalised,
    "_native_batch_norm_legit": _batch_normalised,
    "_native_batch_norm_legit_no_training": _batch_normalised,
    "_batch_norm_with_update": _normalised,
    "cudnn_batch_norm": _batch_normalised,
    "miopen_batch_norm": _batch_normalised,
    "native_layer_norm": _normalised,
    "native_group_norm": _normalised,
    "instance_norm": _normalised,
    "max_pool1d": _window(1),
    "max_pool2d": _window(1),
    "max_pool3d": _window(1),
    "max_pool2d_with_indices": _window(1),
    "max_pool3d_with_indices": _window(1),
    "mkldnn_max_pool2d": _window(1),
    "mkldnn_max_pool3d": _window(1),
    "avg_pool1d": _window(0),
    "avg_pool2d": _window(0),
    "avg_pool3d": _window(0),
    "scaled_dot_product_attention": _scores,
    "_scaled_dot_product_flash_attention": _scores,
    "_scaled_dot_product_flash_attention_for_cpu": _scores,
    "_scaled_dot_product_efficient_attention": _scores,
    "_scaled_dot_product_cudnn_attention": _scores,
    "_scaled_dot_product_fused_attention_overrideable": _scores,
    "mkldnn_rnn_layer": _recurrent,
    "torchvision::roi_align": _aligned,
    "torchvision::nms": _pairs,
}
