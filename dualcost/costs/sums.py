"""Sums of terms (constant + share/G) · size: how a cost depends on G and on the sizes of maps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from typing import Any

from dualcost.network.expression import Expression, Values, symbol


@dataclass(frozen=True)
class Term:
    """(constant + share / letter) · size, with rational numbers; `letter` is G or P.

    `size` is 1 or an expression in batch, height and width: how often a filter is applied.
    """

    size: Expression
    constant: Any
    share: Any


@dataclass(frozen=True)
class Sum:
    """One count in closed form: a sum of terms of different sizes.

    Attributes:
        terms: in the order in which the network first has them.
        letter: "G" or "P" if the count depends on it, else "".
    """

    terms: tuple[Term, ...]
    letter: str = ""

    @cached_property
    def shared(self) -> Expression:
        """What all sizes have as a factor, such as the batch."""
        from sympy import Integer, Mul

        factors = [set(Mul.make_args(term.size)) for term in self.terms]
        return Mul(*sorted(set.intersection(*factors), key=str)) if factors else Integer(1)

    @cached_property
    def expression(self) -> Expression:
        """The sum as a sympy expression: collected by sizes, with what they share factored out."""
        from sympy import Add, Mul

        parts = [Mul(self.per_size(term), term.size / self.shared) for term in self.terms]
        return Mul(self.shared, Add(*parts))

    @cached_property
    def factored(self) -> Expression:
        """The sum with all that its terms share in front: numbers, sizes and G."""
        from sympy import Mul, factor_terms, together

        return factor_terms(together(Mul(1, self.expression)))

    @cached_property
    def limit(self) -> Expression:
        """What is left when G grows without end: the sum without its shares."""
        constants = tuple(replace(term, share=0) for term in self.terms)
        return Sum(constants).expression

    def times(self, factor: int) -> Sum:
        """So many of it."""
        terms = (
            replace(t, constant=factor * t.constant, share=factor * t.share) for t in self.terms
        )
        return Sum(tuple(terms), self.letter)

    def per_size(self, term: Term) -> Expression:
        """What one application of the filters of a term costs: constant + share/G."""
        return term.constant + (term.share / symbol(self.letter) if self.letter else 0)

    def coefficients(self, sizes: Mapping[str, int]) -> tuple[Fraction, Fraction]:
        """(a, b) of a + b/G at these sizes."""
        values = Values(sizes)
        parts = [(values.of(term.size), term) for term in self.terms]
        return (
            sum((size * values.of(term.constant) for size, term in parts), Fraction(0)),
            sum((size * values.of(term.share) for size, term in parts), Fraction(0)),
        )

    def value(self, sizes: Mapping[str, int]) -> Fraction:
        """The value at these sizes (G or P among them, if it depends on it), guards or not."""
        a, b = self.coefficients({k: v for k, v in sizes.items() if k != self.letter})
        return a + (b / sizes[self.letter] if self.letter else 0)

    def at(self, sizes: Mapping[str, int]) -> int:
        """The count at these sizes.

        Raises:
            ValueError: it is not an integer: a guard does not hold.
        """
        value = self.value(sizes)
        if value.denominator != 1:
            raise ValueError(f"the closed form is {value} at {dict(sizes)}, not an integer")
        return value.numerator

    def knee(self, share: Fraction, sizes: Mapping[str, int]) -> Fraction | None:
        """The G beyond which another doubling saves less than `share` of the cost at that G.

        None if there is none: every doubling saves more. From (b/2G) / (a + b/G) < share follows
        G > b · (1/(2·share) − 1) / a.
        """
        a, b = self.coefficients(sizes)
        if b <= 0 or share >= Fraction(1, 2):
            return Fraction(0)
        return b * (1 / (2 * share) - 1) / a if a else None

    def saving(self, divisor: int, sizes: Mapping[str, int]) -> Fraction:
        """The share of the cost at this G that doubling it saves."""
        a, b = self.coefficients(sizes)
        here = a + b / divisor
        return b / (2 * divisor) / here if here else Fraction(0)

    def least(self, limit: Fraction, sizes: Mapping[str, int]) -> Fraction | None:
        """The smallest real G from 1 on at which the sum is at most `limit`; None: at no G."""
        a, b = self.coefficients(sizes)
        if a + b <= limit:
            return Fraction(1)
        return b / (limit - a) if b > 0 and limit > a else None
