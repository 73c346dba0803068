"""Cost (adds up, divides into a ratio) and Convention (what is counted, what one unit is)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dualcost.errors import UnknownNameError
from dualcost.network.network import CONVOLUTION, LINEAR, MATMUL, Op
from dualcost.network.ops import operator

UNIT = "1 MAC = one multiply-accumulate; FLOPs = 2·MACs"
UNIT_WITH_OPERATIONS = f"{UNIT} + other operations"


@dataclass(frozen=True)
class Cost:
    """What a layer, or a network, costs for the input it was traced with.

    The fields are integers in a profile; the recipes of `kinds` also make them Fractions, numpy
    arrays and sympy expressions.

    Attributes:
        macs: multiply-accumulates; the paper's word for them is FLOPs.
        params: elements of weights and biases.
        traffic: bytes (of a recipe: elements) read and written, every op's inputs, weights and
            outputs once.
        operations: elementary operations besides MACs, in conventions that count them.
        weight_bytes: memory of the parameters.
        activation_bytes: memory of the maps that are made, whenever they live.
    """

    macs: int = 0
    params: int = 0
    traffic: int = 0
    operations: int = 0
    weight_bytes: int = 0
    activation_bytes: int = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.macs + other.macs,
            self.params + other.params,
            self.traffic + other.traffic,
            self.operations + other.operations,
            self.weight_bytes + other.weight_bytes,
            self.activation_bytes + other.activation_bytes,
        )

    @property
    def flops(self) -> int:
        """Floating-point operations: two per MAC, and what else is counted."""
        return 2 * self.macs + self.operations

    @property
    def intensity(self) -> float | None:
        """FLOPs per byte of traffic; None where nothing moves."""
        return self.flops / self.traffic if self.traffic else None


def ratio(after: int, before: int) -> float | None:
    """What is left of `before`: 1.0 is unchanged, 0.25 is a quarter; None where there was none."""
    return after / before if before else None


@dataclass(frozen=True)
class Convention:
    """What is counted: which groups of ops have their MACs counted, and which other operations.

    Attributes:
        name: how users call it.
        groups: whose MACs count.
        about: one line for headings.
        operations: (op) → elementary operations besides MACs; None: none are counted.
        recipes: the additions inside a replaced convolution (of a bias, of two parts) count too.
    """

    name: str
    groups: tuple[str, ...]
    about: str
    operations: Callable[[Op], int] | None = None
    recipes: bool = False

    @property
    def unit(self) -> str:
        """What one unit is."""
        return UNIT if self.operations is None else UNIT_WITH_OPERATIONS


def _fvcore(op: Op) -> int:
    known = operator(op.name)
    return 0 if known is None else known.fvcore.count(op)


PRODUCTS = (CONVOLUTION, LINEAR, MATMUL)

CONVENTIONS: dict[str, Convention] = {
    convention.name: convention
    for convention in (
        Convention(
            "paper", (CONVOLUTION, LINEAR), "convolutions and linear layers (the paper's “FLOPs”)"
        ),
        Convention(
            "torch",
            PRODUCTS,
            "convolutions, linear layers and matrix products, attention included",
        ),
        Convention(
            "fvcore",
            PRODUCTS,
            "as torch; and norms, adaptive pooling and resizing as fvcore estimates them",
            _fvcore,
        ),
        Convention(
            "all",
            PRODUCTS,
            "as torch; and every other arithmetic operation",
            lambda op: op.operations,
            recipes=True,
        ),
    )
}


def convention(name: str) -> Convention:
    """The convention of that name.

    Raises:
        UnknownNameError: there is none.
    """
    try:
        return CONVENTIONS[name]
    except KeyError:
        raise UnknownNameError("convention", name, CONVENTIONS) from None
