"""How a new layer starts from the convolution that it replaces: by least squares.

The kernel of every kind is a dense one with structure. Of all weights of the new layer those are
taken whose dense equivalent is nearest to the old dense kernel in the Frobenius norm:

* A sum of parts (standard, group, het, dual): each weight stands at one place of the dense kernel,
  so that every place that a part covers is met exactly, and where two parts cover it (dual: the
  centre of the own group) they share it in halves, the solution of least norm.
* A chain (dsc): channel m has the kernel pointwise[:, m] · depthwise[m], a matrix (filters × taps)
  of rank 1. The nearest one is that of the largest singular value (Eckart and Young, 1936), which
  both parts share by its root.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dualcost.errors import ModelError
from dualcost.kinds.kinds import DSC
from dualcost.nn.layers.kinds import Layer
from dualcost.nn.layers.recipe import RecipeConv2d
from dualcost.nn.layers.start import Start


@torch.no_grad()
def copy_kernel(layer: Layer, old: nn.Conv2d, path: str) -> Start:
    """Give a new layer the weights nearest to an old convolution's, and its bias if both have one.

    Args:
        layer: with the old one's channels and kernel size; written to.
        old: any number of groups; left as it is.
        path: where it stands, for the report and for errors.

    Raises:
        ModelError: the old kernel has no values (meta), or they are not finite; or a chain of one's
            own has no nearest kernel that is known.
    """
    if old.weight.is_meta:
        raise ModelError(
            f"{path} has no weights to start from",
            "convert a model with weights, or use init fresh",
        )
    wanted = dense_kernel(old)
    if not wanted.isfinite().all():
        raise ModelError(
            f"{path} has a weight that is not finite", "nothing is near it: use init fresh"
        )
    if isinstance(layer, RecipeConv2d) and layer.kind.chained and layer.kind != DSC:
        raise ModelError(
            f"{path}: how the chain {layer.kind.name} would start from an old kernel is not known",
            "use init fresh",
        )
    if not isinstance(layer, RecipeConv2d):
        layer.weight.copy_(wanted)
    elif layer.kind.chained:
        _copy_into_chain(layer, wanted)
    else:
        _copy_into_sum(layer, wanted)
    if layer.bias is not None and old.bias is not None:
        layer.bias.copy_(old.bias)
    distance = torch.linalg.vector_norm(dense_kernel(layer) - wanted)
    return Start(path, "", float(distance), float(torch.linalg.vector_norm(wanted)))


@torch.no_grad()
def dense_kernel(layer: Layer) -> Tensor:
    """The kernel of the plain convolution that a layer equals: (N, M, K, K), in double precision.

    A layer without a bias between its parts is one, whatever its kind.
    """
    if not isinstance(layer, RecipeConv2d):
        return _ungrouped(layer)
    if layer.kind.chained:
        depthwise, pointwise = (layer.get_parameter(part.name) for part in layer.kind.parts)
        return pointwise.double() * depthwise.double().transpose(0, 1)
    return _summed(layer)


def _summed(layer: RecipeConv2d) -> Tensor:
    """The kernels of all parts of a sum, in place."""
    row, column = _centre(layer)
    like = next(layer.parameters()).double()
    whole = like.new_zeros(layer.out_channels, layer.in_channels, *layer.kernel_size)
    for part in layer.kind.parts:
        if part.spatial:
            whole += layer.kernel(part.name)
        else:
            whole[:, :, row, column] += layer.kernel(part.name)[:, :, 0, 0]
    return whole


def _ungrouped(layer: nn.Conv2d) -> Tensor:
    weight = layer.weight.double()
    N, seen, *taps = weight.shape
    dense = weight.new_zeros(layer.groups, N // layer.groups, layer.groups, seen, *taps)
    own = range(layer.groups)
    dense[own, :, own] = weight.view(layer.groups, -1, seen, *taps)
    return dense.view(N, layer.in_channels, *taps)


def _centre(layer: RecipeConv2d) -> tuple[int, int]:
    """The tap of the window that a 1×1 beside it reads."""
    row, column = ((size - 1) // 2 for size in layer.kernel_size)
    return row, column


def _copy_into_sum(layer: RecipeConv2d, wanted: Tensor) -> None:
    """Share each place of the kernel between the parts that cover it."""
    row, column = _centre(layer)
    for weight in (layer._parameters[part.name] for part in layer.kind.parts):
        if weight is not None:
            weight.fill_(1)
    # with ones as weights, its kernel says how often each place is covered
    shared = wanted / _summed(layer).clamp(min=1)
    for part in layer.kind.parts:
        kernel = shared if part.spatial else shared[:, :, row : row + 1, column : column + 1]
        layer.load_kernel(part.name, kernel)


def _copy_into_chain(layer: RecipeConv2d, wanted: Tensor) -> None:
    """The nearest matrix of rank 1 of each channel."""
    N, M, *taps = wanted.shape
    left, values, right = torch.linalg.svd(
        wanted.flatten(2).transpose(0, 1), full_matrices=False
    )  # (M, N, r), (M, r), (M, r, taps)
    root = values[:, :1].sqrt()
    depthwise, pointwise = layer.kind.parts
    layer.get_parameter(depthwise.name).copy_((right[:, 0] * root).view(M, 1, *taps))
    layer.get_parameter(pointwise.name).copy_((left[:, :, 0] * root).t().reshape(N, M, 1, 1))
