"""A kind of convolution as a recipe: plain convolutions, and how they are joined."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dualcost.errors import IndivisibleError
from dualcost.kinds.look import OWN_LOOK, Look
from dualcost.network.cost import Cost
from dualcost.network.site import ConvSite

# An int, a Fraction, a numpy integer array or a sympy expression: whatever adds and multiplies.
Number = Any


def quotient(dividend: Number, divisor: Number) -> Number:
    """Dividend / divisor without leaving the integers, for every type of number.

    Raises:
        IndivisibleError: the second of two integers (or arrays of them) does not divide the first.
    """
    both = (dividend, divisor)
    integers = all(isinstance(n, int) or getattr(n, "dtype", None) is not None for n in both)
    if not integers:
        return dividend / divisor
    rest = dividend % divisor
    if rest if isinstance(rest, int) else rest.any():
        raise IndivisibleError(f"{dividend} is not divisible by {divisor}")
    return dividend // divisor


@dataclass(frozen=True)
class Sight:
    """Which input channels a filter sees: how many, in closed form, and which, one by one.

    Attributes:
        count: (M, G or P) → how many channels one filter sees.
        sees: (filter, channel, M, filters, G or P) → whether this filter sees this channel.
    """

    count: Callable[[Number, Number], Number]
    sees: Callable[[int, int, int, int, int], bool]


ALL = Sight(lambda M, divisor: M, lambda n, m, M, N, divisor: True)


# depthwise: the m-th filter sees the m-th channel
OWN = Sight(lambda M, divisor: 1, lambda n, m, M, N, divisor: n == m)


# the g-th group of filters sees the g-th group of channels, both contiguous (Fig. 1 c and e)
OWN_GROUP = Sight(quotient, lambda n, m, M, N, G: n // (N // G) == m // (M // G))


OTHER_GROUPS = Sight(
    lambda M, G: M - quotient(M, G), lambda n, m, M, N, G: n // (N // G) != m // (M // G)
)


# every P-th channel, shifted by one from filter to filter (Fig. 1 d; Fig. 3 of HetConv)
EVERY_PTH = Sight(quotient, lambda n, m, M, N, P: n % P == m % P)


BETWEEN = Sight(lambda M, P: M - quotient(M, P), lambda n, m, M, N, P: n % P != m % P)


@dataclass(frozen=True)
class Part:
    """One plain convolution of a recipe.

    Attributes:
        name: what it is called in tables and modules.
        spatial: its kernel is the site's K×K; otherwise 1×1.
        sight: which input channels one of its filters sees.
        per_channel: it makes M output channels; otherwise N.
    """

    name: str
    spatial: bool
    sight: Sight
    per_channel: bool = False

    def weights(self, taps: Number, M: Number, N: Number, divisor: Number) -> Number:
        """Elements of its weight tensor; `taps` is K² on the paper's page."""
        kernel = taps if self.spatial else 1
        return kernel * self.sight.count(M, divisor) * (M if self.per_channel else N)


@dataclass(frozen=True)
class Misfit:
    """A G or P that does not divide the channels of a site."""

    letter: str
    divisor: int
    M: int
    N: int

    def __str__(self) -> str:
        name, channels = ("M", self.M) if self.M % self.divisor else ("N", self.N)
        return f"{name}={channels} is not divisible by {self.letter}={self.divisor}"


@dataclass(frozen=True)
class ConvKind:
    """A kind of convolution: its parts, and how they are joined.

    Attributes:
        name: how users call it.
        about: one line for tables and --help.
        parts: the plain convolutions that it is made of.
        chained: each part reads the one before it; otherwise all read the input and are summed.
        letter: the paper's letter of its parameter, "G" or "P"; "" if it has none.
        look: how it is drawn.
        implementations: how its layers may run, the usual way first; () if there is one way.
        aliases: what users may write instead of the name.
    """

    name: str
    about: str
    parts: tuple[Part, ...]
    chained: bool = False
    letter: str = ""
    look: Look = OWN_LOOK
    implementations: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()

    def cost(
        self,
        taps: Number,
        M: Number,
        N: Number,
        out_positions: Number,
        in_positions: Number,
        divisor: Number = 1,
        bias: bool = False,
        transposed: bool = False,
    ) -> Cost:
        """The recipe's cost as executed, for any type of number.

        Args:
            taps: elements of one channel's kernel (K²).
            M: input channels.
            N: output channels.
            out_positions: elements of one output channel, with the batch (D_o²).
            in_positions: elements of one input channel, with the batch.
            divisor: G or P.
            bias: one vector of N is added to the result.
            transposed: the spatial parts start from every input position.

        Raises:
            IndivisibleError: an integer G or P does not divide the channels.
        """
        macs: Number = 0
        params: Number = N if bias else 0
        traffic: Number = params
        operations: Number = params * out_positions
        summands: Number = 0
        in_elements = M * in_positions
        for index, part in enumerate(self.parts):
            weights = part.weights(taps, M, N, divisor)
            follows = self.chained and index > 0
            # a part without weights (the 1×1 of het at P = 1) does not run at all
            runs = (weights != 0) * 1
            out_elements = (M if part.per_channel else N) * out_positions
            macs = macs + weights * (in_positions if transposed and not follows else out_positions)
            params = params + weights
            traffic = traffic + weights + runs * (in_elements + out_elements)
            summands = summands + runs
            if self.chained:
                in_elements = out_elements
        if not self.chained:  # a sum of two maps reads both, adds, and writes one
            traffic = traffic + (summands - 1) * 3 * N * out_positions
            operations = operations + (summands - 1) * N * out_positions
        return Cost(macs, params, traffic, operations)

    def scratch(self, site: ConvSite, divisor: int = 1) -> int:
        """Elements of the maps that live inside it, besides its input and its result.

        Of a sum, every part's map but the one that the others are added to; of a chain, the
        largest map between two parts.
        """
        if self.chained:
            between = [site.M if part.per_channel else site.N for part in self.parts[:-1]]
            return max(between, default=0) * (site.out_elements // site.N)
        running = [p for p in self.parts if p.weights(site.taps, site.M, site.N, divisor)]
        return (len(running) - 1) * site.out_elements

    def at(self, site: ConvSite, divisor: int = 1, bias: bool | None = None) -> Cost:
        """The cost of this kind in the place of `site`; `bias` None keeps the site's.

        Raises:
            IndivisibleError: G or P does not divide M and N.
        """
        self.check(site.M, site.N, divisor)
        return self.cost(
            taps=site.taps,
            M=site.M,
            N=site.N,
            out_positions=site.out_elements // site.N,
            in_positions=site.in_elements // site.M,
            divisor=divisor,
            bias=site.bias if bias is None else bias,
            transposed=site.transposed,
        )

    def check(self, M: int, N: int, divisor: int) -> None:
        """Refuse a G or P that does not divide the channels.

        Raises:
            IndivisibleError: with both numbers.
        """
        misfit = self.misfit(M, N, divisor)
        if misfit:
            raise IndivisibleError(str(misfit), f"choose a {self.letter} that divides M and N")

    def misfit(self, M: int, N: int, divisor: int) -> Misfit | None:
        """The G or P with the channels, if it does not divide them."""
        fits = not self.letter or (M % divisor == 0 and N % divisor == 0)
        return None if fits else Misfit(self.letter, divisor, M, N)

    def label(self, divisor: int) -> str:
        """The kind with its parameter, as in tables: "dual G=4"."""
        return f"{self.name} {self.letter}={divisor}" if self.letter else self.name
