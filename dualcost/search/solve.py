"""The smallest G, or the largest batch or resolution, that satisfies constraints; or the nearest.

G and P are tried at all values that divide the channels, each by the profile that it gives. Batch
and resolution are searched in the closed form: its counts never fall as a size grows, so that a
bisection finds the last size that is allowed, and the guards say which sizes there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from math import gcd

from dualcost.costs.closedform import ClosedForm, closed_form
from dualcost.costs.profile import profile
from dualcost.costs.sums import Sum
from dualcost.errors import UsageError
from dualcost.network.cost import CONVENTIONS, Convention
from dualcost.network.expression import Expression, Values
from dualcost.network.guard import Guard
from dualcost.network.network import Network
from dualcost.network.symbolic import SymbolicNetwork
from dualcost.rewrite.request import Policy, Request
from dualcost.rewrite.rewrite import rewrite
from dualcost.search.constraint import Constraint

DIVISORS = ("G", "P")
# What may be searched besides G and P, and the symbols that it stands for.
SIZES: dict[str, tuple[str, ...]] = {
    "batch": ("B",),
    "resolution": ("H", "W"),
    "height": ("H",),
    "width": ("W",),
    "depth": ("D",),
    "length": ("L",),
}
VARIABLES = (*DIVISORS, *SIZES)
FAR = 2**40  # a size that nothing limits below it is not limited
SPAN = 10_000  # how many sizes in a row the guards may exclude


@dataclass(frozen=True)
class Reading:
    """A constraint, and the value of its metric somewhere."""

    constraint: Constraint
    value: int

    @property
    def met(self) -> bool:
        """The value is allowed."""
        return self.constraint.holds(self.value)

    @property
    def headroom(self) -> int:
        """How far the value is from the limit; negative beyond it."""
        return self.constraint.headroom(self.value)

    @property
    def share(self) -> Fraction:
        """The headroom as a share of the limit."""
        return Fraction(self.headroom, max(1, self.constraint.limit))


@dataclass(frozen=True)
class Point:
    """One value of what was searched, and what it makes of each constraint."""

    number: int
    readings: tuple[Reading, ...]

    @property
    def fits(self) -> bool:
        """All constraints are satisfied."""
        return all(reading.met for reading in self.readings)

    @property
    def misses(self) -> tuple[Fraction, ...]:
        """By which shares of their limits the constraints are missed, the worst first."""
        shares = (reading.constraint.excess(reading.value) for reading in self.readings)
        return tuple(sorted(shares, reverse=True))


@dataclass(frozen=True)
class Solution:
    """What a search found.

    Attributes:
        network: its name.
        asked: the rewrite, None for the network as it is; with `variable` G or P, its own does
            not count.
        variable: one of VARIABLES.
        point: the best value that satisfies all, or, if none does, the one whose worst constraint
            is missed by the smallest share of its limit.
        beyond: the next better value (a smaller G, a larger size), None if there is none.
        candidates: the values of G or P that were tried, smallest first; of a size none are listed.
        guards: what a size must satisfy.
        reals: of each constraint that has a closed form, the smallest real G (or P) that satisfies
            it; None if no G is large enough.
    """

    network: str
    asked: Request | None
    variable: str
    point: Point
    beyond: Point | None = None
    candidates: tuple[int, ...] = ()
    guards: tuple[Guard, ...] = ()
    reals: dict[str, Fraction | None] = field(default_factory=dict)

    @property
    def found(self) -> bool:
        """All constraints can be satisfied."""
        return self.point.fits

    @property
    def value(self) -> int | None:
        """The best value that satisfies all constraints; None if there is none."""
        return self.point.number if self.found else None

    @property
    def binding(self) -> tuple[Constraint, ...]:
        """The constraints that forbid the next better value."""
        readings = self.beyond.readings if self.beyond and self.found else ()
        return tuple(reading.constraint for reading in readings if not reading.met)


def variable_for(asked: Request | None, variable: str = "") -> str:
    """What is searched, checked; by default the rewrite's G or P, if that is left open.

    Raises:
        UsageError: it is unknown, or not said, or the G or P of the rewrite does not go with it.
    """
    if variable and variable not in VARIABLES:
        raise UsageError(f"{variable!r} cannot be searched", f"one of {', '.join(VARIABLES)}")
    letter, free = (asked.kind.letter, asked.open) if asked else ("", False)
    if not variable and not free:
        raise UsageError(
            "what is to be found is not said",
            "add --for resolution or --for batch, or a --conv whose G or P is left open",
        )
    if variable in DIVISORS and variable != letter:
        takes = f"{asked.kind.name} has no {variable}" if asked else f"nothing has a {variable}"
        raise UsageError(takes, "add a --conv that has it, or --for resolution, or --for batch")
    if variable in DIVISORS and not free:
        raise UsageError(f"{letter} is given, and to be found", f"leave --{letter} out")
    if variable in SIZES and free:
        raise UsageError(
            f"the {variable} is to be found, and {letter} is open", f"add --{letter} 4"
        )
    return variable or letter


def solve(
    load: Callable[[], Network],
    load_symbolic: Callable[[list[str]], SymbolicNetwork],
    limits: Sequence[Constraint],
    asked: Request | None = None,
    variable: str = "",
    convention: Convention = CONVENTIONS["torch"],
) -> Solution:
    """The best value of G, P or a size that satisfies all constraints.

    Args:
        load: traces the network, if G or P is searched.
        load_symbolic: traces it with these symbols for sizes, if a size is searched.
        limits: the constraints.
        asked: what is replaced; None: nothing.
        variable: one of VARIABLES; "" for the letter that the request leaves open.
        convention: what is counted.

    Raises:
        DualcostError: a word does not fit, or the network cannot be traced so.
    """
    searched = variable_for(asked, variable)
    if asked and searched in DIVISORS:
        return solve_divisor(load(), asked, limits, convention)
    form = closed_form(load_symbolic([*SIZES[searched]]), asked, convention)
    return solve_size(form, limits, searched)


def solve_divisor(
    network: Network,
    asked: Request,
    constraints: Sequence[Constraint],
    convention: Convention = CONVENTIONS["torch"],
) -> Solution:
    """The smallest G or P that satisfies all constraints, of those that divide the channels.

    With the policy to refuse, it divides the channels of all replaced sites; with another, those
    of one at least.

    Raises:
        UsageError: the rewrite's rule matches nothing.
        IndivisibleError: an exemption's G or P does not divide some channels.
    """
    refusing = asked.indivisible.policy is Policy.REFUSE
    form = closed_form(network, replace(asked, divisor=1, open=True), convention)
    candidates = form.divisors if refusing else tuple(_dividing_some(network, asked))

    def point(divisor: int) -> Point:
        found = profile(network, asked.at(divisor), convention)
        return Point(divisor, tuple(Reading(c, c.value(found.whole_after)) for c in constraints))

    points = [point(divisor) for divisor in candidates or (1,)]
    fitting = next((index for index, one in enumerate(points) if one.fits), None)
    return Solution(
        network=network.name,
        asked=asked,
        variable=asked.kind.letter,
        point=min(points, key=lambda one: one.misses) if fitting is None else points[fitting],
        beyond=points[fitting - 1] if fitting else None,
        candidates=candidates,
        reals=dict(_reals(form, constraints)) if refusing and form.letter else {},
    )


def _dividing_some(network: Network, asked: Request) -> Iterator[int]:
    """The values that divide the channels of at least one replaced site, smallest first."""
    replaced = rewrite(network, asked.at(1)).checked().replacements
    shared = {gcd(one.site.M, one.site.N) for one in replaced}
    yield from (n for n in range(1, max(shared) + 1) if any(c % n == 0 for c in shared))


def _reals(
    form: ClosedForm, constraints: Sequence[Constraint]
) -> Iterator[tuple[str, Fraction | None]]:
    for one in constraints:
        total = form.sums.get(one.metric.name)
        if total is not None and one.high is not None:
            yield one.text, total.least(Fraction(one.high), {})


def solve_size(form: ClosedForm, constraints: Sequence[Constraint], variable: str) -> Solution:
    """The largest batch, resolution, … that satisfies all constraints.

    Args:
        form: a closed form in the symbols of the variable, and in no others.
        constraints: on macs, params or flops.
        variable: one of SIZES.

    Raises:
        UsageError: a metric has no closed form in a size, or nothing limits the size.
    """
    search = _Search(form, tuple(constraints), SIZES[variable])
    if len({form.given[name] for name in search.names}) != 1:
        shown = ", ".join(f"{name} = {form.given[name]}" for name in search.names)
        raise UsageError(f"the input is not square: {shown}", "search --for height or --for width")
    if search.limits:
        point, beyond = search.best(variable)
    else:
        point, beyond = search.point(form.given[search.names[0]]), None
        if point.fits:
            raise search.unlimited(variable)
    return Solution(
        network=form.network,
        asked=form.asked,
        variable=variable,
        point=point,
        beyond=beyond,
        guards=form.guards,
    )


@dataclass(frozen=True)
class _Search:
    """The largest n, the size of all `names`, at which constraints on a closed form hold."""

    form: ClosedForm
    constraints: tuple[Constraint, ...]
    names: tuple[str, ...]

    @cached_property
    def counts(self) -> list[tuple[Constraint, Sum]]:
        """Each constraint with its closed form."""
        found = []
        for one in self.constraints:
            total = self.form.sums.get(one.metric.name)
            if total is None:
                raise UsageError(
                    f"{one.metric.name} has no closed form in {' and '.join(self.names)}",
                    f"what has one: {', '.join(self.form.sums)}",
                )
            if not all(_grows(term.size) for term in total.terms):
                raise UsageError(
                    f"{one.metric.name} of {self.form.network} may fall as a size grows",
                    "profile it at the sizes that you have in mind",
                )
            found.append((one, total))
        return found

    @cached_property
    def limits(self) -> list[Constraint]:
        """The constraints that a size that is too large would break."""
        return [
            one
            for one, total in self.counts
            if one.high is not None and any(term.size.free_symbols for term in total.terms)
        ]

    def point(self, n: int) -> Point:
        """What a size makes of the constraints."""
        sizes = dict.fromkeys(self.names, n)
        values = ((one, total.at(sizes)) for one, total in self.counts)
        return Point(n, tuple(Reading(one, value) for one, value in values))

    def admitted(self, sizes: Iterator[int] | range) -> int | None:
        """The first of some sizes for which all guards hold."""
        return next((n for n in sizes if self._holds(n)), None)

    def _holds(self, n: int) -> bool:
        values = Values(dict.fromkeys(self.names, n))
        return all(guard.holds(values) for guard in self.form.guards)

    def too_much(self, n: int) -> Fraction:
        """By which share of its limit the worst upper limit is exceeded, guards or not."""
        return self._excess(n, [one for one in self.counts if one[0] in self.limits])

    def too_little(self, n: int) -> Fraction:
        """The same of the lower limits."""
        return self._excess(n, [one for one in self.counts if one[0].low is not None])

    def _excess(self, n: int, counts: list[tuple[Constraint, Sum]]) -> Fraction:
        sizes = dict.fromkeys(self.names, n)
        shares = (one.excess(total.value(sizes)) for one, total in counts)
        return max(shares, default=Fraction(0))

    def best(self, variable: str) -> tuple[Point, Point | None]:
        """The largest size that fits and the next one, or the nearest miss.

        Raises:
            UsageError: nothing limits the size.
        """
        least = self.admitted(range(1, self.form.given[self.names[0]] + 1))
        assert least is not None  # the form holds for the size that was given
        end = _first(lambda n: self.too_much(n) > 0, least)
        if end is None:
            raise self.unlimited(variable)
        below, above = self._around(end, least)
        if below and below.fits:
            return below, above
        # what is too much grows with the size and what is too little falls: least where they meet
        turn = _first(lambda n: self.too_much(n) >= max(self.too_little(n), Fraction(1, FAR)), end)
        near = [one for one in self._around(turn or end, least) if one]
        return min(near, key=lambda one: one.misses), None

    def _around(self, n: int, least: int) -> tuple[Point | None, Point | None]:
        """The last admitted size before n, and the first from n on."""
        before = self.admitted(range(n - 1, max(least, n - SPAN) - 1, -1))
        after = self.admitted(range(n, n + SPAN))
        below, above = (self.point(one) if one else None for one in (before, after))
        return below, above

    def unlimited(self, variable: str) -> UsageError:
        """No constraint says where to stop."""
        shown = ", ".join(f"“{one}”" for one in self.constraints)
        return UsageError(f"{shown}: nothing limits the {variable}", 'add one such as "macs <= 5G"')


def _first(holds: Callable[[int], bool], start: int) -> int | None:
    """The smallest n from `start` on at which what stays true is true; None: not before FAR."""
    if holds(start):
        return start
    low, high = start, 2 * start
    while not holds(high):
        if high > FAR:
            return None
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


def _grows(size: Expression) -> bool:
    """It never falls when a symbol grows, from any size on at which its factors are positive."""
    if size.is_Symbol or size.is_Rational:
        return True
    kind = type(size).__name__
    if kind == "Mul":
        return all(
            argument > 0 if argument.is_Rational else _grows(argument) for argument in size.args
        )
    if kind == "Pow":
        return bool(size.args[1].is_Integer and size.args[1] > 0) and _grows(size.args[0])
    return kind in ("Add", "floor", "Max", "Min") and all(map(_grows, size.args))
