"""A network by name: a packaged trace, else the user's cache, else `nn` traces it.

Names: "resnet50" (the zoo, then torchvision), "zoo:NAME", "torchvision:NAME",
"path/to/file.py:factory" and "package.module:factory". torch is imported only on a miss.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from dualcost import __version__, tracefile
from dualcost.errors import OutputError, TraceFileError, UnknownNameError, UsageError
from dualcost.site import Network, TensorSpec
from dualcost.tracefile import SUFFIX, Header

TRACES = Path(__file__).parent / "traces"
ORIGINS = ("zoo", "torchvision")  # a bare name is looked for in this order
LIBRARIES = (*ORIGINS, "timm")  # what a name may begin with

Announce = Callable[[str], None]


def names(origin: str) -> tuple[str, ...]:
    """The networks of one origin whose traces are packaged."""
    found = (TRACES / origin).glob(f"*{SUFFIX}")
    return tuple(sorted(path.name.removesuffix(SUFFIX) for path in found))


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
) -> Network:
    """The network of a name, or of a live `torch.nn.Module`.

    Args:
        model: a name as described above, or a module.
        inputs: what to trace it with; () takes the input that is known for the name.
        batch: replaces the first number of every input's shape.
        announce: told what is about to take a while.
        example: a user's factory of inputs, "path/to/file.py:factory", instead of `inputs`.
        rules: a user's file of rules (`nn.rules`), by which the model is traced anew.

    Raises:
        UnknownNameError: nothing is called that.
        ModelError: the model cannot be imported, built or run.
        UsageError: a module comes without inputs.
    """
    if not isinstance(model, str):
        if not inputs:
            raise UsageError(
                f"the input of {type(model).__name__} is missing",
                'say it with input="1x3x224x224"',
            )
        from dualcost.nn.trace import trace

        with redirect_stdout(sys.stderr):
            return trace(model, _with_batch(inputs, batch))
    origin, name = _split(model)
    if example and (inputs or batch is not None):
        raise UsageError("--inputs makes the whole input", "leave --input and --batch out")
    if example or rules or not origin:
        code = f"{origin}:{name}" if origin else name
        return _from_code(code, inputs, batch, announce, example, rules)
    return _named(origin, name, inputs, batch, announce)


def _split(model: str) -> tuple[str, str]:
    """The origin and the name; ("", …) for a user's code.

    Raises:
        UnknownNameError: it is neither a known name nor code.
    """
    origin, colon, name = model.rpartition(":")
    if origin in LIBRARIES:
        return origin, name
    if colon:
        return "", model
    for known in ORIGINS:
        if model in names(known):
            return known, model
    if _installed("torchvision") == _packaged_with():
        raise _unknown(model)
    # another torchvision may have it: the source will say
    return "torchvision", model


def _unknown(model: str) -> UnknownNameError:
    known = {name for origin in ORIGINS for name in names(origin)}
    look = "`dualcost list` shows all names; your own model is path/to/file.py:factory"
    return UnknownNameError("model", model, known, look)


def _named(
    origin: str, name: str, inputs: Sequence[TensorSpec], batch: int | None, announce: Announce
) -> Network:
    path = _packaged(origin, name)
    if path.exists():
        known = tracefile.read_header(path).inputs
        inputs = _with_batch(inputs or known, batch)
        if tuple(inputs) == known:
            return tracefile.read(path)
    cached = _cached(origin, name, inputs, batch)
    if cached.exists():
        try:
            return tracefile.read(cached)
        except TraceFileError:
            announce(f"a damaged cache entry is made anew: {cached}")
    announce(f"tracing {origin}:{name}, once for this input")
    from dualcost.nn import sources

    with redirect_stdout(sys.stderr):  # what a model prints is no result
        source = sources.find(f"{origin}:{name}")
        network = source.trace(_with_batch(inputs or source.inputs, batch))
    try:
        tracefile.write(network, cached)
    except OutputError as error:  # a cache that cannot be written costs time, nothing else
        announce(error.message)
    return network


def _from_code(
    model: str,
    inputs: Sequence[TensorSpec],
    batch: int | None,
    announce: Announce,
    example: str,
    rules: str,
) -> Network:
    """A user's own model, input or rules: traced anew each time, for the code may have changed."""
    announce(f"tracing {model}")
    from dualcost.nn import sources

    with redirect_stdout(sys.stderr):
        if rules:
            sources.run_file(rules)
        source = sources.find(model)
        given = sources.example_from(example) if example else None
        return source.trace(_with_batch(inputs or source.inputs, batch), given)


def _with_batch(inputs: Sequence[TensorSpec], batch: int | None) -> tuple[TensorSpec, ...]:
    if batch is None:
        return tuple(inputs)
    if batch < 1:
        raise UsageError(f"a batch of {batch} is not positive", "give --batch 1 or more")
    return tuple(replace(spec, shape=(batch, *spec.shape[1:])) for spec in inputs)


def _packaged(origin: str, name: str) -> Path:
    return TRACES / origin / f"{name}{SUFFIX}"


def _packaged_with() -> str:
    """The torchvision whose models are packaged."""
    first = names("torchvision")[:1]
    return tracefile.read_header(_packaged("torchvision", first[0])).versions["torchvision"]


def _cached(origin: str, name: str, inputs: Sequence[TensorSpec], batch: int | None) -> Path:
    """The cache entry of a name and input, for the installed versions of what traces it."""
    from platformdirs import user_cache_path

    makers = (f"{library} {_installed(library)}" for library in ("torch", "torchvision", "timm"))
    made_with = (__version__, str(tracefile.SCHEMA), *makers)
    key = "\n".join((*made_with, origin, name, *map(repr, inputs), str(batch)))
    digest = hashlib.sha256(key.encode()).hexdigest()[:16]
    return user_cache_path("dualcost") / "traces" / f"{name}-{digest}{SUFFIX}"


def _installed(library: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(library)
    except PackageNotFoundError:
        return "none"
