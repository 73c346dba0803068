"""Another batch, or other images, for the inputs that a network is traced with."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from dualcost.errors import UsageError
from dualcost.network.network import TensorSpec

Sides = tuple[int, int]
_SIDES = re.compile(r"\s*\(?\s*(\d+)\s*(?:[x×,*]\s*(\d+)\s*)?\)?\s*")


def sides(text: str | int | Sides) -> Sides:
    """Height and width of "320" (a square), "320x256" or "320,256".

    Raises:
        UsageError: it has another form, or a side is not positive.
    """
    match = _SIDES.fullmatch(str(text))
    if match is None:
        raise UsageError(f"{text!r} is not the size of an image", "write 320, or 320x256")
    height, width = int(match[1]), int(match[2] or match[1])
    if not height or not width:
        raise UsageError(f"an image of {height}x{width} is empty", "give sides of 1 or more")
    return height, width


@dataclass(frozen=True)
class Resize:
    """What becomes of the inputs.

    Attributes:
        batch: the first number of every input; None leaves it.
        sides: the last two numbers of every image, height and width; None leaves them.
    """

    batch: int | None = None
    sides: Sides | None = None

    def __post_init__(self) -> None:
        """Check the batch.

        Raises:
            UsageError: it is not positive.
        """
        if self.batch is not None and self.batch < 1:
            raise UsageError(f"a batch of {self.batch} is not positive", "give --batch 1 or more")

    def __bool__(self) -> bool:
        return self != Resize()

    def __str__(self) -> str:
        return f"{self.batch}" + (f" {self.sides}" if self.sides else "")

    def of(self, inputs: Iterable[TensorSpec]) -> tuple[TensorSpec, ...]:
        """The inputs, resized; an image is of floating point, and has four dimensions or more.

        Raises:
            UsageError: there is no image, and `sides` are given.
        """
        inputs = tuple(inputs)
        if self.sides and inputs and not any(map(_is_image, inputs)):
            shown = ", ".join(map(str, inputs))
            raise UsageError(f"no input of {shown} is an image", "say the shapes with --input")
        return tuple(replace(spec, shape=self._shape(spec)) for spec in inputs)

    def _shape(self, spec: TensorSpec) -> tuple[int, ...]:
        shape = spec.shape if self.batch is None else (self.batch, *spec.shape[1:])
        return (*shape[:-2], *self.sides) if self.sides and _is_image(spec) else shape


def _is_image(spec: TensorSpec) -> bool:
    return len(spec.shape) >= 4 and "float" in spec.dtype
