"""What a user asks for: a kind, its G or P, where, and what to do at the edges."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from dualcost.errors import UsageError
from dualcost.kinds.kinds import divisor_of, kind
from dualcost.kinds.recipe import ConvKind
from dualcost.rewrite.exemption import Exemption
from dualcost.rewrite.rule import NAMED_RULES, Rule


class Policy(StrEnum):
    """What happens where G or P does not divide the channels."""

    REFUSE = "refuse"  # nothing is replaced
    KEEP = "keep"  # the site stays as it is
    GCD = "gcd"  # the largest divisor of G or P that divides them is taken
    FALLBACK = "fallback"  # a second G or P is taken, or else nothing is replaced


POLICIES = ("refuse", "keep", "gcd", "fallback:N")  # as they are written


class Bias(StrEnum):
    """What becomes of the biases of what is replaced."""

    KEEP = "keep"
    DROP = "drop"

    @classmethod
    def parse(cls, text: str) -> Bias:
        """Read "keep" or "drop".

        Raises:
            UsageError: it is neither.
        """
        if text not in BIASES:
            raise UsageError(f"bias {text!r} is not known", f"one of {', '.join(BIASES)}")
        return cls(text)


BIASES = tuple(map(str, Bias))


@dataclass(frozen=True)
class Indivisible:
    """What happens where G or P does not divide the channels: refuse, keep, gcd, or fallback:N."""

    policy: Policy = Policy.REFUSE
    fallback: int = 0

    @classmethod
    def parse(cls, text: str) -> Indivisible:
        """Read "refuse", "keep", "gcd" or "fallback:8".

        Raises:
            UsageError: it is none of them.
        """
        policy, _, number = text.partition(":")
        if policy == Policy.FALLBACK and number.isdecimal() and int(number):
            return cls(Policy.FALLBACK, int(number))
        if text in POLICIES[:3]:
            return cls(Policy(text))
        raise UsageError(
            f"{text!r} does not say what to do with indivisible channels",
            f"one of {', '.join(POLICIES)}, such as fallback:8",
        )

    def __str__(self) -> str:
        return f"{self.policy}:{self.fallback}" if self.fallback else self.policy.value


@dataclass(frozen=True)
class Rewrite:
    """What is asked for: a kind, its G or P, where, and what to do at the edges.

    Attributes:
        kind: the kind that replaces.
        divisor: G or P; 1 for a kind without.
        rule: which sites are replaced.
        indivisible: what happens where G or P does not divide the channels.
        bias: kept, the new convolution has a bias where the old one had it; dropped, it has none.
        exemptions: sites with another kind, G or P, or kept; the first that holds wins.
    """

    kind: ConvKind
    divisor: int = 1
    rule: Rule = field(default_factory=lambda: Rule.parse(NAMED_RULES["default"]))
    indivisible: Indivisible = field(default_factory=Indivisible)
    bias: Bias = Bias.KEEP
    exemptions: tuple[Exemption, ...] = ()

    def __post_init__(self) -> None:
        """Check G or P.

        Raises:
            UsageError: it is not positive.
        """
        if self.divisor < 1:
            raise UsageError(f"{self} is not positive", "give 1, 2, 4, …")

    @classmethod
    def parse(
        cls,
        conv: str | ConvKind | Rewrite,
        G: int | None = None,
        P: int | None = None,
        where: str = "default",
        indivisible: str = "refuse",
        bias: str = "keep",
        but: tuple[str, ...] = (),
    ) -> Rewrite:
        """Make a rewrite of the words that users write; one that is made already is taken whole.

        Raises:
            UsageError: one of them does not fit, or stands beside a whole rewrite.
        """
        if isinstance(conv, Rewrite):
            beside = (G, P, where, indivisible, bias, but)
            if beside != (None, None, "default", "refuse", "keep", ()):
                raise UsageError(
                    f"{conv} is a whole rewrite, and other words stand beside it",
                    "leave G, P, where, but, indivisible and bias out",
                )
            return conv
        chosen = kind(conv)
        return cls(
            kind=chosen,
            divisor=divisor_of(chosen, G, P),
            rule=Rule.parse(where),
            indivisible=Indivisible.parse(indivisible),
            bias=Bias.parse(bias),
            exemptions=tuple(Exemption.parse(text, chosen) for text in but),
        )

    def words(self) -> dict[str, Any]:
        """The words of which `parse` makes the same again, without those that it assumes."""
        where = next((n for n in NAMED_RULES if Rule.parse(n) == self.rule), str(self.rule))
        words: dict[str, Any] = {"conv": self.kind.name}
        if self.kind.letter:
            words[self.kind.letter] = self.divisor
        usual = {"where": "default", "indivisible": "refuse", "bias": "keep", "but": ()}
        given = {
            "where": where,
            "indivisible": str(self.indivisible),
            "bias": str(self.bias),
            "but": tuple(str(exemption) for exemption in self.exemptions),
        }
        return words | {name: word for name, word in given.items() if word != usual[name]}

    def __str__(self) -> str:
        named = any(exemption.kind is not None for exemption in self.exemptions)
        return self.kind.label(self.divisor) + (" and others" if named else "")
