"""A converted model in a file: written beside its place, read back, and put there if it is right.

.pt2    `torch.export`; traced again from the file
.onnx   `torch.onnx`; counted again from the file's own nodes
.py     a short module; imported, built and traced again
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import nn

from dualcost.errors import DualcostError, ModelError
from dualcost.files import replacing
from dualcost.nn.convert import onnxfile
from dualcost.nn.convert.result import Artefact, never_run
from dualcost.nn.convert.script import Recipe, script
from dualcost.nn.formats import EXPORTED, ONNX, PYTHON
from dualcost.nn.sources import sources
from dualcost.nn.trace.inputs import Example, copied, make_inputs
from dualcost.nn.trace.trace import attention_unfused

Counts = tuple[int, int]


def write(model: nn.Module, recipe: Recipe) -> Artefact:
    """Write a converted model in the form that the ending of the recipe's output says.

    Args:
        model: the converted model, in eval mode.
        recipe: how it was made, with the profile that it must have, and where it is written to:
            what is there stays as it was if anything goes wrong.

    Raises:
        ModelError: it cannot be written in this form, or what was read back has other MACs or
            parameters than the profile.
        OutputError: the file cannot be written.
    """
    path = recipe.output
    writer, reader = FORMATS[path.suffix]
    with replacing(path) as temporary:
        try:
            with warnings.catch_warnings(), _ready():
                warnings.simplefilter("ignore")
                writer(model, recipe, temporary)
                macs, params = reader(model, recipe, temporary)
        except (DualcostError, OSError):
            raise
        except Exception as error:
            text = next(iter(str(error).strip().splitlines()), "")
            raise ModelError(
                f"{recipe.source.name} cannot be written as {path.suffix}: "
                f"{type(error).__name__}: {text[:200]}",
                "" if path.suffix == PYTHON else "a .py file can hold any model",
            ) from error
        _check(recipe, path, macs, params)
        nbytes = temporary.stat().st_size
    return Artefact(path, nbytes, None if recipe.profile.notes else macs, params)


def _check(recipe: Recipe, path: Path, macs: int, params: int) -> None:
    """Refuse a file that does not hold what was promised."""
    promised = recipe.profile.after
    if recipe.profile.notes:  # where values decide what runs, new weights make other boxes
        macs = promised.macs
    # a graph has no place for parameters that nothing reads
    allowed = {promised.params, promised.params - never_run(recipe.profile)}
    if macs != promised.macs or params not in allowed:
        raise ModelError(
            f"{recipe.source.name} cannot be written as {path.suffix}: it would have {macs:,} MACs "
            f"and {params:,} parameters instead of {promised.macs:,} and {promised.params:,}",
            "nothing was written; another form may do",
        )


@contextmanager
def _ready() -> Iterator[None]:
    """No gradients, and attention as the profile counts it."""
    with torch.no_grad(), attention_unfused():
        yield


def _example(recipe: Recipe) -> Example:
    if recipe.example is not None:
        return copied(recipe.example)
    return make_inputs(recipe.profile.inputs, torch.device("cpu"), recipe.source.listed)


def _write_exported(model: nn.Module, recipe: Recipe, path: Path) -> None:
    args, kwargs = _example(recipe)
    program = torch.export.export(model, tuple(args), kwargs)
    with path.open("wb") as file:  # of a path, the archive would keep the name
        torch.export.save(program, file)


def _count_exported(model: nn.Module, recipe: Recipe, path: Path) -> Counts:
    network = sources.find(str(path)).trace()
    return network.macs, network.params


def _write_onnx(model: nn.Module, recipe: Recipe, path: Path) -> None:
    onnxfile.write(path, model, _example(recipe))


def _count_onnx(model: nn.Module, recipe: Recipe, path: Path) -> Counts:
    return onnxfile.count(path, {name for name, _ in model.named_buffers()})


def _write_python(model: nn.Module, recipe: Recipe, path: Path) -> None:
    path.write_text(script(recipe))


def _count_python(model: nn.Module, recipe: Recipe, path: Path) -> Counts:
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        network = sources.find(f"{path}:make").trace()
    finally:
        sys.dont_write_bytecode = before
    return network.macs, network.params


Writer = Callable[[nn.Module, Recipe, Path], None]
Reader = Callable[[nn.Module, Recipe, Path], Counts]
FORMATS: dict[str, tuple[Writer, Reader]] = {
    EXPORTED: (_write_exported, _count_exported),
    ONNX: (_write_onnx, _count_onnx),
    PYTHON: (_write_python, _count_python),
}
