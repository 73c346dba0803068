"""The paper's equations with the numbers of a network put in, one for each kind of replaced site.

The equation is an independent witness here too: its value is computed by sympy from the paper's
page, and stands beside what the profile counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from dualcost.costs.profile import Profile, Row
from dualcost.kinds.recipe import ConvKind
from dualcost.network.form import Form
from dualcost.network.site import ConvSite

if TYPE_CHECKING:
    from dualcost.kinds.equations import Equation


@dataclass(frozen=True)
class Substitution:
    """Equal sites that become the same, and what the paper's equation says of one of them.

    Attributes:
        kind: what they become.
        divisor: its G or P.
        was: what they were.
        site: one of them.
        paths: all of them.
        macs_before: multiply-accumulates of one, before.
        macs: after, as the profile counts them.
        value: after, by the equation; None where the paper has none (see `equation_of`).
    """

    kind: ConvKind
    divisor: int
    was: Form
    site: ConvSite
    paths: tuple[str, ...]
    macs_before: int
    macs: int
    value: int | None

    @property
    def numbers(self) -> dict[str, int]:
        """The paper's letters; D_o² and K² are given, as maps and kernels need not be square."""
        given = {"D_o²": self.site.positions, "K²": self.site.taps}
        letter = {self.kind.letter: self.divisor} if self.kind.letter else {}
        return {**given, "M": self.site.M, "N": self.site.N, **letter}

    @property
    def agrees(self) -> bool:
        """The equation gives what the profile counts."""
        return self.value == self.macs


def substitutions(profile: Profile) -> tuple[Substitution, ...]:
    """For the replaced rows of a profile, equal ones once, in order of execution."""
    found: dict[Any, list[Row]] = {}
    for row in profile.rows:
        if row.replaced and row.site is not None:
            site = row.site
            sizes = (site.M, site.N, site.kernel, site.in_size, site.out_size, site.batch)
            key = (row.kind, row.becomes, *sizes, site.transposed, row.before.macs)
            found.setdefault(key, []).append(row)
    return tuple(_substitution(rows) for rows in found.values())


def _substitution(rows: list[Row]) -> Substitution:
    first = rows[0]
    assert first.site is not None and first.kind is not None and first.choice is not None
    kind = first.choice.kind
    made = Substitution(
        kind=kind,
        divisor=first.choice.divisor,
        was=first.kind,
        site=first.site,
        paths=tuple(row.path for row in rows),
        macs_before=first.before.macs,
        macs=first.after.macs,
        value=None,
    )
    equation = equation_of(kind, first.site)
    if equation is None:
        return made
    return replace(made, value=value(equation, made.numbers))


def equation_of(kind: ConvKind, site: ConvSite) -> Equation | None:
    """The equation of a kind's cost; None for a chain of which a part is transposed.

    Its first part starts from every input position and its second from every output position, for
    which the paper has no letter.
    """
    from dualcost.kinds.equations import COST_OF_KIND, equation

    if kind.chained and site.transposed:
        return None
    number = COST_OF_KIND.get(kind.name)
    return equation(number) if number else None


def value(equation: Equation, numbers: Mapping[str, int]) -> int:
    """An equation with numbers for its letters, exactly; `numbers` is `Substitution.numbers`."""
    from sympy import sqrt

    from dualcost.kinds.equations import SYMBOLS, D_o, K

    squares = {D_o: sqrt(numbers["D_o²"]), K: sqrt(numbers["K²"])}
    letters = {symbol: numbers[symbol.name] for symbol in SYMBOLS if symbol.name in numbers}
    found = equation.right.subs({**squares, **letters})
    if not found.is_integer:
        raise ValueError(f"equation ({equation.number}) gives {found} for {dict(numbers)}")
    return int(found)
