"""A Rule says which sites are replaced: declared, not coded, in one text form.

    kernel=3 stride=1 first=no          every term must hold
    path=layer3.*,layer4.*              a comma is "or"
    M>=64 N!=512                        channels are compared
    block=inverted-residual stride=1    whole blocks instead of single convolutions
    stride-1 path=layer4.*              a named rule stands for its terms

The rule of a rewrite narrows the default one, unless it says `kernel`, `groups`, `transposed` or
`block`: "path=layer3.*" takes the convolutions of layer3 that the default takes. With one of these
it stands alone. In an exception (`exemption.py`) a rule is its terms, and no others.

The same text is used on the command line, in TOML and in JSON; `str` of a rule says all its terms.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase

from dualcost.errors import RuleError, UnknownNameError
from dualcost.network.network import BLOCK_KINDS
from dualcost.network.site import ConvSite, Size

# Longest first, so that ">=" is not read as ">" and "=".
OPERATORS = (">=", "<=", "!=", "=", ">", "<")
TERM = re.compile(rf"([A-Za-z_]+)({'|'.join(OPERATORS)})(\S+)")

NAMED_RULES: dict[str, str] = {
    "default": "kernel>1 groups=1 transposed=no first=no",
    "stride-1": "kernel>1 groups=1 transposed=no first=no stride=1",
    "separable": "block=separable",
    "inverted-residual": "block=inverted-residual stride=1",
}


@dataclass(frozen=True)
class Candidate:
    """A site that a rule is asked about: a convolution, or a block (`block` is its kind)."""

    path: str
    module: str
    block: str
    first: bool
    site: ConvSite

    def value(self, field: str) -> object:
        """The value of a field of rules: a number, a size, a text, or whether it is so."""
        values = {
            "dims": len(self.site.kernel),
            "first": self.first,
            "path": self.path,
            "type": self.module,
            "block": self.block,
        }
        return values[field] if field in values else getattr(self.site, field)

    def written(self, field: str) -> str:
        """The value of a field as a term has it: "3" of a kernel of 3×3, "1x7", "yes"."""
        value = self.value(field)
        if isinstance(value, tuple):
            return "x".join(map(str, value if len(set(value)) > 1 else value[:1]))
        return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def _number(text: str) -> int:
    if not text.isdecimal():
        raise ValueError("a whole number")
    return int(text)


def _yes_no(text: str) -> bool:
    if text not in ("yes", "no"):
        raise ValueError("yes or no")
    return text == "yes"


def _size(text: str) -> Size:
    parts = text.replace("×", "x").split("x")
    if not all(part.isdecimal() for part in parts):
        raise ValueError("a number or numbers joined by x")
    return tuple(int(part) for part in parts)


def _block(text: str) -> str:
    if text not in BLOCK_KINDS:
        raise ValueError(" or ".join(BLOCK_KINDS))
    return text


def _text(text: str) -> str:
    return text


# field: reader of a value
READERS = {
    "kernel": _size,
    "stride": _size,
    "dilation": _size,
    "groups": _number,
    "M": _number,
    "N": _number,
    "dims": _number,
    "first": _yes_no,
    "transposed": _yes_no,
    "bias": _yes_no,
    "path": _text,
    "type": _text,
    "block": _block,
}
GLOBS = ("path", "type")
ALONE = ("kernel", "groups", "transposed", "block")  # a rule with one of them is none but itself
ORDERED = ("kernel", "stride", "dilation", "groups", "M", "N", "dims")


def _compare(value: object, operator: str, wanted: object) -> bool:
    """Compare one value; a single number stands for a size with all entries equal to it."""
    if isinstance(value, tuple) and isinstance(wanted, tuple):
        if operator == "=":
            return value == (wanted * len(value) if len(wanted) == 1 else wanted)
        # a kernel is larger than 1 when any side is: 1×7 is a spatial kernel
        value, wanted = max(value), max(wanted)
    if operator == "=":
        return value == wanted
    assert isinstance(value, int) and isinstance(wanted, int)
    return {">": value > wanted, "<": value < wanted, ">=": value >= wanted, "<=": value <= wanted}[
        operator
    ]


@dataclass(frozen=True)
class Term:
    """One condition: field, operator, and values of which one must fit (none, for !=)."""

    field: str
    operator: str
    values: tuple[str, ...]

    def __post_init__(self) -> None:
        """Check the field, the operator and the values.

        Raises:
            RuleError: one of them does not fit.
        """
        if self.field not in READERS:
            raise UnknownNameError(
                "field of a rule", self.field, READERS, f"fields: {', '.join(READERS)}"
            )
        if self.operator not in ("=", "!=") and self.field not in ORDERED:
            raise RuleError(
                f"{self}: {self.field} cannot be compared with {self.operator}", "use = or !="
            )
        for value in self.values:
            try:
                READERS[self.field](value)
            except ValueError as expected:
                raise RuleError(
                    f"{self}: {value!r} does not fit {self.field}", f"expected {expected}"
                ) from None

    def holds(self, candidate: Candidate) -> bool:
        """Whether the candidate fulfils this condition."""
        value = candidate.value(self.field)
        if self.field in GLOBS:
            fits = any(fnmatchcase(str(value), pattern) for pattern in self.values)
            return fits == (self.operator == "=")
        operator = "=" if self.operator == "!=" else self.operator
        fits = any(_compare(value, operator, READERS[self.field](v)) for v in self.values)
        return fits == (self.operator != "!=")

    def __str__(self) -> str:
        return f"{self.field}{self.operator}{','.join(self.values)}"


@dataclass(frozen=True)
class Rule:
    """Which sites are replaced: all terms must hold."""

    terms: tuple[Term, ...]

    @classmethod
    def replacing(cls, text: str) -> Rule:
        """Read the rule of a rewrite: the default one, narrowed, unless the text stands alone.

        Of a field that the text names, the default's term gives way.

        Raises:
            RuleError: as `parse`.
        """
        rule, default = cls.parse(text), cls.parse(NAMED_RULES["default"])
        if rule.alone:
            return rule
        named = {term.field for term in rule.terms}
        return cls((*(term for term in default.terms if term.field not in named), *rule.terms))

    @classmethod
    def parse(cls, text: str) -> Rule:
        """Read the terms as they stand; a word without an operator is a named rule.

        Raises:
            RuleError: a term cannot be read (UnknownNameError: no such field or named rule).
        """
        terms: list[Term] = []
        for word in text.split():
            match = TERM.fullmatch(word)
            if match:
                field, operator, values = match.groups()
                terms.append(Term(field, operator, tuple(values.split(","))))
            elif word in NAMED_RULES:
                terms.extend(cls.parse(NAMED_RULES[word]).terms)
            elif any(operator in word for operator in OPERATORS):
                raise RuleError(
                    f"{word!r} is not a term of a rule", "write field=value, such as kernel=3"
                )
            else:
                look = f"named rules: {', '.join(NAMED_RULES)}; terms look like kernel=3"
                raise UnknownNameError("rule", word, NAMED_RULES, look)
        return cls(tuple(terms))

    def refusal(self, candidate: Candidate) -> Term | None:
        """The first term that does not hold, or None: the candidate is replaced."""
        return next((term for term in self.terms if not term.holds(candidate)), None)

    @property
    def alone(self) -> bool:
        """It names kernels, groups, transposed convolutions or blocks: it narrows no other rule."""
        return any(term.field in ALONE for term in self.terms)

    @property
    def wants_blocks(self) -> bool:
        """The rule names blocks; otherwise it is about single convolutions."""
        return any(term.field == "block" for term in self.terms)

    def __str__(self) -> str:
        return " ".join(str(term) for term in self.terms)
