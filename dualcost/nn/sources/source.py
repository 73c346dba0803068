"""Where a model comes from: what makes it, and the inputs that it takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from torch import nn

from dualcost.errors import ModelError
from dualcost.network.network import Network, TensorSpec
from dualcost.nn.sources.build import build
from dualcost.nn.sources.proposal import proposal, required
from dualcost.nn.trace.inputs import Example, is_plain, specs_of
from dualcost.nn.trace.trace import ValuesNeededError, trace, traced_with


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
        make_input: makes an example, where the user's code has a function that does; it runs only
            when nobody says another input.
    """

    name: str
    factory: Callable[[], Any]
    inputs: tuple[TensorSpec, ...] = ()
    listed: bool = False
    libraries: tuple[str, ...] = ()
    example: Example | None = None
    ready: bool = False
    make_input: Callable[[], Example] | None = None

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
        if not inputs and example is None:
            known = self.with_input()
            inputs, example = known.inputs, known.example
        inputs = specs_of(example) if example else inputs
        if not inputs:
            raise self.without_input()
        return inputs, example

    def with_input(self) -> Source:
        """The same, with the input that the user's code makes, if that is all that is known.

        Raises:
            ModelError: the code that makes it fails.
        """
        if self.inputs or self.example is not None or self.make_input is None:
            return self
        example = self.make_input()
        return replace(
            self, inputs=specs_of(example), example=None if is_plain(example) else example
        )

    def without_input(self) -> ModelError:
        """What it ends in where nothing is known about its input: an error that proposes one."""
        model = build(self.factory, self.name)
        return ModelError(f"nothing is known about the input of {self.name}", _hint(model))

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


def _hint(model: nn.Module) -> str:
    names = required(model)
    if len(names) > 1:
        words = " ".join(f"--input {name}=SHAPE" for name in names)
        return f"its forward takes {', '.join(names)}: say {words}, or --inputs file.py:factory"
    found = proposal(model)
    if found is None:
        return "say it with --input 1x3x224x224, or --inputs file.py:factory"
    layer = f"its first layer, {found.layer}, takes {found.takes}"
    if found.spec is None:
        return f"{layer}: say the whole with --input, such as 1x3x224x224"
    word = found.spec.word
    return f'try --input {word}, or write INPUT = "{word}" into its file; {layer}'


def _boxes(network: Network) -> Iterator[str]:
    """A note on how many boxes the heads of a two-stage detector ran on: that depends on values."""
    heads: dict[str, int] = {}
    for op in network.ops:
        if op.macs and op.path.startswith("roi_heads.") and "_head." in op.path[10:]:
            heads.setdefault(op.path.split(".")[1], op.in_shapes[0][0])
    if heads:
        yield "boxes: " + ", ".join(f"{rows} in {head}" for head, rows in heads.items())
