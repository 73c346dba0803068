"""From a network's name and a rewrite to a converted model: in memory, or in a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from dualcost.costs.profile import Profile
from dualcost.network.network import TensorSpec
from dualcost.nn.convert import artefact
from dualcost.nn.convert.convert import converted
from dualcost.nn.convert.result import Conversion
from dualcost.nn.convert.script import Recipe
from dualcost.nn.convert.weights import load_weights
from dualcost.nn.layers.start import FRESH, check_init
from dualcost.nn.sources import sources
from dualcost.nn.sources.build import made
from dualcost.nn.trace.inputs import specs_of
from dualcost.rewrite.request import Request


def convert_model(
    model: Any,
    asked: Request,
    inputs: Sequence[TensorSpec],
    *,
    init: str = FRESH,
    listed: bool = False,
) -> nn.Module:
    """Convert a live model, or the model of a name with new weights.

    Raises:
        ModelError: it cannot be built or converted, or nothing is known about its input.
        UsageError: the rewrite's rule matches nothing, or there is no such start.
    """
    check_init(init)
    if isinstance(model, nn.Module):
        return converted(model, asked, inputs, listed=listed, init=init).model
    source = sources.find(str(model))
    specs, example = source.called_with(tuple(inputs))
    return converted(
        made(source.factory, source.name), asked, specs,
        listed=source.listed, example=example, init=init,
    ).model  # fmt: skip


def convert_to_file(
    profile: Profile,
    output: Path,
    *,
    init: str = FRESH,
    seed: int = 0,
    weights: Path | None = None,
) -> Conversion:
    """Carry out the rewrite of a profile on the real model, and write that to a file.

    Args:
        profile: of a network that has a name, with a rewrite.
        output: a .pt2, .onnx or .py file.
        init: how new kernels start.
        seed: of the random weights, the model's and the new layers'.
        weights: a file of the model's weights, loaded before the conversion.

    Raises:
        ModelError: it cannot be built, converted or written, or has not what the profile says.
        OutputError: the file cannot be written.
    """
    assert profile.rewrite is not None
    check_init(init)
    source = sources.find(profile.network)
    example = source.with_input().example
    if example is not None and specs_of(example) != profile.inputs:
        example = None
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = made(source.factory, source.name)
        if weights is not None:
            load_weights(model, weights, source.name)
        done = converted(
            model, profile.rewrite, profile.inputs,
            listed=source.listed, example=example, init=init,
        )  # fmt: skip
        for module in done.model.modules():
            module.training = False
        recipe = Recipe(source, output, profile, example, init, seed, weights)
        written = artefact.write(done.model, recipe)
    return Conversion(profile, written, init, seed, str(weights or ""), done.starts)
