"""Models in files: a `.pt2` that `torch.export.save` wrote, read back as modules with paths.

Such a file holds a graph, weights and the inputs that it was made with. The graph's modules come
back (`torch.export.unflatten`), so that layers have their paths; those that are one convolution
become an `nn.Conv2d` again, so that they can be replaced.

Reading one runs no code of its author: files with pickled objects in them, which torch would
unpickle, are refused.
"""

from __future__ import annotations

import io
import json
import logging
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.export.unflatten import InterpreterModule
from torch.nn.parameter import Parameter

from dualcost.errors import ModelError
from dualcost.nn.trace.inputs import Example

MADE_BY = "it is made by torch.export.save, or by dualcost convert -o model.pt2"
# Records of the archive that stand in it under a folder of any name.
FORMAT, PAYLOADS, PICKLED = "/archive_format", "_config.json", ".pt"
# What torch.export writes for payloads that it would unpickle (pt2_archive_constants.h).
OBJECTS = ("custom_obj_", "opaque_obj_")
CONV2D, CONV2D_BY_WORD = torch.ops.aten.conv2d.default, torch.ops.aten.conv2d.padding


@dataclass(frozen=True)
class Exported:
    """The model of a file, and the arguments that it was exported with; None: it has none."""

    model: nn.Module
    example: Example | None


def load(path: Path) -> Exported:
    """Read an exported program.

    Raises:
        ModelError: there is no such file, it is damaged or foreign, it holds pickled objects, or
            this torch cannot read it.
    """
    if not path.is_file():
        raise ModelError(f"there is no file {path}", MADE_BY)
    _check(path)
    try:
        with _quiet():
            program = torch.export.load(path)
            model = _with_paths(program)
    except Exception as error:
        text = next(iter(str(error).strip().splitlines()), "")
        raise ModelError(
            f"{path} cannot be read by torch {torch.__version__}: {type(error).__name__}: {text}",
            f"{MADE_BY}; of another torch, export it again",
        ) from error
    if program.example_inputs is None:
        return Exported(model, None)
    args, kwargs = program.example_inputs
    return Exported(model, (list(args), dict(kwargs)))


def _check(path: Path) -> None:
    """Refuse what is no whole archive of `torch.export.save`, or could run code when read."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            if not any(name.endswith(FORMAT) for name in names):
                raise ModelError(
                    f"{path} holds no exported program", f"{MADE_BY}; weights are --weights"
                )
            for name in names:
                if _unpickles(name, archive):
                    raise ModelError(
                        f"{path} holds pickled objects ({name}), which could run any code",
                        "export the model without custom objects and tensor subclasses",
                    )
    except (zipfile.BadZipFile, OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{path} is damaged, or no exported program: {error}", MADE_BY) from error


def _unpickles(name: str, archive: zipfile.ZipFile) -> bool:
    """Whether torch would unpickle a record without its own restrictions."""
    if name.endswith(PAYLOADS):
        payloads = json.loads(archive.read(name))["config"].values()
        return any(one["use_pickle"] or one["path_name"].startswith(OBJECTS) for one in payloads)
    if name.endswith(PICKLED):  # torch tries weights_only first, and goes on without
        try:
            torch.load(io.BytesIO(archive.read(name)), weights_only=True)
        except Exception:
            return True
    return False


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep torch from logging a traceback for a file that it cannot read."""
    logger = logging.getLogger("torch.export")
    disabled, logger.disabled = logger.disabled, True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.disabled = disabled


def _with_paths(program: torch.export.ExportedProgram) -> nn.Module:
    """The program's modules, by the paths and with the names of the classes that they had."""
    root: Any = torch.export.unflatten(program)
    root.input_placeholders = _Shared(root.input_placeholders)
    model: nn.Module = root
    for module in [*model.modules()]:
        for name, child in [*module._modules.items()]:
            if isinstance(child, InterpreterModule):
                module._modules[name] = _convolution(child) or _named(child)
    return model


class _Shared(list[Any]):
    """What the inputs must be, with fake tensors in it: all copies of a model share it."""

    def __deepcopy__(self, memo: dict[int, Any]) -> _Shared:
        return self


def _named(module: InterpreterModule) -> nn.Module:
    """The same module, as one of a class that is called as the original's was."""
    original = (module.type_name() or "").rpartition(".")[2]
    if original.isidentifier():
        module.__class__ = _class(original)
    return module


@cache
def _class(name: str) -> type[InterpreterModule]:
    return type(name, (InterpreterModule,), {})


def _convolution(module: InterpreterModule) -> nn.Conv2d | None:
    """The `nn.Conv2d` that a module was, if all that it does is one convolution; else None."""
    calls = [node for node in module.graph.nodes if node.op.startswith("call_")]
    if len(calls) != 1 or calls[0].target not in (CONV2D, CONV2D_BY_WORD):
        return None
    [node] = calls
    words = {
        a.name: a.default_value for a in node.target._schema.arguments if a.has_default_value()
    }
    words |= dict(zip((a.name for a in node.target._schema.arguments), node.args, strict=False))
    words |= node.kwargs
    weight, bias = (_parameter(module, words[name]) for name in ("weight", "bias"))
    if weight is None or (words["bias"] is not None and bias is None):
        return None
    filters, seen, *kernel = weight.shape
    groups = words["groups"]
    layer = nn.Conv2d(
        seen * groups, filters, tuple(kernel), tuple(words["stride"]),  # type: ignore[arg-type]  # it says tuple[int, int]
        words["padding"] if isinstance(words["padding"], str) else tuple(words["padding"]),
        tuple(words["dilation"]), groups, bias is not None, device="meta",
    )  # fmt: skip
    layer.weight = weight
    layer.bias = bias
    return layer.train(module.training)


def _parameter(module: nn.Module, node: Any) -> Parameter | None:
    """The parameter of its own that a module's graph reads there."""
    if getattr(node, "op", "") != "get_attr":
        return None
    found = getattr(module, str(node.target), None)
    return found if isinstance(found, Parameter) else None
