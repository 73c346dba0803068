"""The exact forms of a layer: other convolutions that compute the same, for inference.

A 1×1 beside a K×K is a K×K that is zero but for its centre, so a sum of the two can be cut and put
together anew. `FORMS` names the ways; which of them is cheapest depends on sizes and machine.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_conv_bn_weights

from dualcost.kinds.kinds import DSC, DUAL, GROUP, HET
from dualcost.kinds.recipe import OTHER_GROUPS, OWN_GROUP, ConvKind, Part
from dualcost.nn.layers.initial import dense_kernel
from dualcost.nn.layers.kinds import DualConv2d, HetConv2d
from dualcost.nn.layers.recipe import RecipeConv2d


class FoldedDualConv2d(RecipeConv2d):
    """DualConv2d without its redundant weights: what HetConv is, with contiguous groups.

    The 1×1 of a filter over its own group stands in the centre taps of its K×K, so that the 1×1
    sees the other groups alone: 1/(K² + G) fewer weights and MACs, in log2(G) grouped 1×1.
    """

    kind = ConvKind(
        "folded dual",
        "K×K over 1/G of the channels plus 1×1 over the other groups",
        (Part("spatial", True, OWN_GROUP), Part("pointwise", False, OTHER_GROUPS)),
        letter="G",
    )


class MaskedHetConv2d(nn.Module):
    """HetConv2d as two convolutions over sorted channels: a grouped K×K, and one 1×1 over all.

    The 1×1 is zero where a filter's K×K sees, and multiplies by these zeros: it executes more MACs
    than the recipe has, in fewer calls.
    """

    def __init__(self, inner: DualConv2d) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, image: Tensor) -> Tensor:
        """The convolution of a batch (B, M, H, W), or of one image (M, H, W)."""
        if image.dim() == 3:
            result: Tensor = self.forward(image.unsqueeze(0)).squeeze(0)
            return result
        P = self.inner.divisor
        made = self.inner(F.channel_shuffle(image, self.inner.in_channels // P))
        return F.channel_shuffle(made, P)


def _words(layer: RecipeConv2d) -> dict[str, Any]:
    """The constructor's words of a layer, but for its channels and kernel, and G or P."""
    weight = next(layer.parameters())
    return {
        "stride": layer.stride,
        "padding": layer.padding,
        "dilation": layer.dilation,
        "padding_mode": layer.padding_mode,
        "bias": layer.bias is not None,
        "device": weight.device,
        "dtype": weight.dtype,
    }


@torch.no_grad()
def _dense(layer: RecipeConv2d) -> nn.Module:
    size = (layer.in_channels, layer.out_channels, layer.kernel_size)
    plain = nn.Conv2d(*size, **_words(layer))  # type: ignore[arg-type]  # nn.Conv2d says tuple[int, ...]
    plain.weight.copy_(dense_kernel(layer))
    if plain.bias is not None and layer.bias is not None:
        plain.bias.copy_(layer.bias)
    return plain.train(layer.training)


@torch.no_grad()
def _folded(layer: RecipeConv2d) -> nn.Module:
    size = (layer.in_channels, layer.out_channels, layer.kernel_size)
    folded = FoldedDualConv2d(*size, **_words(layer), G=layer.divisor)  # type: ignore[arg-type]  # as above
    folded.load_kernel("spatial", dense_kernel(layer))
    folded.load_kernel("pointwise", layer.kernel("pointwise"))
    folded.bias = layer.bias
    return folded.train(layer.training)


@torch.no_grad()
def _masked(layer: RecipeConv2d) -> nn.Module:
    size = (layer.in_channels, layer.out_channels, layer.kernel_size)
    inner = DualConv2d(*size, **_words(layer), G=layer.divisor)  # type: ignore[arg-type]  # as above
    filters, channels = (
        torch.arange(length).view(-1, layer.divisor).t().reshape(-1)
        for length in (layer.out_channels, layer.in_channels)
    )
    for name in ("spatial", "pointwise"):
        inner.load_kernel(name, layer.kernel(name)[filters[:, None], channels])
    if layer.bias is not None:
        inner.bias = nn.Parameter(layer.bias[filters])
    return MaskedHetConv2d(inner).train(layer.training)


def _parts(layer: RecipeConv2d) -> nn.Module:
    grouped = copy.deepcopy(layer)
    if isinstance(grouped, HetConv2d):
        grouped.implementation = "grouped"
    return grouped


# What each kind can be instead of itself. Where G or P is 1, "folded" and "masked" are dense.
FORMS: dict[str, dict[str, Callable[[RecipeConv2d], nn.Module]]] = {
    DUAL.name: {"folded": _folded, "dense": _dense},
    HET.name: {"masked": _masked, "dense": _dense},
    GROUP.name: {"dense": _dense},
    DSC.name: {"dense": _dense},
}
PARTS = "parts"  # the recipe's convolutions, as the module runs them
BRANCHES = "branches"
TOO_FEW = ("folded", "masked")


def forms(layer: RecipeConv2d) -> dict[str, nn.Module]:
    """Every exact form of a layer, with weights of its own; first what it is now."""
    found: dict[str, nn.Module] = {}
    if isinstance(layer, HetConv2d) and layer.implementation == BRANCHES:
        found[BRANCHES] = copy.deepcopy(layer)
    found[PARTS] = _parts(layer)
    for name, make in FORMS[layer.kind.name].items():
        if layer.divisor > 1 or name not in TOO_FEW:
            found[name] = make(layer)
    return found


@torch.no_grad()
def with_norm(layer: Any, norm: _BatchNorm) -> nn.Module:
    """A convolution that also does what the batch norm behind it does in eval mode.

    Args:
        layer: one of torch's (a transposed one without groups), or of a recipe; in eval mode.
        norm: with running statistics, in eval mode.
    """
    if not isinstance(layer, RecipeConv2d):
        transposed = isinstance(layer, nn.modules.conv._ConvTransposeNd)
        plain: nn.Module = fuse_conv_bn_eval(layer, norm, transpose=transposed)
        return plain
    assert norm.running_mean is not None and norm.running_var is not None
    ones = norm.running_mean.new_ones(layer.out_channels, 1, 1, 1)
    statistics = (norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias)
    scale, bias = fuse_conv_bn_weights(ones, layer.bias, *statistics)
    folded = copy.deepcopy(layer)
    # of a chain, the last part makes what the norm scales; of a sum, every part does
    for part in layer.kind.parts[-1:] if layer.kind.chained else layer.kind.parts:
        folded.load_kernel(part.name, layer.kernel(part.name) * scale)
    folded.bias = bias
    return folded
