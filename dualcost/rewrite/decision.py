"""What becomes of a site that a rule is asked about: the outcome, and its reason as a record.

A record says nothing in words; `render/rewrite.py` does.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from dualcost.kinds.recipe import Misfit
from dualcost.rewrite.exemption import Exemption
from dualcost.rewrite.rule import Candidate, Term


class Outcome(Enum):
    """What becomes of a site."""

    REPLACED = auto()
    KEPT = auto()
    REFUSED = auto()  # it was to be replaced, and cannot be: nor can the rest


@dataclass(frozen=True)
class FailedTerm:
    """A term of the rule does not hold: `value` is what the site has in its field."""

    term: Term
    value: object


@dataclass(frozen=True)
class Overlap:
    """A block that holds the site, or a part of it, is replaced already."""


@dataclass(frozen=True)
class ComputedWeight:
    """The weight is not a parameter of the convolution: it is computed when it runs."""


@dataclass(frozen=True)
class Indivisibility:
    """G or P does not divide the channels of the site.

    Attributes:
        misfit: which G or P, and which channels.
        instead: the G or P that was taken in its place; 0: none was.
        fallback: the G or P that was to be taken, and does not divide them either; 0: none was.
    """

    misfit: Misfit
    instead: int = 0
    fallback: int = 0

    def __str__(self) -> str:
        if not self.fallback:
            return str(self.misfit)
        M, N = self.misfit.M, self.misfit.N
        return f"{self.misfit}, nor is M={M}, N={N} by the fallback {self.fallback}"


# An exemption may keep a site, or replace it by something else than the rewrite's own.
Reason = FailedTerm | Overlap | ComputedWeight | Exemption | Indivisibility


@dataclass(frozen=True)
class Decision:
    """What becomes of one candidate; without a reason, it is replaced as the request says."""

    candidate: Candidate
    outcome: Outcome
    reason: Reason | None = None

    @property
    def replaced(self) -> bool:
        """The site becomes something else."""
        return self.outcome is Outcome.REPLACED
