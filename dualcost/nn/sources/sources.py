"""Where a model comes from: the zoo, torchvision, timm, a file, or a user's own code.

A `Source` is a factory with what is known about its input. Libraries that take seconds to import
are imported by the function that needs them.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import Any

import torch

from dualcost.code import outline
from dualcost.code.address import is_file
from dualcost.errors import ModelError, UnknownNameError
from dualcost.network.network import TensorSpec
from dualcost.nn.formats import EXPORTED
from dualcost.nn.sources.code import from_code
from dualcost.nn.sources.source import Source
from dualcost.nn.trace.inputs import is_plain, specs_of
from dualcost.nn.zoo import ZOO

# An image larger than any of torchvision's crops; its presets make of it what a model was
# measured with (torchvision's weights.meta["_ops"] is for that size).
LARGE_IMAGE = (3, 512, 512)
CLIP_FRAMES = 16


def from_zoo(name: str) -> Source:
    """The paper's network of that name.

    Raises:
        UnknownNameError: there is none.
    """
    if name not in ZOO:
        raise UnknownNameError("network of the zoo", name, ZOO)
    entry = ZOO[name]
    return Source(f"zoo:{name}", entry.build, (TensorSpec(entry.input),))


def from_torchvision(name: str) -> Source:
    """Torchvision's model of that name, without weights.

    Raises:
        UnknownNameError: this torchvision has none.
    """
    from torchvision import models

    known = models.list_models()
    if name not in known:
        look = "`dualcost list` shows all"
        raise UnknownNameError("model of torchvision", name, known, look)
    options = torchvision_options(name)
    return Source(
        name=f"torchvision:{name}",
        factory=lambda: models.get_model(name, **options),
        inputs=_torchvision_inputs(name),
        listed=name in models.list_models(models.detection),
        libraries=("torchvision",),
    )


def torchvision_options(name: str) -> dict[str, Any]:
    """The words with which torchvision builds a model in float, without fetching weights."""
    from torchvision import models

    options: dict[str, Any] = {"weights": None}
    kinds = (models.detection, models.segmentation)
    if any(name in models.list_models(kind) for kind in kinds):
        options["weights_backbone"] = None
    if name in models.list_models(models.quantization):
        options["quantize"] = False
    return options


def _torchvision_inputs(name: str) -> tuple[TensorSpec, ...]:
    """What the model's own presets make of a large image, a clip, or a pair of images."""
    from torchvision import models

    image = torch.zeros(LARGE_IMAGE, dtype=torch.uint8)
    made: list[tuple[TensorSpec, ...]] = []
    for weights in models.get_model_weights(name):
        preset = weights.transforms()
        if name in models.list_models(models.video):
            tensors = (preset(image.expand(CLIP_FRAMES, *LARGE_IMAGE)),)
        elif name in models.list_models(models.optical_flow):
            tensors = preset(image, image)
        else:
            tensors = (preset(image),)
        made.append(tuple(TensorSpec((1, *tensor.shape)) for tensor in tensors))
    # weights tuned for larger images (SWAG) may not fit the model as its builder makes it
    return min(made, key=lambda specs: prod(specs[0].shape))


def from_timm(name: str) -> Source:
    """A model of timm, without weights, on the input of its own configuration.

    Raises:
        ModelError: timm is not installed.
        UnknownNameError: this timm has no such model.
    """
    try:
        import timm
    except ImportError:
        raise ModelError("timm is not installed", "pip install 'dualcost[timm]'") from None
    if not timm.is_model(name):
        raise UnknownNameError("model of timm", name, timm.list_models(), "see timm.list_models()")
    known = timm.get_pretrained_cfg(name)
    size = known.input_size if known is not None else (3, 224, 224)
    return Source(
        name=f"timm:{name}",
        factory=lambda: timm.create_model(name, pretrained=False),
        inputs=(TensorSpec((1, *size)),),
        libraries=("timm",),
    )


def from_exported(text: str) -> Source:
    """The model in a file of `torch.export.save`, on the input that it was exported with.

    Raises:
        ModelError: there is no such file, or it is none of those.
    """
    from dualcost.nn.sources import exported

    loaded = exported.load(Path(text))
    example = loaded.example
    return Source(
        name=text,
        factory=lambda: loaded.model,
        inputs=specs_of(example) if example else (),
        example=None if example is None or is_plain(example) else example,
        ready=True,
    )


def torchvision_names() -> tuple[str, ...]:
    """All models of the installed torchvision."""
    from torchvision import models

    return tuple(sorted(models.list_models()))


# What a name begins with, and who finds it.
FINDERS: dict[str, Callable[[str], Source]] = {
    "zoo": from_zoo,
    "torchvision": from_torchvision,
    "timm": from_timm,
}


def find(name: str) -> Source:
    """The source of a name with its origin, of an exported file, or of a user's own code.

    Raises:
        UnknownNameError: nothing is called that.
        ModelError: it cannot be imported or read.
    """
    if name.endswith(EXPORTED):
        return from_exported(name)
    origin, _, bare = name.partition(":")
    if origin in FINDERS:
        return FINDERS[origin](bare)
    return from_code(outline.address(name) if is_file(name) else name)
