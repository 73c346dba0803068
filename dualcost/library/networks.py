"""A network by name: a packaged trace, else the user's cache, else `nn` traces it.

Names: those of `catalogue`, "path/to/file.py:factory", "package.module:factory(width=32)",
"path/to/file.py" with one model in it, and "path/to/model.pt2". torch is imported only on a miss.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dualcost.errors import ModelError, OutputError, TraceFileError, UsageError
from dualcost.library.catalogue import LIBRARIES as LIBRARIES  # what a name is, also from here
from dualcost.library.catalogue import ORIGINS as ORIGINS
from dualcost.library.catalogue import TRACES as TRACES
from dualcost.library.catalogue import names as names
from dualcost.library.catalogue import resolve
from dualcost.network import symbolic, tracefile
from dualcost.network.network import Network, TensorSpec
from dualcost.network.resize import Resize, Sides, sides
from dualcost.network.symbolic import SymbolicNetwork
from dualcost.network.tracefile import SUFFIX, Header
from dualcost.nn.formats import EXPORTED
from dualcost.version import __version__

if TYPE_CHECKING:  # importing them wakes torch
    from dualcost.nn.sources.source import Source
    from dualcost.nn.trace.inputs import Example

Announce = Callable[[str], None]


def headers() -> tuple[Header, ...]:
    """What is known of every packaged network, without reading its ops."""
    return tuple(
        tracefile.read_header(_packaged(origin, name))
        for origin in ORIGINS
        for name in names(origin)
    )


def specs(inputs: Any) -> tuple[TensorSpec, ...]:
    """The inputs of a network in any form that the Python interface takes.

    Raises:
        UsageError: it is none of them.
    """
    if inputs is None:
        return ()
    if isinstance(inputs, list):
        return tuple(spec for one in inputs for spec in specs(one))
    if isinstance(inputs, TensorSpec):
        return (inputs,)
    if isinstance(inputs, str):
        return (TensorSpec.parse(inputs),)
    if isinstance(inputs, tuple) and all(isinstance(size, int) for size in inputs):
        return (TensorSpec(inputs),)
    if hasattr(inputs, "shape") and hasattr(inputs, "dtype"):
        dtype = str(inputs.dtype).removeprefix("torch.")
        return (TensorSpec(tuple(int(size) for size in inputs.shape), dtype),)
    raise UsageError(
        f"a {type(inputs).__name__} does not describe an input",
        'write "1x3x224x224", (1, 3, 224, 224), a tensor, or a list of these',
    )


def matches(name: str, pattern: str) -> bool:
    """Whether a name with its origin, or without, fits a glob."""
    return any(fnmatchcase(form, pattern) for form in (name, name.partition(":")[2]))


def load(
    model: Any,
    inputs: Sequence[TensorSpec] = (),
    batch: int | None = None,
    announce: Announce = lambda message: None,
    example: str = "",
    rules: str = "",
    device: str = "",
    *,
    imgsz: str | int | Sides | None = None,
) -> Network:
    """The network of a name, or of a live `torch.nn.Module`.

    Args:
        model: a name as described above, or a module.
        inputs: what to trace it with; () takes the input that is known for the name.
        batch: replaces the first number of every input's shape.
        announce: told what is about to take a while.
        example: a user's factory of inputs, "path/to/file.py:factory", instead of `inputs`.
        rules: a user's file of rules (`nn.rules`), by which the model is traced anew.
        device: "cpu" or "cuda": the model is run anew on real tensors there.
        imgsz: replaces height and width of every image: 320, "320x256" or (320, 256).

    Raises:
        UnknownNameError: nothing is called that.
        ModelError: the model cannot be imported, built or run.
        UsageError: a module comes without inputs.
    """
    resize = Resize(batch, sides(imgsz) if imgsz is not None else None)
    if not isinstance(model, str):
        if not inputs:
            raise without_input(model)
        from dualcost.nn.trace.trace import trace

        with redirect_stdout(sys.stderr):
            return trace(model, resize.of(inputs), device=device)
    origin, name = resolve(model)
    if example and (inputs or resize):
        raise UsageError("--inputs makes the whole input", "leave --input, --batch and --imgsz out")
    if model.endswith(EXPORTED) and not (example or rules or device):
        return _from_exported(name, inputs, resize, announce)
    if example or rules or device or not origin:
        return _from_code(with_origin(model), inputs, resize, announce, example, rules, device)
    return _named(origin, name, inputs, resize, announce)


def at_hand(
    model: str, inputs: Sequence[TensorSpec] = (), example: str = "", rules: str = ""
) -> bool:
    """Whether `load` with the same words only reads a trace: it is packaged, or in the cache.

    Raises:
        UnknownNameError: nothing is called that.
    """
    origin, name = resolve(model)
    if example or rules or not origin:
        return False
    path = _packaged(origin, name)
    if path.exists() and (not inputs or tuple(inputs) == tracefile.read_header(path).inputs):
        return True
    known = tracefile.read_header(path).inputs if path.exists() else ()
    return _cached(origin, name, tuple(inputs) or known, Resize()).exists()


def with_origin(model: str) -> str:
    """The whole name of a known network, "torchvision:resnet50"; a user's code as it is.

    Raises:
        UnknownNameError: it is neither a known name nor code.
    """
    origin, name = resolve(model)
    return f"{origin}:{name}" if origin else name


def without_input(model: Any) -> UsageError:
    """What a live model ends in whose input nobody said."""
    return UsageError(
        f"the input of {type(model).__name__} is missing", 'say it with input="1x3x224x224"'
    )


def _named(
    origin: str, name: str, inputs: Sequence[TensorSpec], resize: Resize, announce: Announce
) -> Network:
    path = _packaged(origin, name)
    if path.exists():
        known = tracefile.read_header(path).inputs
        inputs = _batched(inputs, known, announce)
        inputs = resize.of(inputs or known)
        if tuple(inputs) == known:
            return tracefile.read(path)
    cached = _cached(origin, name, inputs, resize)
    return _once(f"{origin}:{name}", cached, inputs, resize, announce)


def _batched(
    inputs: Sequence[TensorSpec], known: Sequence[TensorSpec], announce: Announce
) -> tuple[TensorSpec, ...]:
    """Inputs with a batch of 1, where that is all that they lack beside the known ones."""
    if len(inputs) != len(known):
        return tuple(inputs)
    whole = tuple(one.batched(other) for one, other in zip(inputs, known, strict=True))
    for one, other in zip(inputs, whole, strict=True):
        if one != other:
            announce(f"a batch of 1 is added to {one}: {other}")
    return whole


def _from_exported(
    path: str, inputs: Sequence[TensorSpec], resize: Resize, announce: Announce
) -> Network:
    """The model of a file, which is known by its content: under any name it is the same."""
    try:
        with Path(path).open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelError(
            f"cannot read {path}: {error.strerror or error}", "a file of torch.export.save"
        ) from error
    network = _once(path, _cached("exported", content, inputs, resize), inputs, resize, announce)
    return replace(network, name=path)


def _once(
    name: str,
    cached: Path,
    inputs: Sequence[TensorSpec],
    resize: Resize,
    announce: Announce,
) -> Network:
    """A network from the user's cache, else traced and put there."""
    if cached.exists():
        try:
            return tracefile.read(cached)
        except TraceFileError:
            announce(f"a damaged cache entry is made anew: {cached}")
    announce(f"tracing {name}, once for this input")
    from dualcost.nn.sources import sources

    with redirect_stdout(sys.stderr):  # what a model prints is no result
        network = _traced(sources.find(name), inputs, resize)
    try:
        tracefile.write(network, cached)
    except OutputError as error:  # a cache that cannot be written costs time, nothing else
        announce(error.message)
    return network


def _from_code(
    model: str,
    inputs: Sequence[TensorSpec],
    resize: Resize,
    announce: Announce,
    example: str,
    rules: str,
    device: str,
) -> Network:
    """A user's own model, input or rules: traced anew each time, for the code may have changed."""
    announce(f"tracing {model}")
    from dualcost.nn.sources import code, sources

    with redirect_stdout(sys.stderr):
        if rules:
            code.run_file(rules)
        source = sources.find(model)
        given = code.example_from(example) if example else None
        return _traced(source, inputs, resize, given, device)


def _traced(
    source: Source,
    inputs: Sequence[TensorSpec],
    resize: Resize,
    example: Example | None = None,
    device: str = "",
) -> Network:
    """Trace a source on what the user says about its input, else on what is known."""
    said = bool(inputs) or bool(resize)
    if said and not inputs:
        source = source.with_input()
        if source.example is not None:
            raise UsageError(f"the input of {source.name} is nested", "say it with --inputs")
    return source.trace(resize.of(inputs or source.inputs) if said else (), example, device)


def load_symbolic(
    model: Any,
    inputs: Sequence[TensorSpec] = (),
    batch: int | None = None,
    symbols: Sequence[str] | None = None,
    announce: Announce = lambda message: None,
    *,
    imgsz: str | int | Sides | None = None,
) -> SymbolicNetwork:
    """The network with its batch, height and width as symbols; one with a name is cached.

    Args:
        model: a name, or a module, as for `load`.
        inputs: what to trace it with; () takes the input that is known for the name.
        batch: replaces the first number of every input's shape.
        symbols: those that are wanted; None: all that there are.
        announce: told what is about to take a while.
        imgsz: replaces height and width of every image.

    Raises:
        UnknownNameError: nothing is called that.
        ModelError: the model cannot run with symbols; it says what stopped it.
        UsageError: a module comes without inputs, or there is no such symbol.
    """
    resize = Resize(batch, sides(imgsz) if imgsz is not None else None)
    if not isinstance(model, str):
        if not inputs:
            raise without_input(model)
        return _traced_symbolic(model, inputs, symbols, resize)
    origin, name = resolve(model)
    if not origin:
        announce(f"tracing {model} with symbols")
        return _traced_symbolic(name, inputs, symbols, resize)
    wanted = "-".join(symbols or ("all",))
    traced = _cached(origin, name, inputs, resize)
    cached = traced.with_name(f"{traced.name.removesuffix(SUFFIX)}-{wanted}{symbolic.SUFFIX}")
    if cached.exists():
        try:
            return symbolic.read(cached)
        except TraceFileError:
            announce(f"a damaged cache entry is made anew: {cached}")
    announce(f"tracing {origin}:{name} with symbols, once for this input")
    form = _traced_symbolic(f"{origin}:{name}", inputs, symbols, resize)
    try:
        symbolic.write(form, cached)
    except OutputError as error:  # a cache that cannot be written costs time, nothing else
        announce(error.message)
    return form


def _traced_symbolic(
    model: Any,
    inputs: Sequence[TensorSpec],
    symbols: Sequence[str] | None,
    resize: Resize,
) -> SymbolicNetwork:
    from dualcost.nn.trace.symbolic import symbolic_trace

    with redirect_stdout(sys.stderr):  # what a model prints is no result
        if not isinstance(model, str):
            return symbolic_trace(model, resize.of(inputs), symbols=symbols)
        from dualcost.nn.sources import sources
        from dualcost.nn.sources.build import build

        source = sources.find(model).with_input()
        specs = resize.of(inputs or source.inputs)
        if not specs or source.listed:
            why = "takes a list of images" if source.listed else "has no known input"
            hint = "leave --symbols out" if source.listed else "say it with --input 1x3x224x224"
            raise ModelError(f"{source.name} {why}", hint)
        built = build(source.factory, source.name)
        return symbolic_trace(built, specs, source.name, symbols=symbols)


def _packaged(origin: str, name: str) -> Path:
    return TRACES / origin / f"{name}{SUFFIX}"


def _cached(origin: str, name: str, inputs: Sequence[TensorSpec], resize: Resize) -> Path:
    """The cache entry of a name and input, for the installed versions of what traces it."""
    from dualcost.library import cache

    makers = (f"{library} {_installed(library)}" for library in ("torch", "torchvision", "timm"))
    made_with = (__version__, str(tracefile.SCHEMA), *makers)
    key = "\n".join((*made_with, origin, name, *map(repr, inputs), str(resize)))
    digest = hashlib.sha256(key.encode()).hexdigest()[:16]
    return cache.folder() / f"{name}-{digest}{SUFFIX}"


def _installed(library: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(library)
    except PackageNotFoundError:
        return "none"
