"""A converted model as Python: a short module whose `make` builds the network and converts it."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dualcost.code.address import Address
from dualcost.costs.profile import Profile
from dualcost.errors import UsageError
from dualcost.nn.formats import EXPORTED
from dualcost.nn.layers.start import FRESH
from dualcost.nn.sources.source import Source
from dualcost.nn.sources.sources import torchvision_options
from dualcost.nn.trace.inputs import Example
from dualcost.version import __version__

LONGEST = 88  # characters of a line, where it can be broken


@dataclass(frozen=True)
class Recipe:
    """All that decides what a converted model is, besides its source's own code.

    Attributes:
        source: where the model comes from.
        output: the file that it is written to.
        profile: what it costs; its rewrite is what is replaced.
        example: its arguments, where the profile's inputs cannot say them.
        init: how new kernels start.
        seed: of all random weights.
        weights: a file of weights, loaded before the conversion; None: random ones.
    """

    source: Source
    output: Path
    profile: Profile
    example: Example | None = None
    init: str = FRESH
    seed: int = 0
    weights: Path | None = None


@dataclass(frozen=True)
class _Builder:
    """The imports that a network needs, the expression that builds it, and what goes before."""

    imports: tuple[str, ...]
    expression: str
    before: tuple[str, ...] = ()


def script(recipe: Recipe) -> str:
    """The text of the module; it names files as seen from its own folder.

    Raises:
        UsageError: its input is nested, or has more than tensors in it.
    """
    if recipe.example is not None:
        raise UsageError(
            f"the input of {recipe.source.name} cannot be written in a line",
            f"write an {EXPORTED} file, which holds its input",
        )
    builder = _builder(recipe.source, recipe.output)
    paths = [_beside(recipe.weights, recipe.output)] if recipe.weights else []
    from_path = any("Path(" in text for text in (builder.expression, *builder.before, *paths))
    imports = [*builder.imports, "import torch", "from torch import nn", "import dualcost"]
    if from_path:
        imports.append("from pathlib import Path")
    specs = [spec.word for spec in recipe.profile.inputs]
    lines = [
        *_heading(recipe),
        *_import_block(imports),
        "# what `dualcost profile` runs it on, unless --input says otherwise",
        f"INPUT = {_quoted(specs[0] if len(specs) == 1 else specs)}",
        "",
        "",
        "def make() -> nn.Module:",
        f'    """Build the network and convert it{_weights_of(recipe)}."""',
        *(f"    {line}" for line in builder.before),
        f"    torch.manual_seed({recipe.seed})",
        f"    network = {builder.expression}",
        *(f"    network.load_state_dict(torch.load({path}, weights_only=True))" for path in paths),
        *_call("    return dualcost.convert", _arguments(recipe)),
    ]
    return "\n".join(lines) + "\n"


def _heading(recipe: Recipe) -> list[str]:
    after, request = recipe.profile.after, recipe.profile.rewrite
    assert request is not None
    inputs = ", ".join(str(spec) for spec in recipe.profile.inputs)
    return [
        f'"""{recipe.source.name} with {request.label}: what this command wrote.',
        "",
        f"    {command(recipe)}",
        "",
        f"{after.macs:,} MACs and {after.params:,} parameters at {inputs}, "
        f"by dualcost {__version__}.",
        '"""',
        "",
    ]


def command(recipe: Recipe) -> str:
    """The command that converts a network so."""
    words = ["dualcost", "convert", recipe.source.name]
    for spec in recipe.profile.inputs if recipe.profile.inputs != recipe.source.inputs else ():
        words += ["--input", spec.word]
    for name, value in _rewrite(recipe).items():
        for one in value if isinstance(value, tuple) else (value,):
            words += [f"--{name}", str(one)]
    for name, value, usual in (("init", recipe.init, FRESH), ("seed", recipe.seed, 0)):
        if value != usual:
            words += [f"--{name}", str(value)]
    if recipe.weights:
        words += ["--weights", str(recipe.weights)]
    return shlex.join([*words, "-o", str(recipe.output)]).replace("\\", "\\\\")


def _rewrite(recipe: Recipe) -> dict[str, Any]:
    assert recipe.profile.rewrite is not None
    return recipe.profile.rewrite.words()


def _weights_of(recipe: Recipe) -> str:
    return "" if recipe.weights or recipe.source.ready else "; its weights are random"


def _arguments(recipe: Recipe) -> list[str]:
    words = _rewrite(recipe)
    if recipe.init != FRESH:
        words["init"] = recipe.init
    if recipe.source.listed:
        words["listed"] = True
    return ["network", "INPUT", *(f"{name}={_quoted(value)}" for name, value in words.items())]


def _builder(source: Source, output: Path) -> _Builder:
    """How Python makes the network of a source."""
    origin, _, name = source.name.partition(":")
    if source.name.endswith(EXPORTED):
        path = _beside(Path(source.name), output)
        return _Builder(("from dualcost.nn.sources import load",), f"load({path}).model")
    if origin == "zoo":
        return _Builder(("from dualcost.nn.zoo import ZOO",), f'ZOO["{name}"].build()')
    if origin == "torchvision":
        options = "".join(f", {key}={value}" for key, value in torchvision_options(name).items())
        return _Builder(("from torchvision import models",), f'models.get_model("{name}"{options})')
    if origin == "timm":
        return _Builder(("import timm",), f'timm.create_model("{name}", pretrained=False)')
    return _from_code(source, output)


def _from_code(source: Source, output: Path) -> _Builder:
    """A user's own factory: imported, where Python finds it from the module's folder."""
    address = Address.parse(source.name)
    called = "" if source.ready else address.arguments or "()"
    if address.in_file:
        factory = _quoted(f":{address.name}{address.arguments}")
        text = f"str({_beside(Path(address.place), output)}) + {factory}"
        # imported before the seed is set, as it may draw random numbers itself
        return _Builder(
            ("from dualcost.nn.sources import from_code",),
            "original.factory()",
            (f"original = from_code({text})",),
        )
    first, dot, rest = address.name.partition(".")
    return _Builder(
        (f"from {address.place} import {first} as original",), f"original{dot}{rest}{called}"
    )


def _beside(path: Path, output: Path) -> str:
    """The expression for a file, as seen from the folder of the module."""
    relative = Path(os.path.relpath(path.resolve(), output.resolve().parent))
    return f"Path(__file__).parent / {_quoted(relative.as_posix())}"


def _import_block(imports: Sequence[str]) -> list[str]:
    """Sorted into the standard library's, others', and dualcost itself."""
    standard = [line for line in imports if "pathlib" in line]
    own = [line for line in imports if line.split()[1].partition(".")[0] == "dualcost"]
    others = [line for line in imports if line not in (*standard, *own)]
    blocks = [
        sorted(block, key=lambda line: (line[0] == "f", line))
        for block in (standard, others, own)
        if block
    ]
    return [line for block in blocks for line in (*block, "")]


def _call(head: str, arguments: Sequence[str]) -> list[str]:
    """A call on one line, or on a line for each argument."""
    line = f"{head}({', '.join(arguments)})"
    if len(line) <= LONGEST:
        return [line]
    return [f"{head}(", *(f"        {argument}," for argument in arguments), "    )"]


def _quoted(value: Any) -> str:
    """A literal with double quotes, as formatters like it."""
    if isinstance(value, str):
        return '"' + repr(value)[1:-1].replace("\\'", "'").replace('"', '\\"') + '"'
    if isinstance(value, list | tuple):
        inner = ", ".join(_quoted(one) for one in value)
        return f"[{inner}]"
    return repr(value)
