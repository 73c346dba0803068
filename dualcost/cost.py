"""Cost (adds up, divides into a ratio) and Convention (what is counted, what one unit is)."""

from __future__ import annotations

from dataclasses import dataclass

from dualcost.errors import UnknownNameError
from dualcost.site import CONVOLUTION, LINEAR, MATMUL

UNIT = "1 MAC = one multiply-accumulate; FLOPs = 2·MACs"


@dataclass(frozen=True)
class Cost:
    """What a layer, or a network, costs for the input it was traced with.

    The fields are integers in a profile; the recipes of `kinds` also make them Fractions, numpy
    arrays and sympy expressions.

    Attributes:
        macs: multiply-accumulates; the paper's word for them is FLOPs.
        params: elements of weights and biases.
        traffic: elements read and written, every op's inputs, weights and outputs once.
    """

    macs: int = 0
    params: int = 0
    traffic: int = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.macs + other.macs, self.params + other.params, self.traffic + other.traffic
        )

    @property
    def flops(self) -> int:
        """Floating-point operations: two per MAC."""
        return 2 * self.macs


def ratio(after: int, before: int) -> float | None:
    """What is left of `before`: 1.0 is unchanged, 0.25 is a quarter; None where there was none."""
    return after / before if before else None


@dataclass(frozen=True)
class Convention:
    """Which groups of ops have their multiply-accumulates counted."""

    name: str
    groups: tuple[str, ...]
    about: str


CONVENTIONS: dict[str, Convention] = {
    "paper": Convention(
        "paper", (CONVOLUTION, LINEAR), "convolutions and linear layers (the paper's “FLOPs”)"
    ),
    "torch": Convention(
        "torch",
        (CONVOLUTION, LINEAR, MATMUL),
        "convolutions, linear layers and matrix products, attention included",
    ),
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
