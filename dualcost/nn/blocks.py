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
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dualcost.kinds import (
    ALL,
    BETWEEN,
    EVERY_PTH,
    KINDS,
    OWN,
    OWN_GROUP,
    ConvKind,
    Part,
    Sight,
    divisor_of,
)


@dataclass(frozen=True)
class GroupedRun:
    """One grouped convolution: the filters of group i see the channels of group `sees[i]`.

    Attributes:
        sees: the group of channels for each group of filters.
        columns: which columns of the part's weight it multiplies with.
    """

    sees: tuple[int, ...]
    columns: slice

    @property
    def groups(self) -> int:
        """How many groups it has."""
        return len(self.sees)

    @property
    def straight(self) -> bool:
        """Each group of filters sees the channels in its own place."""
        return self.sees == tuple(range(self.groups))


def _whole(groups: int) -> list[GroupedRun]:
    return [GroupedRun(tuple(range(groups)), slice(None))]


def _others(M: int, P: int) -> list[GroupedRun]:
    """All groups but one's own, without multiplying by a zero.

    Each half of the groups sees the other half: one convolution of 2 groups. Within each half, each
    quarter sees the other: one of 4 groups; and so on, log2(P) convolutions in all. A prime factor
    p of P takes p − 1 of them, one for each distance between two of p parts.
    """
    runs: list[GroupedRun] = []
    outer, start = 1, 0
    for p in _prime_factors(P):
        groups = outer * p
        for distance in range(1, p):
            sees = tuple(g - g % p + (g + distance) % p for g in range(groups))
            runs.append(GroupedRun(sees, slice(start, start + M // groups)))
            start += M // groups
        outer = groups
    return runs


def _prime_factors(number: int) -> Iterator[int]:
    divisor = 2
    while number > 1:
        while number % divisor == 0:
            yield divisor
            number //= divisor
        divisor += 1


# How each sight runs: (M, G or P) → grouped convolutions, whose sum is the part.
RUNS: dict[Sight, Callable[[int, int], list[GroupedRun]]] = {
    ALL: lambda M, divisor: _whole(1),
    OWN: lambda M, divisor: _whole(M),
    OWN_GROUP: lambda M, G: _whole(G),
    EVERY_PTH: lambda M, P: _whole(P),
    BETWEEN: _others,
}
# Sights by remainder (every P-th channel): channels and filters are sorted by it to be groups.
INTERLEAVED = (EVERY_PTH, BETWEEN)


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
        M, weight = self.in_channels, self._parameters[name]
        like = next(self.parameters())
        dense = torch.zeros(filters, M, *kernel, dtype=like.dtype, device=like.device)
        if weight is None:
            return dense
        for run in RUNS[part.sight](M, self.divisor):
            blocks = dense.view(run.groups, filters // run.groups, run.groups, -1, *kernel)
            own = weight[:, run.columns].reshape(run.groups, filters // run.groups, -1, *kernel)
            blocks[range(run.groups), :, run.sees] = own
        if part.sight in INTERLEAVED:
            rows, columns = (
                torch.arange(length).view(-1, self.divisor).t().reshape(-1)
                for length in (filters, M)
            )
            sorted_by_remainder, dense = dense, torch.zeros_like(dense)
            dense[rows[:, None], columns] = sorted_by_remainder
        return dense

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

    The channels are sorted by their remainder, so that the K×K is one grouped convolution; the 1×1
    is log2(P) grouped ones (of a P that is no power of two: p − 1 for each prime factor p), which
    together multiply what a filter's 1×1 sees and nothing else.
    """

    kind = KINDS["het"]


class GroupConv2d(RecipeConv2d):
    """K×K over 1/G of the channels (equation 8): `nn.Conv2d` with groups=G."""

    kind = KINDS["group"]


class DepthwiseSeparableConv2d(RecipeConv2d):
    """K×K per channel, then 1×1 over all (equation 6); stride and padding are the K×K's."""

    kind = KINDS["dsc"]


MODULES: dict[str, type[RecipeConv2d]] = {
    module.kind.name: module
    for module in (DualConv2d, HetConv2d, GroupConv2d, DepthwiseSeparableConv2d)
}
