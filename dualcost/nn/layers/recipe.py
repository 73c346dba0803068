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
from collections.abc import Iterator
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dualcost.kinds.grouping import INTERLEAVED, RUNS
from dualcost.kinds.kinds import divisor_of
from dualcost.kinds.recipe import ConvKind, Part


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
