"""What a model is called with: tensors made for their specs, or a user's own example."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import keystr, tree_leaves_with_path, tree_map

from dualcost.errors import ModelError, UnmeasuredError
from dualcost.network.network import TensorSpec
from dualcost.units import size

# Positional and keyword arguments of a forward.
Example = tuple[list[Any], dict[str, Any]]


def example_of(value: Any) -> Example:
    """How a user's example is passed: a dict by its keys, a tuple or list in order, a tensor alone.

    Dicts, lists and tuples inside are passed as they are.

    Raises:
        ModelError: there is no tensor in it.
    """
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        kwargs = dict(value)
    else:
        args = list(value) if isinstance(value, list | tuple) else [value]
    if not specs_of((args, kwargs)):
        raise ModelError(
            f"a {type(value).__name__} without tensors is not an input",
            "return a tensor, a tuple of arguments, or a dict of arguments by name",
        )
    return args, kwargs


def specs_of(example: Example) -> tuple[TensorSpec, ...]:
    """Every tensor of an example, named by where it stands if that is not an argument's place."""
    args, kwargs = example
    return tuple(
        TensorSpec(tuple(leaf.shape), str(leaf.dtype).removeprefix("torch."), name)
        for name, leaf in (*_leaves(args), *_leaves(kwargs))
    )


def batched(model: nn.Module, inputs: Sequence[TensorSpec]) -> tuple[TensorSpec, ...]:
    """The inputs, with a batch of 1 if that is all that the one image for a model lacks.

    It is so if the first layer with weights is a 2-d convolution that reads as many channels. One
    channel is not enough: a model of spectrograms may add that axis itself.
    """
    weighted = (layer for layer in model.modules() if [*layer.parameters(recurse=False)])
    first = next(weighted, None)
    if len(inputs) != 1 or not isinstance(first, nn.Conv2d) or first.in_channels == 1:
        return tuple(inputs)
    return (inputs[0].batched(TensorSpec((1, first.in_channels, *first.kernel_size))),)


def is_plain(example: Example) -> bool:
    """Whether its specs say all of it: tensors alone, in their places or by name."""
    args, kwargs = example
    return all(isinstance(value, Tensor) for value in (*args, *kwargs.values()))


def copied(example: Example) -> Example:
    """The same with tensors of its own (fake ones under a fake mode), as a forward may write."""

    def own(leaf: Any) -> Any:
        return leaf.clone() if isinstance(leaf, Tensor) else leaf

    args, kwargs = tree_map(own, example)
    return args, kwargs


def _leaves(tree: Any) -> list[tuple[str, Tensor]]:
    found = []
    for path, leaf in tree_leaves_with_path(tree):
        if isinstance(leaf, Tensor):
            place = keystr(path)
            alone = len(path) == 1
            name = place.strip("[]'") if alone and isinstance(tree, dict) else place
            found.append(("" if alone and isinstance(tree, list) else name, leaf))
    return found


def make_inputs(
    inputs: Sequence[TensorSpec], device: torch.device, listed: bool
) -> tuple[list[Any], dict[str, Any]]:
    """Random tensors for the specs: positional ones, and those with a name.

    Raises:
        ModelError: a dtype is not one of torch's, or no tensor can be made of it.
        UnmeasuredError: a GPU has no memory for them.
    """
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    for spec in inputs:
        dtype = getattr(torch, spec.dtype, None)
        if not isinstance(dtype, torch.dtype):
            raise ModelError(f"{spec.dtype!r} is not a dtype of torch", "such as float32 or int64")
        make = torch.rand if dtype.is_floating_point or dtype.is_complex else torch.zeros
        try:
            tensor = make(spec.shape, dtype=dtype, device=device)
        except torch.OutOfMemoryError as error:
            raise UnmeasuredError(
                f"an input of {size(spec.shape)} does not fit into the memory of {device}",
                "try a smaller --batch or --input",
            ) from error
        except RuntimeError as error:
            raise ModelError(
                f"no tensor of {size(spec.shape)} can be made of {spec.dtype}",
                "such as float32 or int64, and of a size that fits into memory",
            ) from error
        if spec.name:
            kwargs[spec.name] = tensor
        else:
            args.append(list(tensor) if listed else tensor)
    return args, kwargs
