"""The kinds as modules: each is its recipe (`kinds.py`) made of real, trainable convolutions.

    >>> from dualcost.nn import DualConv2d
    >>> layer = DualConv2d(64, 128, 3, stride=2, padding=1, G=4)

They take the words of `nn.Conv2d`, and G or P in the place of `groups`. Their parameters and MACs
are those of the recipe: what a filter does not see is neither stored nor multiplied.

The 1×1 beside a K×K reads one tap of its window: the centre, and of an even kernel the one before
the middle, (K − 1) // 2 in both directions. The input is cropped or padded for it where stride,
padding and dilation ask for that, so that both maps have one size.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dualcost.errors import UsageError
from dualcost.kinds.grouping import INTERLEAVED, RUNS
from dualcost.kinds.kinds import BETWEEN, KINDS, ConvKind, Part, divisor_of

# How HetConv2d may run.
IMPLEMENTATIONS = ("grouped", "branches")


class RecipeConv2d(nn.Module):
    """A convolution built from the recipe of its `kind`; the public classes name theirs.

    One parameter per part of the recipe, with the part's name and the shape (filters, channels
    that one filter sees, K, K), and `bias`. Of a kind whose filters see every P-th channel, the
    weights are stored in the order in which they run: filters sorted by their remainder. `kernel`
    gives them back in place. The MACs executed are the recipe's, to the integer.
    """

    kind: ClassVar[ConvKind]
    bias: Tensor | None

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] = 1,
        padding: str | int | tuple[int, int] = 0,
        dilation: int | tuple[int, int] = 1,
        *,
        G: int | None = None,
        P: int | None = None,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        """Build the layer, initialised as `nn.Conv2d` is.

        Raises:
            UsageError: G or P is missing, is the other letter, or does not divide the channels.
            ValueError: what `nn.Conv2d` would refuse.
        """
        super().__init__()
        self.divisor = divisor_of(self.kind, G, P)
        # a plain layer without weights checks these words, and completes them
        plain = nn.Conv2d(
            in_channels, out_channels, kernel_size, stride, padding, dilation,
            padding_mode=padding_mode,  # type: ignore[arg-type]  # it checks the word
            device="meta",
        )  # fmt: skip
        self.kind.check(in_channels, out_channels, self.divisor)
        self.in_channels, self.out_channels = in_channels, out_channels
        self.kernel_size, self.stride = plain.kernel_size, plain.stride
        self.padding, self.dilation = plain.padding, plain.dilation
        self.padding_mode = padding_mode
        # (left, right, top, bottom), as F.pad takes them
        self._edges = tuple(plain._reversed_padding_repeated_twice)
        for part in self.kind.parts:
            shape = self._shape(part)
            weight = torch.empty(shape, device=device, dtype=dtype) if shape[1] else None
            self.register_parameter(part.name, nn.Parameter(weight) if weight is not None else None)
        vector = torch.empty(out_channels, device=device, dtype=dtype) if bias else None
        self.register_parameter("bias", nn.Parameter(vector) if vector is not None else None)
        self.reset_parameters()

    def _shape(self, part: Part) -> tuple[int, int, int, int]:
        filters = self.in_channels if part.per_channel else self.out_channels
        kernel = self.kernel_size if part.spatial else (1, 1)
        return filters, part.sight.count(self.in_channels, self.divisor), *kernel

    def reset_parameters(self) -> None:
        """Draw new weights as `nn.Conv2d` does: uniform within 1/√fan-in of the whole filter.

        The parts of a sum are one filter together; those of a chain are one each.
        """
        taps = {part.name: math.prod(self._shape(part)[1:]) for part in self.kind.parts}
        whole = sum(taps.values())
        fan_in = whole
        for name, own in taps.items():
            fan_in = own if self.kind.chained else whole
            if (weight := self._parameters[name]) is not None:
                nn.init.uniform_(weight, -1 / math.sqrt(fan_in), 1 / math.sqrt(fan_in))
        if self.bias is not None:
            nn.init.uniform_(self.bias, -1 / math.sqrt(fan_in), 1 / math.sqrt(fan_in))

    def forward(self, image: Tensor) -> Tensor:
        """The convolution of a batch (B, M, H, W), or of one image (M, H, W)."""
        if image.dim() == 3:
            result: Tensor = self.forward(image.unsqueeze(0)).squeeze(0)
            return result
        if self.padding_mode != "zeros":
            image = F.pad(image, self._edges, mode=self.padding_mode)
        if self._interleaved:
            image = F.channel_shuffle(image, self.in_channels // self.divisor)
        made = self._chain(image) if self.kind.chained else self._sum(image)
        return F.channel_shuffle(made, self.divisor) if self._interleaved else made

    @property
    def _interleaved(self) -> bool:
        return self.divisor > 1 and any(part.sight in INTERLEAVED for part in self.kind.parts)

    def _parts(self) -> Iterator[tuple[Part, Tensor]]:
        """The parts that have weights: at P = 1 nothing is left for het's 1×1."""
        for part in self.kind.parts:
            if (weight := self._parameters[part.name]) is not None:
                yield part, weight

    def _chain(self, image: Tensor) -> Tensor:
        last = self.kind.parts[-1]
        for part, weight in self._parts():
            bias = self.bias if part is last else None
            image = self._run(part, image, weight, bias, strided=part.spatial)
        return image

    def _sum(self, image: Tensor) -> Tensor:
        """The parts added up; the first one is the K×K, and says how large the map is."""
        bias = self.bias
        if bias is not None and self._interleaved:
            bias = bias.view(-1, self.divisor).t().reshape(-1)
        (first, weight), *others = self._parts()
        made = self._run(first, image, weight, bias, strided=True)
        for part, weight in others:
            made += self._run(part, self._centred(image, made), weight, None, strided=True)
        return made

    def _run(
        self, part: Part, image: Tensor, weight: Tensor, bias: Tensor | None, *, strided: bool
    ) -> Tensor:
        """One part: the sum of its grouped convolutions."""
        explicit = self.padding_mode != "zeros" or not part.spatial
        padding: Any = 0 if explicit else self.padding
        stride = self.stride if strided else 1
        dilation = self.dilation if part.spatial else 1
        made: Tensor | None = None
        for run in RUNS[part.sight](self.in_channels, self.divisor):
            seen = image
            if not run.straight:
                blocks = image.chunk(run.groups, dim=1)
                seen = torch.cat([blocks[group] for group in run.sees], dim=1)
            columns = weight if run.columns == slice(None) else weight[:, run.columns]
            one = F.conv2d(seen, columns, bias, stride, padding, dilation, run.groups)
            made, bias = one if made is None else made + one, None
        assert made is not None
        return made

    def _centred(self, image: Tensor, made: Tensor) -> Tensor:
        """The image as a 1×1 of the same stride must read it, to see the centre of each window."""
        pads: list[int] = []
        for side in (1, 0):  # F.pad starts from the last dimension
            size, out = image.shape[2 + side], made.shape[2 + side]
            before = self._edges[2 - 2 * side] if self.padding_mode == "zeros" else 0
            stride = self.stride[side]
            lead = (self.kernel_size[side] - 1) // 2 * self.dilation[side] - before
            needed = (out - 1) * stride + 1
            fits = lead == 0 and (size - 1) // stride + 1 == out
            pads += [0, 0] if fits else [-lead, lead + needed - size]
        return F.pad(image, pads) if any(pads) else image

    @torch.no_grad()
    def kernel(self, name: str) -> Tensor:
        """The kernel of one part in place: (filters, M, K, K), zero where a filter does not see."""
        part = next(part for part in self.kind.parts if part.name == name)
        filters, _, *kernel = self._shape(part)
        like = next(self.parameters())
        dense = like.new_zeros(filters, self.in_channels, *kernel)
        if (weight := self._parameters[name]) is None:
            return dense
        for run in RUNS[part.sight](self.in_channels, self.divisor):
            blocks = dense.view(run.groups, filters // run.groups, run.groups, -1, *kernel)
            own = weight[:, run.columns].reshape(run.groups, filters // run.groups, -1, *kernel)
            blocks[range(run.groups), :, run.sees] = own
        if part.sight not in INTERLEAVED:
            return dense
        in_place = torch.zeros_like(dense)
        in_place[self._sorted(filters)[:, None], self._sorted(self.in_channels)] = dense
        return in_place

    @torch.no_grad()
    def load_kernel(self, name: str, dense: Tensor) -> None:
        """Take the weights of one part from a kernel in place: the inverse of `kernel`.

        Args:
            name: the part's.
            dense: (filters, M, K, K); what a filter does not see is not read.
        """
        part = next(part for part in self.kind.parts if part.name == name)
        if (weight := self._parameters[name]) is None:
            return
        filters, _, *kernel = weight.shape
        if part.sight in INTERLEAVED:
            dense = dense[self._sorted(filters)[:, None], self._sorted(self.in_channels)]
        for run in RUNS[part.sight](self.in_channels, self.divisor):
            blocks = dense.reshape(run.groups, filters // run.groups, run.groups, -1, *kernel)
            own = blocks[range(run.groups), :, run.sees]
            weight[:, run.columns] = own.reshape(filters, -1, *kernel)

    def _sorted(self, length: int) -> Tensor:
        """The order in which filters or channels run that are sorted by their remainder."""
        return torch.arange(length).view(-1, self.divisor).t().reshape(-1)

    def extra_repr(self) -> str:
        """What its `repr` says between the brackets, in the words of `nn.Conv2d`."""
        words = [
            f"{self.in_channels}, {self.out_channels}",
            f"kernel_size={self.kernel_size}, stride={self.stride}",
        ]
        for name, usual in (("padding", (0, 0)), ("dilation", (1, 1)), ("padding_mode", "zeros")):
            if (value := getattr(self, name)) != usual:
                words.append(f"{name}={value!r}")
        if self.kind.letter:
            words.append(f"{self.kind.letter}={self.divisor}")
        if self.bias is None:
            words.append("bias=False")
        return ", ".join(words)


class DualConv2d(RecipeConv2d):
    """K×K over 1/G of the channels plus 1×1 over all (equation 4)."""

    kind = KINDS["dual"]


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

    kind = KINDS["het"]

    def __init__(self, *args: Any, implementation: str = "grouped", **words: Any) -> None:
        """Build the layer; the other words are those of `RecipeConv2d`.

        Raises:
            UsageError: the implementation is not one of IMPLEMENTATIONS, or P does not fit.
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
    """Refuse what is not one of IMPLEMENTATIONS.

    Raises:
        UsageError: with those that there are.
    """
    if name not in IMPLEMENTATIONS:
        known = ", ".join(IMPLEMENTATIONS)
        raise UsageError(f"no implementation of het is called {name!r}", f"one of {known}")


class GroupConv2d(RecipeConv2d):
    """K×K over 1/G of the channels (equation 8): `nn.Conv2d` with groups=G."""

    kind = KINDS["group"]


class DepthwiseSeparableConv2d(RecipeConv2d):
    """K×K per channel, then 1×1 over all (equation 6); stride and padding are the K×K's."""

    kind = KINDS["dsc"]


Layer = RecipeConv2d | nn.Conv2d

MODULES: dict[str, type[RecipeConv2d]] = {
    module.kind.name: module
    for module in (DualConv2d, HetConv2d, GroupConv2d, DepthwiseSeparableConv2d)
}


@cache
def layer_of(kind: ConvKind) -> Callable[..., Layer]:
    """What makes the layers of a kind; for a kind of one's own, a class that is made of it."""
    if kind is KINDS["standard"]:
        return nn.Conv2d
    known = MODULES.get(kind.name)
    if known is not None and known.kind is kind:
        return known
    return type(f"{kind.name.capitalize()}Conv2d", (RecipeConv2d,), {"kind": kind})
