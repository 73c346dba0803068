"""What becomes of sites and rows, and why, as text: "3 × dual G=4", "kernel>1 wanted, is 1×1"."""

from __future__ import annotations

from typing import assert_never

from dualcost.costs.profile import Becomes, Several
from dualcost.rewrite.decision import (
    ComputedWeight,
    FailedTerm,
    Indivisibility,
    Outcome,
    Overlap,
    Reason,
)
from dualcost.rewrite.exemption import Exemption
from dualcost.units import size


def becomes(what: Becomes | None) -> str:
    """What a row becomes: "dual G=4", "3 × dual G=4, het P=2", "removed"; "" if it stays."""
    if isinstance(what, Several):
        return f"{what.sites} × {', '.join(map(str, what.choices))}"
    return str(what or "")


def why(outcome: Outcome, reason: Reason | None) -> str:
    """The reason of a decision; "" if the site is replaced as the request says."""
    match reason:
        case None:
            return ""
        case FailedTerm(term, value):
            return f"{term} wanted, is {_value(value) or 'none'}"
        case Overlap():
            return "overlaps a block that is replaced already"
        case ComputedWeight():
            return "its weight is computed, not a parameter"
        case Exemption():
            change = reason.change if outcome is Outcome.REPLACED else "kept"
            return f"{change} by “{reason}”"
        case Indivisibility(misfit, instead):
            how = {
                Outcome.REPLACED: f"{misfit.letter}={instead}: ",
                Outcome.KEPT: "kept: ",
                Outcome.REFUSED: "",
            }
            return f"{how[outcome]}{reason}"
        case _:
            assert_never(reason)


def _value(value: object) -> str:
    """The value of a field as people read it: "2×2", "yes"."""
    if isinstance(value, tuple):
        return size(value)
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
