"""Each kind of convolution as a trainable module."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dualcost.errors import UsageError
from dualcost.kinds.grouping import RUNS
from dualcost.kinds.kinds import DSC, DUAL, GROUP, HET, STANDARD
from dualcost.kinds.recipe import BETWEEN, ConvKind
from dualcost.nn.layers.recipe import RecipeConv2d


class DualConv2d(RecipeConv2d):
    """K×K over 1/G of the channels plus 1×1 over all (equation 4)."""

    kind = DUAL


class HetConv2d(RecipeConv2d):
    """K×K over every P-th channel plus 1×1 over the others (equation 10).

    It runs in one of two ways, on the same weights and with the same MACs and result:

    * "grouped": the channels are sorted by their remainder, so that the K×K is one grouped
      convolution; the 1×1 is log2(P) grouped ones (of a P that is no power of two: p − 1 for each
      prime factor p), which together multiply what a filter's 1×1 sees and nothing else.
    * "branches": P times a K×K over the channels of one remainder and a 1×1 over the others, cut
      out of the image: as HetConv's own code does, and as slow.

    `implementation` may be changed at any time; it is not part of the state.
    """

    kind = HET

    def __init__(self, *args: Any, implementation: str = "grouped", **words: Any) -> None:
        """Build the layer; the other words are those of `RecipeConv2d`.

        Raises:
            UsageError: there is no such implementation, or P does not fit.
            ValueError: what `nn.Conv2d` would refuse.
        """
        check_implementation(implementation)
        super().__init__(*args, **words)
        self.implementation = implementation

    def forward(self, image: Tensor) -> Tensor:
        """The convolution of a batch (B, M, H, W), or of one image (M, H, W)."""
        if self.implementation == "grouped" or self.divisor == 1 or image.dim() == 3:
            return super().forward(image)  # which comes back with a batch of one
        explicit = self.padding_mode != "zeros"
        padding: Any = 0 if explicit else self.padding
        if explicit:
            image = F.pad(image, self._edges, mode=self.padding_mode)
        branches: list[Tensor] = []
        centred = image
        for remainder, (spatial, pointwise, bias) in enumerate(self._branches()):
            own = image[:, remainder :: self.divisor]
            made = F.conv2d(own, spatial, bias, self.stride, padding, self.dilation)
            if not branches:
                centred = self._centred(image, made)
            others = [centred[:, other :: self.divisor] for other in self._others(remainder)]
            made += F.conv2d(torch.cat(others, dim=1), pointwise, None, self.stride)
            branches.append(made)
        return torch.stack(branches, dim=2).flatten(1, 2)

    def _branches(self) -> Iterator[tuple[Tensor, Tensor, Tensor | None]]:
        """The weights and the bias of the filters of each remainder."""
        weights = zip(
            self.get_parameter("spatial").chunk(self.divisor),
            self.get_parameter("pointwise").chunk(self.divisor),
            strict=True,
        )
        for remainder, (spatial, pointwise) in enumerate(weights):
            bias = self.bias
            yield spatial, pointwise, None if bias is None else bias[remainder :: self.divisor]

    def _others(self, remainder: int) -> Iterator[int]:
        """The other remainders, in the order in which the columns of the 1×1 are stored."""
        for run in RUNS[BETWEEN](self.in_channels, self.divisor):
            wide = self.divisor // run.groups  # remainders in one group
            first = run.sees[remainder // wide] * wide
            yield from range(first, first + wide)

    def extra_repr(self) -> str:
        """What its `repr` says between the brackets, in the words of `nn.Conv2d`."""
        words = super().extra_repr()
        chosen = self.implementation
        return words if chosen == "grouped" else f"{words}, implementation={chosen!r}"


def check_implementation(name: str) -> None:
    """Refuse what is not an implementation of het.

    Raises:
        UsageError: with those that there are.
    """
    if name not in HET.implementations:
        known = ", ".join(HET.implementations)
        raise UsageError(f"no implementation of het is called {name!r}", f"one of {known}")


class GroupConv2d(RecipeConv2d):
    """K×K over 1/G of the channels (equation 8): `nn.Conv2d` with groups=G."""

    kind = GROUP


class DepthwiseSeparableConv2d(RecipeConv2d):
    """K×K per channel, then 1×1 over all (equation 6); stride and padding are the K×K's."""

    kind = DSC


Layer = RecipeConv2d | nn.Conv2d


MODULES: dict[str, type[RecipeConv2d]] = {
    module.kind.name: module
    for module in (DualConv2d, HetConv2d, GroupConv2d, DepthwiseSeparableConv2d)
}


@cache
def layer_of(kind: ConvKind) -> Callable[..., Layer]:
    """What makes the layers of a kind; for a kind of one's own, a class that is made of it."""
    if kind is STANDARD:
        return nn.Conv2d
    known = MODULES.get(kind.name)
    if known is not None and known.kind is kind:
        return known
    return type(f"{kind.name.capitalize()}Conv2d", (RecipeConv2d,), {"kind": kind})
