"""What a user asks for: a kind, its G or P, where, and what to do at the edges.

    dual:4                              a kind and its number
    dual:G=4    dual G=4                the same, with its letter
    dual:G=4@stride-1                   where a rule says
    dual:G=4,bias=drop,indivisible=gcd  what becomes of biases, and of channels that do not divide
    dual:G=4;M<=32: G=8                 exceptions, each after a semicolon
    dual                                its number is left open: what `solve` and `formula` find

The same text is used on the command line, in TOML and in Python; `str` of a request is one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from dualcost.errors import UsageError
from dualcost.kinds.kinds import KINDS, divisor_of, kind, known
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


USUAL = {"where": "default", "indivisible": "refuse", "bias": "keep"}  # of words that are not said
LETTERS = ("G", "P")
_HEAD = re.compile(r"\s*([^\s:@;,]+)\s*:?\s*([^@;]*)(?:@([^;]*))?(?:;(.*))?", re.DOTALL)


@dataclass(frozen=True)
class Request:
    """What is asked for: a kind, its G or P, where, and what to do at the edges.

    Attributes:
        kind: the kind that replaces.
        divisor: G or P; 1 for a kind without, and while it is open.
        rule: which sites are replaced.
        indivisible: what happens where G or P does not divide the channels.
        bias: kept, the new convolution has a bias where the old one had it; dropped, it has none.
        exemptions: sites with another kind, G or P, or kept; the first that holds wins.
        open: G or P is not said: it is a symbol, or what is searched.
    """

    kind: ConvKind
    divisor: int = 1
    rule: Rule = field(default_factory=lambda: Rule.parse(NAMED_RULES["default"]))
    indivisible: Indivisible = field(default_factory=Indivisible)
    bias: Bias = Bias.KEEP
    exemptions: tuple[Exemption, ...] = ()
    open: bool = False

    def __post_init__(self) -> None:
        """Check G or P, and the rule.

        Raises:
            UsageError: G or P is not positive, or nothing is left open.
            ValueError: the rule narrows another one, which it lacks (`Rule.replacing`).
        """
        if not self.rule.alone:
            raise ValueError(f"“{self.rule}” is no whole rule: its text would read back as another")
        if self.divisor < 1:
            raise UsageError(f"{self.label} is not positive", "give 1, 2, 4, …")
        if self.open and (not self.kind.letter or self.divisor != 1):
            raise UsageError(f"{self.label} leaves nothing open", "leave its number out")

    @classmethod
    def parse(
        cls,
        conv: str | ConvKind | Request,
        G: int | None = None,
        P: int | None = None,
        where: str = "default",
        indivisible: str = "refuse",
        bias: str = "keep",
        but: Iterable[str] = (),
        *,
        open: bool = False,
        own_first: bool = False,
    ) -> Request:
        """Make a request of the words that users write; one that is made already is taken whole.

        Args:
            conv: a kind, or the text of a request, as above.
            G: its number, if the text does not say it; so are all that follow.
            P: likewise, of het.
            where: which sites are replaced.
            indivisible: what happens where G or P does not divide the channels.
            bias: "keep" or "drop".
            but: exceptions, after those of the text.
            open: a number that nobody says is left open.
            own_first: where a word says otherwise than the text, the text is taken.

        Raises:
            UsageError: a word does not fit, or says otherwise than the text.
        """
        but = tuple(but)
        if isinstance(conv, Request):
            said = {"where": where, "indivisible": indivisible, "bias": bias}
            if (G, P, said, but) != (None, None, USUAL, ()):
                raise UsageError(
                    f"{conv.label} is a whole rewrite, and other words stand beside it",
                    "leave G, P, where, but, indivisible and bias out",
                )
            return conv
        text = _Text.read(conv) if isinstance(conv, str) else _Text(conv)
        chosen = text.kind
        given = {"G": G, "P": P, "where": where, "indivisible": indivisible, "bias": bias}
        words = {name: text.agreed(name, word, own_first) for name, word in given.items()}
        numbers = {letter: words[letter] for letter in LETTERS}
        free = open and bool(chosen.letter) and set(numbers.values()) == {None}
        return cls(
            kind=chosen,
            divisor=1 if free else divisor_of(chosen, **numbers),
            rule=Rule.replacing(words["where"]),
            indivisible=Indivisible.parse(words["indivisible"]),
            bias=Bias.parse(words["bias"]),
            exemptions=tuple(Exemption.parse(one, chosen) for one in (*text.but, *but)),
            open=free,
        )

    def words(self) -> dict[str, Any]:
        """The words of which `parse` makes the same again, without those that it assumes."""
        where = next((n for n in NAMED_RULES if Rule.parse(n) == self.rule), str(self.rule))
        words: dict[str, Any] = {"conv": self.kind.name}
        if self.kind.letter and not self.open:
            words[self.kind.letter] = self.divisor
        given = {"where": where, "indivisible": str(self.indivisible), "bias": str(self.bias)}
        words |= {name: word for name, word in given.items() if word != USUAL[name]}
        exemptions = tuple(str(exemption) for exemption in self.exemptions)
        return words | ({"but": exemptions} if exemptions else {})

    def at(self, divisor: int) -> Request:
        """The same with a number for its G or P."""
        return replace(self, divisor=divisor, open=False)

    @property
    def label(self) -> str:
        """The kind with its number, as titles and columns have it: "dual G=4", "dual" if open."""
        named = any(exemption.kind is not None for exemption in self.exemptions)
        name = self.kind.name if self.open else self.kind.label(self.divisor)
        return name + (" and others" if named else "")

    def __str__(self) -> str:
        """The text that `parse` reads: "dual:G=4,bias=drop@stride-1;M<=32: G=8"."""
        words = self.words()
        name, where, but = words.pop("conv"), words.pop("where", ""), words.pop("but", ())
        settings = ",".join(f"{word}={value}" for word, value in words.items())
        colon, at = ":" * bool(settings), "@" * bool(where)
        return ";".join((f"{name}{colon}{settings}{at}{where}", *but))


@dataclass(frozen=True)
class _Text:
    """What the text of a request says: a kind, and the words that stand with it."""

    kind: ConvKind
    said: tuple[tuple[str, Any], ...] = ()
    but: tuple[str, ...] = ()

    @classmethod
    def read(cls, text: str) -> _Text:
        """Read it.

        Raises:
            UsageError: it has another form, or a word stands in it twice.
        """
        match = _HEAD.fullmatch(text)
        if match is None:
            raise UsageError(f"{text!r} does not say what replaces", "write dual:4, or dual:G=4")
        name, settings, where, but = match.groups()
        chosen = kind(name)
        said = [_setting(one, chosen, text) for one in re.split(r"[,\s]+", settings) if one]
        said += [("where", where.strip())] if where is not None else []
        names = [name for name, _ in said]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice:
            raise UsageError(f"{text!r} says {twice} twice", "leave one of them out")
        exceptions = tuple(one.strip() for one in (but or "").split(";") if one.strip())
        return cls(chosen, tuple(said), exceptions)

    def agreed(self, name: str, beside: Any, own_first: bool) -> Any:
        """What this text or a word beside it says.

        Raises:
            UsageError: they differ.
        """
        said = dict(self.said).get(name)
        if said is None:
            return beside
        if not own_first and beside not in (None, USUAL.get(name), said):
            raise UsageError(
                f"{self.kind.name} is said with {name}={said}, and {beside} stands beside it",
                "leave one of them out",
            )
        return said


def _setting(text: str, chosen: ConvKind, whole: str) -> tuple[str, Any]:
    """The name and the value of "4", "G=4", "bias=drop" or "indivisible=gcd"."""
    name, equals, value = text.rpartition("=")
    name = name or chosen.letter
    if name in ("bias", "indivisible"):
        return name, value
    letter = name.upper()
    if letter in LETTERS and value.isdecimal():
        return letter, int(value)
    if not equals and value.isdecimal():
        raise UsageError(f"{chosen.name} takes no number", f"write {chosen.name}")
    raise UsageError(
        f"{text!r} in {whole!r} is not understood",
        f"write {chosen.name}:{chosen.letter}=4" if chosen.letter else f"write {chosen.name}",
    )


def variants(text: str) -> list[str]:
    """The texts of several requests that commas join: "dual:4,group:G=8,bias=drop" are two."""
    found: list[str] = []
    for part in text.split(","):
        first, *colon = re.split(r"([:@;\s])", part.strip(), maxsplit=1)[:2]
        in_rule = bool(found and {*"@;"} & {*found[-1]})
        # a path of a rule may be called "conv": there a kind's alias needs its number
        begins = first in KINDS or (known(first) and (not in_rule or colon == [":"]))
        goes_on = found and not begins and ("=" in first or in_rule)
        found[-1:] = [f"{found[-1]},{part}"] if goes_on else [*found[-1:], part]
    return [part.strip() for part in found]
