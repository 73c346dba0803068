"""An exception to a rewrite, as one line of text: where it holds, and what becomes of the site.

M<=32: G=8              another G (or P) for the rewrite's kind
path=layer4.*: het P=4  another kind
N>=512: dsc             a kind without G and P
path=head.*: keep       the site stays as it is
"""

from __future__ import annotations

from dataclasses import dataclass

from dualcost.errors import RuleError
from dualcost.kinds.kinds import divisor_of, kind, known
from dualcost.kinds.recipe import ConvKind
from dualcost.rewrite.rule import Rule


@dataclass(frozen=True)
class Exemption:
    """An exception to a rewrite: "M<=32: G=8", "M<=32: het P=4" or "path=head.*: keep".

    Attributes:
        rule: where it holds.
        divisor: G or P there; None: the site is kept.
        letter: which of them it is; "" of a kind that has neither.
        kind: what replaces the site; None: the rewrite's own kind.
    """

    rule: Rule
    divisor: int | None
    letter: str = ""
    kind: ConvKind | None = None

    @classmethod
    def parse(cls, text: str, kind: ConvKind) -> Exemption:
        """Read "RULE: G=8", "RULE: dual G=8", "RULE: dsc" or "RULE: keep".

        Raises:
            RuleError: the text has another form.
            UnknownNameError: there is no such kind.
            UsageError: the letter is not the kind's, or the number is not positive.
        """
        rule, colon, change = (part.strip() for part in text.partition(":"))
        if colon and rule and change == "keep":
            return cls(Rule.parse(rule), None)
        named, number = _kind_and_number(change)
        letter, equals, digits = number.partition("=")
        fits = bool(equals and letter in ("G", "P") and digits.isdecimal())
        # a kind may do without a number, a number without a kind
        if not rule or not (fits or (named and not number and not named.letter)):
            raise RuleError(
                f"{text!r} is not an exception",
                'write "RULE: G=8", "RULE: dual G=8", "RULE: dsc" or "RULE: keep"',
            )
        divisor = divisor_of(named or kind, **({letter: int(digits)} if number else {}))
        return cls(Rule.parse(rule), divisor, letter, named)

    @property
    def change(self) -> str:
        """What becomes of the sites: "G=8", "dual G=8", "dsc" or "keep"."""
        if self.divisor is None:
            return "keep"
        return self.kind.label(self.divisor) if self.kind else f"{self.letter}={self.divisor}"

    def __str__(self) -> str:
        return f"{self.rule}: {self.change}"


def _kind_and_number(change: str) -> tuple[ConvKind | None, str]:
    """The kind that an exception names, None if it names none, and the rest of its text."""
    first, _, rest = change.partition(" ")
    if named := known(first):
        return named, rest.strip()
    if rest and "=" not in first:
        return kind(first), ""  # which says what is close to it
    return None, change
