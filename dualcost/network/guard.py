"""Guards: the sizes for which a closed form holds, in the fewest and plainest relations.

torch records a guard for every question about a symbolic size that its code asked. Most are trivial
(B·H·W is not 0), and of those that ask about one symbol alone the truth can be decided: sums,
products by constants, floors and remainders of n change by a constant whenever n grows by some
period. So their truth is periodic, or settles, and what is left is said again in words such as
"H ≥ 33" or "H divisible by 32". What cannot be decided so is kept as it is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import gcd, lcm, prod
from typing import Any

from dualcost.network.expression import Values, parse, symbol

FAR = 200_000  # sizes that are looked at before a guard is kept as it is

_SIGNS = {"Eq": "=", "Ne": "≠", "Ge": "≥", "Gt": ">", "Le": "≤", "Lt": "<"}
_TESTS: dict[str, Callable[[Fraction], bool]] = {
    "Eq": lambda d: d == 0,
    "Ne": lambda d: d != 0,
    "Ge": lambda d: d >= 0,
    "Gt": lambda d: d > 0,
    "Le": lambda d: d <= 0,
    "Lt": lambda d: d < 0,
}


@dataclass(frozen=True)
class Guard:
    """One relation of sizes: `left` compared with `right`, and how a reader would say it.

    Attributes:
        test: Eq, Ne, Ge, Gt, Le or Lt.
        left: an expression.
        right: an expression.
    """

    test: str
    left: Any
    right: Any

    def __post_init__(self) -> None:
        """Check the name of the test.

        Raises:
            ValueError: it is not one of sympy's six relations.
        """
        if self.test not in _TESTS:
            raise ValueError(f"{self.test!r} is not one of {', '.join(_TESTS)}")

    @property
    def symbols(self) -> frozenset[str]:
        """The names of the sizes that it speaks of."""
        free = {*getattr(self.left, "free_symbols", ()), *getattr(self.right, "free_symbols", ())}
        return frozenset(str(one) for one in free)

    def holds(self, sizes: Mapping[str, int] | Values) -> bool:
        """Whether it is true at these sizes."""
        values = sizes if isinstance(sizes, Values) else Values(sizes)
        return _TESTS[self.test](values.of(self.left) - values.of(self.right))

    def said(self, write: Callable[[Any], str] = str) -> str:
        """Itself in words, with its expressions as `write` writes them."""
        left, right = write(self.left), write(self.right)
        if self.test == "Eq" and type(self.left).__name__ == "Mod":
            number, modulus = map(write, self.left.args)
            if self.right == 0 and self.left.args[1].is_Symbol:
                return f"{modulus} divides {number}"
            if self.right == 0:
                return f"{number} divisible by {modulus}"
            return f"{number} mod {modulus} = {right}"
        return f"{left} {_SIGNS[self.test]} {right}"

    def __str__(self) -> str:
        return self.said()

    def record(self) -> list[str]:
        """Itself as text, for JSON."""
        return [self.test, str(self.left), str(self.right)]

    @classmethod
    def of(cls, record: list[str]) -> Guard:
        """Read what `record` wrote.

        Raises:
            ValueError: it has another form.
        """
        test, left, right = record
        return cls(test, parse(left), parse(right))


def simplified(guards: Iterable[Guard]) -> tuple[Guard, ...]:
    """The same condition on positive integers, said with fewer and plainer guards."""
    about: defaultdict[str, list[Guard]] = defaultdict(list)
    kept: dict[Guard, None] = {}
    for guard in dict.fromkeys(plain for given in guards for plain in _factors(given)):
        if len(guard.symbols) == 1:
            about[min(guard.symbols)].append(guard)
        elif not _always(guard):
            kept[guard] = None
    found: list[Guard] = []
    for name in sorted(about):
        found.extend(_about_one(name, about[name]))
    return (*found, *kept)


def _factors(guard: Guard) -> Iterator[Guard]:
    """The guard without what both sides share; a product that is not 0 has no factor that is."""
    from sympy import Mul

    left, right = _shortened(guard.left, guard.right)
    if guard.test == "Ne" and right == 0:
        for factor in Mul.make_args(left):
            yield from (Guard("Ne", factor, right),) if factor.free_symbols else ()
    else:
        yield Guard(guard.test, left, right)


def _shortened(left: Any, right: Any) -> tuple[Any, Any]:
    """Both sides divided by the symbols and the positive numbers that divide both."""
    from sympy import Integer, Mul, sympify

    sides = [[*Mul.make_args(sympify(side))] for side in (left, right)]
    for factor in list(sides[0]):
        if factor.is_Symbol and factor in sides[1]:
            sides[0].remove(factor)
            sides[1].remove(factor)
    numbers = [prod(int(f) for f in side if f.is_Integer) for side in sides]
    if shared := gcd(*numbers):
        rests = [[f for f in side if not f.is_Integer] for side in sides]
        pairs = zip(numbers, rests, strict=True)
        first, second = (Mul(Integer(number // shared), *rest) for number, rest in pairs)
        return first, second
    return left, right


def _always(guard: Guard) -> bool:
    """True for all positive integers, because a product of them only grows."""
    rising, fixed, strict = guard.left, guard.right, guard.test == "Gt"
    if guard.test in ("Lt", "Le"):
        rising, fixed, strict = guard.right, guard.left, guard.test == "Lt"
    elif guard.test not in ("Gt", "Ge"):
        return False
    if getattr(fixed, "free_symbols", ()) or not _rises(rising):
        return False
    least = Values({str(one): 1 for one in rising.free_symbols}).of(rising)
    return least > int(fixed) if strict else least >= int(fixed)


def _rises(expression: Any) -> bool:
    """It never falls when a symbol grows: sums and products of what is positive."""
    if expression.is_Symbol or (expression.is_Rational and expression >= 0):
        return True
    if expression.is_Add or expression.is_Mul:
        return all(_rises(argument) for argument in expression.args)
    return False


def _about_one(name: str, guards: list[Guard]) -> Iterator[Guard]:
    """Guards that speak of one symbol, joined; those that cannot be decided stay."""
    from sympy import Integer, Mod

    undecided: list[Guard] = []
    decided: list[tuple[Guard, int, int]] = []  # with the size from which its truth has a period
    for guard in guards:
        span = _span(guard, name)
        if span is None:
            undecided.append(guard)
        else:
            decided.append((guard, *span))
    period = lcm(*(period for _, _, period in decided))
    start = max((start for _, start, _ in decided), default=1)
    if start + period > FAR:
        yield from guards
        return
    allowed = [
        n for n in range(1, start + period) if all(g.holds({name: n}) for g, _, _ in decided)
    ]
    recurring = [n for n in allowed if n >= start]
    modulus = next(m for m in _divisors(period) if _recurs(recurring, m, start, period))
    residues = {n % modulus for n in recurring}
    one = symbol(name)
    if len(residues) != 1:  # never again, or in a pattern that no short word describes
        yield from guards
        return
    (residue,) = residues
    least = min(allowed)
    if set(allowed) != {n for n in range(least, start + period) if n % modulus == residue}:
        yield from guards
        return
    if modulus > 1:
        yield Guard("Eq", Mod(one, modulus, evaluate=False), Integer(residue))
    if least > (residue or modulus):
        yield Guard("Ge", one, Integer(least))
    yield from undecided


def _divisors(number: int) -> Iterator[int]:
    return (divisor for divisor in range(1, number + 1) if number % divisor == 0)


def _recurs(recurring: list[int], modulus: int, start: int, period: int) -> bool:
    """Membership in one period depends on the rest of the division by `modulus` alone."""
    residues = {n % modulus for n in recurring}
    return len(recurring) == sum(n % modulus in residues for n in range(start, start + period))


def _span(guard: Guard, name: str) -> tuple[int, int] | None:
    """From which size on the truth of a guard has a period, and which; None if it is not known."""
    difference = guard.left - guard.right
    found = _drift(difference)
    if found is None:
        return None
    period, drift = found
    if not drift:
        return 1, period
    # within a block of one period the difference varies by this much, and each block adds `drift`
    if period > FAR:
        return None
    block = [Values({name: n}).of(difference) for n in range(1, period + 1)]
    rising = block if drift > 0 else [-value for value in block]
    blocks = max(0, int(-min(rising) // abs(drift)) + 1)
    return 1 + blocks * period, 1


def _drift(expression: Any) -> tuple[int, Fraction] | None:
    """A period, and by how much the value changes whenever the symbol grows by it."""
    if expression.is_Rational:
        return 1, Fraction(0)
    if expression.is_Symbol:
        return 1, Fraction(1)
    parts = [_drift(argument) for argument in expression.args]
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return None
    period = lcm(*(part[0] for part in known))
    drifts = [drift * (period // own) for own, drift in known]
    kind = type(expression).__name__
    if kind == "Add":
        return period, sum(drifts, Fraction(0))
    if kind == "floor":
        whole = drifts[0].denominator
        return period * whole, drifts[0] * whole
    if kind == "Mod" and not expression.args[1].free_symbols:
        turns = (drifts[0] / int(expression.args[1])).denominator
        return period * turns, Fraction(0)
    if kind == "Mul":
        numbers = [a for a in expression.args if a.is_Rational]
        others = [d for a, d in zip(expression.args, drifts, strict=True) if not a.is_Rational]
        if len(others) == 1:
            return period, others[0] * prod(Fraction(int(n.p), int(n.q)) for n in numbers)
    return (period, Fraction(0)) if not any(drifts) else None
