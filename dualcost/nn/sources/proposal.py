"""An input to try on a model about whose input nobody says anything, by its first layer."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass
from io import StringIO
from typing import Any

import torch
from torch import nn
from torch.nn.modules.conv import _ConvNd

from dualcost.network.network import TensorSpec

# Sizes that networks are made for, by how many a layer's images have; the usual ones first.
SIZES: dict[int, tuple[tuple[int, ...], ...]] = {
    1: ((1024,), (16000,), (256,), (128,)),
    2: tuple((side, side) for side in (224, 32, 28, 64, 96, 128, 256, 299, 512)),
    3: ((16, 112, 112), (32, 32, 32), (64, 64, 64)),
}
WORDS = 16  # of a text


@dataclass(frozen=True)
class Proposal:
    """An input that a model runs on, and the layer that says so.

    Attributes:
        spec: the input; None: no size that was tried fits.
        layer: the path of the model's first layer, and its type: "stem.conv (Conv2d)".
        takes: what that takes: "3 channels".
    """

    spec: TensorSpec | None
    layer: str
    takes: str


def proposal(model: nn.Module) -> Proposal | None:
    """What may be tried; None: no layer says anything, or the model has several inputs.

    The model runs on tensors without values, and is not to be used afterwards.
    """
    if len(required(model)) != 1:
        return None
    model = model.to("meta").eval()
    for path, module in model.named_modules():
        specs = [*_inputs_of(module)]
        if specs:
            layer = f"{path} ({type(module).__name__})" if path else type(module).__name__
            fits = next((spec for spec in specs if _runs(model, spec)), None)
            return Proposal(fits, layer, _taken(module))
    return None


def required(model: nn.Module) -> list[str]:
    """The arguments without which its forward cannot be called."""
    return [
        name
        for name, one in inspect.signature(model.forward).parameters.items()
        if one.default is one.empty and one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)
    ]


def _inputs_of(module: nn.Module) -> Iterator[TensorSpec]:
    """Inputs that a layer may have, if it is one that says its channels."""
    if isinstance(module, _ConvNd) and module.in_channels:
        for sizes in SIZES[len(module.kernel_size)]:
            yield TensorSpec((1, module.in_channels, *sizes))
    elif isinstance(module, nn.Linear) and module.in_features:
        yield TensorSpec((1, module.in_features))
        yield TensorSpec((1, WORDS, module.in_features))
    elif isinstance(module, nn.RNNBase):
        yield TensorSpec((1, WORDS, module.input_size))
    elif isinstance(module, nn.Embedding):
        yield TensorSpec((1, WORDS), "int64")


def _taken(module: Any) -> str:
    if isinstance(module, _ConvNd):
        return f"{module.in_channels} channel{'s' * (module.in_channels != 1)}"
    if isinstance(module, nn.Embedding):
        return "integers"
    return f"{module.in_features if isinstance(module, nn.Linear) else module.input_size} features"


def _runs(model: Callable[..., Any], spec: TensorSpec) -> bool:
    """Whether a model on the meta device takes an input."""
    tensor = torch.empty(spec.shape, dtype=getattr(torch, spec.dtype), device="meta")
    with suppress(Exception, SystemExit), warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        with redirect_stdout(StringIO()):
            model(tensor)
        return True
    return False
