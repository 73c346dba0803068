"""Models in the user's own files and packages."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

import torch

from dualcost.code.address import Address, is_file
from dualcost.code.outline import INPUTS
from dualcost.errors import DualcostError, ModelError, UnknownNameError, UsageError
from dualcost.network.network import TensorSpec
from dualcost.nn.sources.source import Source
from dualcost.nn.trace.inputs import Example, example_of


def from_code(text: str) -> Source:
    """A user's own model: "path/to/file.py:factory" or "package.module:factory(width=32)".

    The file or module is imported: it is code, and it runs.

    Raises:
        UsageError: the text names no factory, or an argument is not a literal.
        ModelError: it cannot be imported, has no such factory, or that takes other arguments.
    """
    address = Address.parse(text)
    place, attribute = address.place, address.name
    _forget(set(_imported.values()))  # the code may have changed
    if address.in_file:
        folder = Path(place).resolve().parent
        module = _import_file(Path(place))
    else:
        folder = Path.cwd()
        module = _importing(place, folder, lambda: importlib.import_module(place))
    found = module
    for part in attribute.split("."):
        if not hasattr(found, part):
            names = [n for n, value in vars(module).items() if callable(value) and n[0] != "_"]
            raise UnknownNameError(f"factory in {place}", attribute, names)
        found = getattr(found, part)
    known, make_input = _stated_input(module), _input_maker(module, place, folder)
    if isinstance(found, torch.nn.Module):
        if address.arguments:
            raise ModelError(f"{place}:{attribute} is a model, and takes no arguments", "omit them")
        return Source(text, lambda: found, known, ready=True, make_input=make_input)
    if not callable(found):
        raise ModelError(
            f"{text} is a {type(found).__name__}, not a factory",
            "name a class, a function that returns a torch.nn.Module, or a module",
        )

    address.check(found)

    def make() -> Any:
        with _started_in(folder):  # it may import more of the user's code
            return found(*address.args, **address.kwargs)

    return Source(text, make, known, make_input=make_input)


def _stated_input(module: Any) -> tuple[TensorSpec, ...]:
    """What a user's module says about the input of its models, as INPUT = "1x3x224x224".

    It may be a text or a shape, (1, 3, 224, 224), or a list of these.
    """
    said: Any = getattr(module, "INPUT", ())
    alone = isinstance(said, str) or _is_shape(said)
    try:
        return tuple(
            TensorSpec(tuple(one)) if _is_shape(one) else TensorSpec.parse(one)
            for one in ([said] if alone else said)
        )
    except (UsageError, TypeError, AttributeError):
        return ()  # it means something else


def _is_shape(said: Any) -> bool:
    whole = isinstance(said, list | tuple) and bool(said)
    return whole and all(type(size) is int and size > 0 for size in said)


def _input_maker(module: Any, place: str, folder: Path) -> Callable[[], Example] | None:
    """The function `inputs` of a user's module, if it has one that is called without arguments."""
    made = getattr(module, INPUTS, None)
    if not inspect.isfunction(made):
        return None
    try:
        inspect.signature(made).bind()
    except TypeError:  # it means something else
        return None

    def make() -> Example:
        with _started_in(folder):
            return _example(made, f"{place}:{INPUTS}")

    return make


def _import_file(path: Path) -> Any:
    if not path.is_file():
        raise ModelError(f"there is no file {path}", "write path/to/file.py:factory")

    name = _free_name(path)

    def load() -> Any:
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None and spec.loader is not None  # it ends in .py
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module  # where pickle and dataclasses look for it
        _imported[name] = path.resolve().parent
        spec.loader.exec_module(module)
        return module

    return _importing(str(path), path.resolve().parent, load)


def _free_name(path: Path) -> str:
    """What a file is imported as: its name, unless a library has it (json.py must not be json)."""
    spec = PathFinder.find_spec(path.stem)
    if path.stem in sys.modules or path.stem in sys.stdlib_module_names:
        return str(path)
    if spec is not None and (spec.origin is None or Path(spec.origin).resolve() != path.resolve()):
        return str(path)
    return path.stem


def _importing(what: str, folder: Path, load: Callable[[], Any]) -> Any:
    try:
        with _started_in(folder), torch.random.fork_rng(devices=[]):
            return load()
    except DualcostError:
        raise
    except (Exception, SystemExit) as error:
        raise ModelError(
            f"{what} cannot be imported: {type(error).__name__}: {error}",
            "check that it imports in a Python of its own",
        ) from error


# Modules of users' code in sys.modules, and the folder that each was imported from.
_imported: dict[str, Path] = {}


def _forget(folders: set[Path]) -> None:
    for name in [name for name, folder in _imported.items() if folder in folders]:
        del _imported[name]
        sys.modules.pop(name, None)


@contextmanager
def _started_in(folder: Path) -> Iterator[None]:
    """Let a user's code import as if Python had been started in that folder, and in no other."""
    _forget(set(_imported.values()) - {folder})
    before = set(sys.modules)
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        if str(folder) in sys.path:  # unless the code took it out itself
            sys.path.remove(str(folder))
        for name in set(sys.modules) - before:
            file = getattr(sys.modules[name], "__file__", None)
            place = folder.joinpath(*name.split("."))
            top = name.partition(".")[0]
            if file and Path(file) in (Path(f"{place}.py"), place / "__init__.py"):
                if top not in before or top in _imported:  # else it is part of a library
                    _imported[name] = folder


def run_file(text: str) -> None:
    """Import a user's file for what it does: it registers rules (`nn.rules`).

    Raises:
        ModelError: it cannot be imported.
    """
    _import_file(Path(text))


def example_from(text: str) -> Example:
    """What the factory "path/to/file.py:factory" (or "package.module:factory") makes as an input.

    Raises:
        ModelError: it cannot be imported, raises, or makes no tensors.
    """
    text = f"{text.removesuffix(':')}:{INPUTS}" if is_file(text) else text
    return _example(from_code(text).factory, text)


def _example(made: Callable[[], Any], text: str) -> Example:
    """What a factory of inputs makes.

    Raises:
        ModelError: it raises, or makes no tensors.
    """
    try:
        return example_of(made())
    except DualcostError:
        raise
    except Exception as error:
        raise ModelError(
            f"{text} makes no inputs: {type(error).__name__}: {error}",
            "it is called without arguments",
        ) from error
