"""The traced facts: what a network did when it ran once, as plain data.

A `Network` is a list of executed `Op`s in order, the `Parameter`s they use, and the `Block`s
(groups of ops that one convolution may replace). A convolution carries a full `ConvSite`.
Nothing here knows torch, kinds or costs other than a convolution's own arithmetic.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import prod

Size = tuple[int, ...]


@dataclass(frozen=True)
class ConvSite:
    """One convolution as it ran: M input and N output channels, and every size it has.

    Sizes are tuples with one entry per spatial dimension (1-d, 2-d or 3-d). `D_o`² of the paper
    is `prod(out_size)` and K² is `prod(kernel)`.
    """

    M: int
    N: int
    kernel: Size
    stride: Size
    padding: Size
    dilation: Size
    groups: int
    bias: bool
    transposed: bool
    in_size: Size
    out_size: Size
    batch: int = 1

    def __post_init__(self) -> None:
        """Check what every convolution satisfies.

        Raises:
            ValueError: with both numbers in the message.
        """
        for letter in ("M", "N"):
            channels = getattr(self, letter)
            if channels < 1 or channels % self.groups:
                raise ValueError(f"{letter}={channels} is not divisible by groups={self.groups}")
        dims = {
            name: len(getattr(self, name)) for name in ("kernel", "stride", "in_size", "out_size")
        }
        if len(set(dims.values())) != 1:
            raise ValueError(f"sizes of one convolution differ in their dimensions: {dims}")

    @cached_property
    def taps(self) -> int:
        """Elements of the kernel of one channel (K² on the paper's page)."""
        return prod(self.kernel)

    @cached_property
    def positions(self) -> int:
        """How often a filter is applied (batch · D_o²); a transposed one starts from each input."""
        return self.batch * prod(self.in_size if self.transposed else self.out_size)

    @cached_property
    def weights(self) -> int:
        """Elements of the weight tensor, without the bias."""
        return self.taps * self.M * self.N // self.groups

    @cached_property
    def macs(self) -> int:
        """Multiply-accumulates (equation 1 for groups = 1, equation 8 otherwise)."""
        return self.positions * self.weights

    @property
    def in_elements(self) -> int:
        """Elements of the input feature map, with the batch."""
        return self.batch * self.M * prod(self.in_size)

    @property
    def out_elements(self) -> int:
        """Elements of the output feature map, with the batch."""
        return self.batch * self.N * prod(self.out_size)

    @property
    def depthwise(self) -> bool:
        """One filter per channel that sees that channel alone, more than one tap."""
        return self.groups == self.M == self.N and self.M > 1 and self.taps > 1

    @property
    def pointwise(self) -> bool:
        """A 1×1 convolution that sees all channels."""
        return self.groups == 1 and self.taps == 1
