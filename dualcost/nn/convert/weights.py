"""A model's weights from a file of `torch.save(model.state_dict())`, which runs no code."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from dualcost.errors import ModelError

MADE_BY = "it is made by torch.save(model.state_dict(), path)"
SHOWN = 3  # names in a message


def load_weights(model: nn.Module, path: Path, name: str) -> None:
    """Load all weights of a model, each by its name; every one must be there, and no other.

    Args:
        model: the model; written to.
        path: the file.
        name: what the model is called in errors.

    Raises:
        ModelError: there is no such file, it is damaged, holds other things than tensors, or is of
            another model.
    """
    found = _read(path)
    wanted = model.state_dict()
    missing = [key for key in wanted if key not in found]
    other = [key for key in found if key not in wanted]
    shapes = [
        f"{key} ({tuple(found[key].shape)} instead of {tuple(value.shape)})"
        for key, value in wanted.items()
        if key in found and found[key].shape != value.shape
    ]
    problems = [
        f"{what} {', '.join(keys[:SHOWN])}{f' and {len(keys) - SHOWN} more' * (len(keys) > SHOWN)}"
        for what, keys in (("lacks", missing), ("also has", other), ("differs in", shapes))
        if keys
    ]
    if problems:
        raise ModelError(
            f"{path} is not of {name}: it {'; '.join(problems)}", "give the weights of this model"
        )
    model.load_state_dict(found, strict=True)


def _read(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise ModelError(f"there is no file {path}", MADE_BY)
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # unpickling raises nearly anything
        kind = type(error).__name__
        raise ModelError(
            f"{path} is damaged, or holds more than weights ({kind})", MADE_BY
        ) from error
    if isinstance(found, dict) and all(isinstance(value, Tensor) for value in found.values()):
        return found
    held = ", ".join(map(str, found)) if isinstance(found, dict) else f"a {type(found).__name__}"
    raise ModelError(f"{path} is not a state_dict: it holds {held[:100]}", MADE_BY)
