"""The sites that cost more when they are replaced, and a term of a rule that leaves them out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dualcost.network.cost import Cost
from dualcost.rewrite.rule import ALONE, NAMED_RULES, ORDERED, Candidate, Rule, Term

MOST_PATHS = 3  # that a term names one by one


@dataclass(frozen=True)
class Replaced:
    """A site that is replaced, with its whole cost before and after."""

    candidate: Candidate
    before: Cost
    after: Cost

    @property
    def dearer(self) -> bool:
        """It has more MACs or more parameters than before."""
        return self.after.macs > self.before.macs or self.after.params > self.before.params


@dataclass(frozen=True)
class Dearer:
    """Sites that are replaced, and have more MACs or more parameters than before.

    Attributes:
        sites: how many there are.
        term: one that, in the rule, leaves all of them out; None: no simple one does.
        others: how many sites that are not dearer it leaves out too.
    """

    sites: int
    term: Term | None = None
    others: int = 0


def dearer(replaced: Sequence[Replaced], rule: Rule) -> Dearer | None:
    """The sites that cost more, and the term that loses the fewest others; None: there is none."""
    costly = [one.candidate for one in replaced if one.dearer]
    others = [one.candidate for one in replaced if not one.dearer]
    if not costly:
        return None
    fitting = [
        (sum(not term.holds(one) for one in others), term)
        for term in _terms(costly, others, rule)
        if not any(term.holds(one) for one in costly)
    ]
    # of equally good ones the first
    lost, term = min(fitting, key=lambda pair: pair[0], default=(len(others), None))
    return Dearer(len(costly), term, lost) if lost < len(others) else Dearer(len(costly))


def _terms(costly: Sequence[Candidate], others: Sequence[Candidate], rule: Rule) -> Iterator[Term]:
    """Terms that may leave out some sites and let others in, the simplest first."""
    # with one more term of these, a text that narrows the default rule would stand alone
    usual = {term for term in Rule.parse(NAMED_RULES["default"]).terms if term.field in ALONE}
    closed = ALONE if usual <= {*rule.terms} else ()
    for field in ("kernel", "groups", "transposed", "first", "stride", "M", "N"):
        if field not in closed:
            yield from _bounds(field, {_side(one, field) for one in costly}, others)
    paths = tuple(dict.fromkeys(one.path for one in costly))
    if len(paths) <= MOST_PATHS and all(re.fullmatch(r"[\w.]+", path) for path in paths):
        yield Term("path", "!=", paths)


def _side(candidate: Candidate, field: str) -> int:
    """The value of a field; of a size its largest side, which is what terms compare."""
    value = candidate.value(field)
    assert isinstance(value, int | tuple)
    return max(value) if isinstance(value, tuple) else value


def _bounds(field: str, costly: set[int], others: Sequence[Candidate]) -> Iterator[Term]:
    """Terms beyond all values of some sites, at the nearest value of the others."""
    known = {_side(one, field) for one in others}
    above = {value for value in known if value > max(costly)}
    below = {value for value in known if value < min(costly)}
    if field in ORDERED:
        if above:
            # of 1×1 and 3×3 "kernel>1" tells why
            yield (
                Term(field, ">", ("1",))
                if max(costly) == 1
                else Term(field, ">=", (str(min(above)),))
            )
        if below:
            yield Term(field, "<=", (str(max(below)),))
    elif above or below:
        yield Term(field, "=", ("yes" if above else "no",))
