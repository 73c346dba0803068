"""Network × kind → its MACs and parameters in closed form, and the sizes for which it holds.

A recipe's cost at a site is (constant + share/G) · positions: exact while G divides the channels.
So a network's cost is a sum of such terms, one for each size of a map. The sizes are integers for
an ordinary trace, and expressions in batch, height and width for a symbolic one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from math import gcd, prod
from typing import Any

from dualcost.costs.metrics import CLOSED
from dualcost.costs.sums import Sum, Term
from dualcost.errors import UsageError
from dualcost.kinds.recipe import ConvKind
from dualcost.network.cost import CONVENTIONS, Convention, Cost
from dualcost.network.expression import Expression, flattened, symbol
from dualcost.network.guard import Guard
from dualcost.network.network import UNKNOWN, Network, TensorSpec
from dualcost.network.site import ConvSite
from dualcost.network.symbolic import SymbolicNetwork, admit
from dualcost.rewrite.request import Bias, Request
from dualcost.rewrite.rewrite import Replacement, rewrite

# those that a form is written for; what is not stored follows from them
FORMS = {name: metric for name, metric in CLOSED.items() if metric.stored}


@dataclass(frozen=True)
class ClosedForm:
    """What a network costs in closed form.

    Attributes:
        network: its name.
        inputs: what it was traced with.
        convention: whose MACs are counted.
        asked: the rewrite, None for the network as it is. Its G or P counts only if `letter` is "".
        letter: "G" or "P" if that is a symbol, else "".
        replaced: how many sites are replaced, of how many that the rule was asked about.
        given: the other symbols, and the sizes that they had in the inputs.
        guards: the sizes for which the form holds; all must.
        partial: an op ran that no rule counts: MACs are a lower bound.
        macs: MACs after the rewrite.
        params: parameters after the rewrite.
        before: MACs and parameters of the network as it is.
        narrowest: of the sites that G must divide, the one that allows the fewest: path, M, N.
    """

    network: str
    inputs: tuple[TensorSpec, ...]
    convention: Convention
    asked: Request | None
    letter: str
    replaced: tuple[int, int]
    given: dict[str, int]
    guards: tuple[Guard, ...]
    partial: bool
    macs: Sum
    params: Sum
    before: dict[str, Sum]
    narrowest: tuple[str, int, int] = ("", 0, 0)

    @property
    def symbols(self) -> tuple[str, ...]:
        """Its symbols, such as B, H, W and G."""
        return (*self.given, *((self.letter,) if self.letter else ()))

    @cached_property
    def divisors(self) -> tuple[int, ...]:
        """The values of G or P for which it holds, smallest first; () if that is no symbol."""
        if not self.letter:
            return ()
        _, M, N = self.narrowest
        bound = gcd(M, N)
        guards = [guard for guard in self.guards if self.letter in guard.symbols]
        fits = (n for n in range(1, bound + 1) if bound % n == 0)
        return tuple(n for n in fits if all(g.holds({self.letter: n}) for g in guards))

    @cached_property
    def sums(self) -> dict[str, Sum]:
        """Each metric in closed form, by name; FLOPs only where they are twice the MACs."""
        flops = {} if self.convention.operations else {"flops": self.macs.times(2)}
        return {"macs": self.macs, **flops, "params": self.params}

    def sum(self, metric: str) -> Sum:
        """The closed form of a metric.

        Raises:
            UsageError: there is none of that metric.
        """
        if metric not in self.sums:
            raise UsageError(f"{metric} has no closed form", f"one of {', '.join(self.sums)}")
        return self.sums[metric]

    def at(self, **sizes: int) -> Cost:
        """MACs and parameters at these sizes, to the integer.

        Raises:
            UsageError: a size is missing, unknown or not positive, or a guard does not hold.
        """
        admit(self.network, self.symbols, self.guards, sizes)
        return Cost(macs=self.macs.at(sizes), params=self.params.at(sizes))

    def numbers(self, metric: str, divisor: int | None) -> tuple[int, Fraction | None]:
        """A count and what is left of the original one, at the sizes of the inputs.

        `divisor` is G or P, None for what they tend to when it grows without end.
        """
        a, b = self.sum(metric).coefficients(self.given)
        value = a + (b / divisor if divisor else 0)
        before = self.before[metric].value(self.given)
        return int(value), value / before if before else None

    def fall(self, metric: str) -> Fraction | None:
        """The c of d(ratio)/dG = −c/G² at the sizes of the inputs; None where there was no cost."""
        before = self.before[metric].value(self.given)
        return self.sum(metric).coefficients(self.given)[1] / before if before else None

    def ratio(self, metric: str) -> Expression:
        """What is left of the original cost, in closed form; None where there was none."""
        before = self.before[metric].expression
        return self.sum(metric).expression / before if before != 0 else None

    def derivative(self, metric: str) -> Expression:
        """How fast that ratio falls with G (or P); None as in `ratio`, 0 without a letter."""
        from sympy import Integer

        ratio = self.ratio(metric)
        if ratio is None or not self.letter:
            return None if ratio is None else Integer(0)
        return ratio.diff(symbol(self.letter))


def closed_form(
    traced: Network | SymbolicNetwork,
    asked: Request | None = None,
    convention: Convention = CONVENTIONS["torch"],
) -> ClosedForm:
    """The MACs and parameters of a network, as rewritten, in closed form.

    Args:
        traced: an ordinary network, or one with symbols for its sizes.
        asked: what is replaced; None: nothing. A G or P that it leaves open is a symbol, where no
            exemption gives a site another one.
        convention: whose MACs count.

    Raises:
        IndivisibleError: a G or P that is no symbol does not divide some channels.
        UsageError: the rewrite's rule matches nothing.
    """
    form = traced if isinstance(traced, SymbolicNetwork) else SymbolicNetwork(traced, {}, ())
    network, guards = form.network, form.guards
    letter = asked.kind.letter if asked and asked.open else ""
    rewritten = rewrite(network, asked).checked() if asked else None
    replacements = rewritten.replacements if rewritten else ()
    letter = letter if any(map(_free, replacements)) else ""
    if letter:
        guards = (*guards, _divides(letter, replacements))
    macs, params = _after(network, replacements, convention, letter, asked)
    before_macs, before_params = _after(network, (), convention, "", None)
    return ClosedForm(
        network=network.name,
        inputs=network.inputs,
        convention=convention,
        asked=asked,
        letter=letter,
        replaced=(len(replacements), len(rewritten.decisions) if rewritten else 0),
        given=form.given,
        guards=guards,
        partial=any(op.group == UNKNOWN for op in network.ops),
        macs=macs,
        params=params,
        before={"macs": before_macs, "params": before_params},
        narrowest=_narrowest(replacements) if letter else ("", 0, 0),
    )


def split_symbols(symbols: str, asked: Request | None) -> list[str]:
    """The symbols of "B,H,W,G" besides G and P, which are the rewrite's.

    Raises:
        UsageError: G or P is named, and the rewrite has no such symbol.
    """
    names = list(dict.fromkeys(filter(None, re.split(r"[,\s]+", symbols))))
    letter = asked.kind.letter if asked and asked.open else ""
    for one in ("G", "P"):
        if one in names and one != letter:
            raise UsageError(
                f"{one} is not a symbol here",
                "leave it out of the symbols, or name a --conv that has it, without a number",
            )
    return [name for name in names if name != letter]


def _free(replacement: Replacement) -> bool:
    """Its G or P is the rewrite's own: no exemption gave it another."""
    return replacement.reason is None


def _divides(letter: str, replacements: Iterable[Replacement]) -> Guard:
    """The guard that G divides the channels of all sites that it is asked for."""
    from sympy import Integer, Mod

    shared = gcd(*(n for r in replacements if _free(r) for n in (r.site.M, r.site.N)))
    return Guard("Eq", Mod(Integer(shared), symbol(letter), evaluate=False), Integer(0))


def _narrowest(replacements: Iterable[Replacement]) -> tuple[str, int, int]:
    one = min(filter(_free, replacements), key=lambda r: gcd(r.site.M, r.site.N))
    return one.path, one.site.M, one.site.N


# size, constant, share
Part = tuple[Expression, Any, Any]


def _after(
    network: Network,
    replacements: Iterable[Replacement],
    convention: Convention,
    letter: str,
    asked: Request | None,
) -> tuple[Sum, Sum]:
    """MACs and parameters with sites replaced; a weight stays while an op that stays reads it."""
    gone = {index for replacement in replacements for index in replacement.ops}
    macs = [
        (index, (op.macs, 1, 0))
        for index, op in enumerate(network.ops)
        if index not in gone and op.group in convention.groups
    ]
    params: list[Part] = [
        (parameter.numel, 1, 0)
        for parameter in network.parameters
        if not (users := network.users[parameter.name]) or not gone.issuperset(users)
    ]
    recipes = _Recipes()
    built: set[tuple[str, ...]] = set()
    for one in replacements:
        site = one.site if asked and asked.bias is Bias.KEEP else replace(one.site, bias=False)
        divisor = symbol(letter) if letter and _free(one) else one.divisor
        found = recipes.of(one.kind, site, divisor)
        macs += [(one.ops[-1], (_positions(site, end), *found[end])) for end in ("out", "in")]
        # a module that runs twice is built once
        weights = tuple(name for index in one.ops for name in network.ops[index].parameters)
        params += [] if weights in built else [(1, *found["params"])]
        built.add(weights)
    in_order = [part for _, part in sorted(macs, key=lambda indexed: indexed[0])]
    return _sum(in_order, letter), _sum(params, letter)


def _positions(site: ConvSite, end: str) -> Expression:
    """Positions of one channel at the "in" or "out" end of a site, with the batch."""
    extents: tuple[Any, ...] = (site.batch, *(site.in_size if end == "in" else site.out_size))
    return prod(extents)


class _Recipes:
    """Recipes split into constants and shares; equal ones are split once."""

    def __init__(self) -> None:
        self._known: dict[Any, dict[str, tuple[Any, Any]]] = {}

    def of(self, recipe: ConvKind, site: ConvSite, divisor: Any) -> dict[str, tuple[Any, Any]]:
        """(constant, share) of the parameters, and of MACs at each position "in" and "out"."""
        key = (recipe.name, site.taps, site.M, site.N, site.bias, site.transposed, divisor)
        if key not in self._known:
            self._known[key] = self._split(recipe, site, divisor)
        return self._known[key]

    def _split(self, recipe: ConvKind, site: ConvSite, divisor: Any) -> dict[str, tuple[Any, Any]]:
        from sympy import expand

        ends = {end: symbol(end) for end in ("in", "out")}
        cost = recipe.cost(
            taps=site.taps,
            M=site.M,
            N=site.N,
            out_positions=ends["out"],
            in_positions=ends["in"],
            divisor=divisor,
            bias=site.bias,
            transposed=site.transposed,
        )
        macs = expand(cost.macs)
        found = {end: _in_letter(macs.coeff(one), divisor) for end, one in ends.items()}
        return found | {"params": _in_letter(cost.params, divisor)}


def _in_letter(expression: Any, letter: Any) -> tuple[Any, Any]:
    """(a, b) of a + b/letter; (a, 0) for a number.

    Raises:
        ValueError: it has another form.
    """
    from sympy import Integer, expand, sympify

    if isinstance(letter, int):
        return expression, Integer(0)
    constant, rest = expand(sympify(expression)).as_independent(letter, as_Add=True)
    share = rest * letter
    if share.free_symbols:
        raise ValueError(f"{expression} is not of the form a + b/{letter}")
    return constant, share


def _sum(parts: Iterable[Part], letter: str) -> Sum:
    """Parts of the same size added up."""
    from sympy import Integer, sympify

    flat: dict[Any, tuple[Any, Any]] = {}  # many parts have the same size
    sums: dict[Any, tuple[Any, Any]] = {}
    for size, constant, share in parts:
        if size not in flat:
            flat[size] = flattened(sympify(size)).as_coeff_Mul()
        factor, rest = flat[size]
        a, b = sums.get(rest, (Integer(0), Integer(0)))
        sums[rest] = a + factor * constant, b + factor * share
    terms = tuple(Term(rest, a, b) for rest, (a, b) in sums.items() if (a, b) != (0, 0))
    return Sum(terms, letter if any(term.share != 0 for term in terms) else "")
