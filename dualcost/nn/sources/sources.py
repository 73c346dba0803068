"""Where a model comes from: the zoo, torchvision, timm, a file, or a user's own code.

A `Source` is a factory with what is known about its input. Libraries that take seconds to import
are imported by the function that needs them.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.machinery import PathFinder
from math import prod
from pathlib import Path
from typing import Any

import torch

from dualcost.errors import DualcostError, ModelError, UnknownNameError, UsageError
from dualcost.network.site import Network, TensorSpec
from dualcost.nn.formats import EXPORTED
from dualcost.nn.sources.build import build
from dualcost.nn.trace.inputs import Example, example_of, is_plain, specs_of
from dualcost.nn.trace.trace import ValuesNeededError, trace, traced_with
from dualcost.nn.zoo import ZOO

# An image larger than any of torchvision's crops; its presets make of it what a model was
# measured with (torchvision's weights.meta["_ops"] is for that size).
LARGE_IMAGE = (3, 512, 512)
CLIP_FRAMES = 16


@dataclass(frozen=True)
class Source:
    """A model that can be made.

    Attributes:
        name: with its origin, such as "torchvision:resnet50".
        factory: called without arguments, it makes the model.
        inputs: what it is traced with unless the user says otherwise; () if nothing is known.
        listed: it takes a list of unbatched images.
        libraries: whose versions decide what is traced.
        example: the arguments that it is called with unless the user says otherwise, where
            `inputs` cannot say them.
        ready: the model exists, and the factory gives it as it is.
    """

    name: str
    factory: Callable[[], Any]
    inputs: tuple[TensorSpec, ...] = ()
    listed: bool = False
    libraries: tuple[str, ...] = ()
    example: Example | None = None
    ready: bool = False

    def trace(
        self,
        inputs: tuple[TensorSpec, ...] = (),
        example: Example | None = None,
        device: str = "",
    ) -> Network:
        """Build it without weights and trace it; with weights, where it needs values.

        Args:
            inputs: what to call it with; () takes what is known.
            example: call it with these arguments instead.
            device: run it on real tensors there.

        Raises:
            ModelError: it cannot be built, has no known input and none was given, or its forward
                raises.
        """
        inputs, example = self.called_with(inputs, example)
        try:
            network = self._traced(inputs, example, device, weights=bool(device))
        except ValuesNeededError:
            network = self._traced(inputs, example, device, weights=True)
        if self.listed:
            network = replace(network, notes=(*network.notes, *_boxes(network)))
        return traced_with(network, *self.libraries)

    def called_with(
        self, inputs: tuple[TensorSpec, ...] = (), example: Example | None = None
    ) -> tuple[tuple[TensorSpec, ...], Example | None]:
        """What it is called with: as the user says, else what is known.

        Raises:
            ModelError: neither says anything.
        """
        if not inputs:
            example = example or self.example
        inputs = specs_of(example) if example else inputs or self.inputs
        if not inputs:
            raise ModelError(
                f"nothing is known about the input of {self.name}",
                "say it with --input 1x3x224x224, or --inputs file.py:factory",
            )
        return inputs, example

    def _traced(
        self,
        inputs: tuple[TensorSpec, ...],
        example: Example | None,
        device: str,
        *,
        weights: bool,
    ) -> Network:
        model = build(self.factory, self.name, weights=weights)
        return trace(model, inputs, self.name, listed=self.listed, example=example, device=device)


def _boxes(network: Network) -> Iterator[str]:
    """A note on how many boxes the heads of a two-stage detector ran on: that depends on values."""
    heads: dict[str, int] = {}
    for op in network.ops:
        if op.macs and op.path.startswith("roi_heads.") and "_head." in op.path[10:]:
            heads.setdefault(op.path.split(".")[1], op.in_shapes[0][0])
    if heads:
        yield "boxes: " + ", ".join(f"{rows} in {head}" for head, rows in heads.items())


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


def from_code(text: str) -> Source:
    """A user's own model: "path/to/file.py:factory" or "package.module:factory".

    The file or module is imported: it is code, and it runs.

    Raises:
        ModelError: it cannot be imported, or has no such factory.
    """
    place, _, attribute = text.rpartition(":")
    _forget(set(_imported.values()))  # the code may have changed
    if place.endswith(".py"):
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
    known = _stated_input(module)
    if isinstance(found, torch.nn.Module):
        return Source(text, lambda: found, known, ready=True)
    if not callable(found):
        raise ModelError(
            f"{text} is a {type(found).__name__}, not a factory",
            "name a class, a function that returns a torch.nn.Module, or a module",
        )

    def make() -> Any:
        with _started_in(folder):  # it may import more of the user's code
            return found()

    return Source(text, make, known)


def _stated_input(module: Any) -> tuple[TensorSpec, ...]:
    """What a user's module says about the input of its models, as INPUT = "1x3x224x224"."""
    said = getattr(module, "INPUT", ())
    try:
        return tuple(TensorSpec.parse(word) for word in ([said] if isinstance(said, str) else said))
    except (UsageError, TypeError, AttributeError):
        return ()  # it means something else


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
    made = from_code(text).factory
    try:
        return example_of(made())
    except DualcostError:
        raise
    except Exception as error:
        raise ModelError(
            f"{text} makes no inputs: {type(error).__name__}: {error}",
            "it is called without arguments",
        ) from error


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
    return FINDERS[origin](bare) if origin in FINDERS else from_code(name)
