"""Where a model comes from: what makes it, and the inputs that it takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from dualcost.errors import ModelError
from dualcost.network.network import Network, TensorSpec
from dualcost.nn.sources.build import build
from dualcost.nn.trace.inputs import Example, specs_of
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
