"""What a rewrite costs as a function of its G or P: at one value, or at an array of a million.

A site sees of G only whether it divides the channels, and what it shares with them. So a network
sees only what G shares with the period, the least common multiple of the channels that its sites
have in common: points that agree in that cost the same, and are costed once. No point is
approximated, and no array is large enough for a loop over its points.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import gcd, lcm
from typing import TYPE_CHECKING, Any

from dualcost.costs.memory import peak
from dualcost.costs.profile import Row, profile
from dualcost.errors import UsageError
from dualcost.kinds.recipe import Misfit
from dualcost.latency.calibration import Calibration
from dualcost.latency.estimate import estimate
from dualcost.network.cost import CONVENTIONS, Convention, Cost
from dualcost.network.network import Network
from dualcost.rewrite.decision import Indivisibility
from dualcost.rewrite.request import Rewrite
from dualcost.rewrite.rewrite import Replacement, Rewritten, candidates, rewrite
from dualcost.rewrite.rule import Candidate
from dualcost.search.sweep.rows import METRICS

if TYPE_CHECKING:
    import numpy as np

INT64 = 2**63 - 1


@dataclass(frozen=True)
class Outcome:
    """What a network costs at one point, or why there is none.

    Attributes:
        macs: multiply-accumulates that the convention counts.
        params: elements of all parameters.
        traffic: bytes read and written, each op for itself.
        weight_bytes: memory of the parameters.
        peak_bytes: the most activations that live at once.
        replaced: how many sites were replaced.
        latency_s: the time that a calibration predicts; None without one.
        reason: why the rewrite cannot be carried out; "" if it can.
    """

    macs: int = 0
    params: int = 0
    traffic: int = 0
    weight_bytes: int = 0
    peak_bytes: int = 0
    replaced: int = 0
    latency_s: float | None = None
    reason: str = ""


@dataclass(frozen=True)
class _Unfit:
    """The first of some sites whose channels a G or P does not divide."""

    candidate: Candidate
    problem: Misfit | Indivisibility
    more: int


@dataclass(frozen=True)
class _Frame:
    """A network around some replacements, whose recipes are still to be added.

    Attributes:
        rest: the cost of all other rows.
        units: for each replacement, what one unit of its recipe adds to the totals: nothing, one,
            or the bytes of an element.
    """

    rest: Cost
    units: tuple[Cost, ...]

    @classmethod
    def around(cls, rows: Sequence[Row], replacements: Sequence[Replacement]) -> _Frame:
        replaced = [row.after for row in rows if row.replaced]
        return cls(
            rest=sum((row.after for row in rows if not row.replaced), Cost()),
            units=tuple(
                Cost(
                    macs=_each(after.macs, one.cost.macs),
                    params=_each(after.params, one.cost.params),
                    traffic=_each(after.traffic, one.cost.traffic),
                    weight_bytes=_each(after.weight_bytes, one.cost.params),
                )
                for after, one in zip(replaced, replacements, strict=True)
            ),
        )

    def cost(self, replacements: Sequence[Replacement]) -> Cost:
        """The whole network with the recipes of these, in order of execution."""
        pairs = zip(self.units, (one.cost for one in replacements), strict=True)
        added = (
            Cost(
                macs=unit.macs * recipe.macs,
                params=unit.params * recipe.params,
                traffic=unit.traffic * recipe.traffic,
                weight_bytes=unit.weight_bytes * recipe.params,
            )
            for unit, recipe in pairs
        )
        return sum(added, self.rest)


@dataclass(frozen=True)
class Curve:
    """A rewrite of a network whose G or P is left open; `asked.divisor` is not looked at."""

    network: Network
    asked: Rewrite
    convention: Convention = CONVENTIONS["torch"]
    calibration: Calibration | None = None
    _known: dict[tuple[int, bool], Outcome | _Unfit] = field(
        default_factory=dict, repr=False, compare=False
    )
    _frames: dict[tuple[tuple[int, ...], ...], _Frame] = field(
        default_factory=dict, repr=False, compare=False
    )
    _peaks: dict[tuple[tuple[tuple[int, ...], int], ...], int] = field(
        default_factory=dict, repr=False, compare=False
    )

    @cached_property
    def period(self) -> int:
        """The least common multiple of what M and N share, over the sites that may be replaced."""
        if not self.asked.kind.letter:
            return 1
        rule = self.asked.rule
        chosen = (c.site for c, _ in candidates(self.network, rule) if rule.refusal(c) is None)
        return lcm(*(gcd(site.M, site.N) for site in chosen))

    def at(self, divisor: int) -> Outcome:
        """The cost at one G or P, equal to that of `profile`.

        Raises:
            UsageError: it is not positive.
        """
        asked = replace(self.asked, divisor=divisor)
        shared = gcd(divisor, self.period)
        key = (shared, shared == divisor)
        if key not in self._known:
            self._known[key] = self._cost(asked)
        found = self._known[key]
        return found if isinstance(found, Outcome) else Outcome(reason=_because(found, asked))

    def _cost(self, asked: Rewrite) -> Outcome | _Unfit:
        rewritten = rewrite(self.network, asked)
        try:
            rewritten.checked()
        except UsageError as error:
            return _refused(rewritten, error)
        replacements = sorted(rewritten.replacements, key=lambda one: one.ops[-1])
        frame = self._frame(asked, replacements)
        cost = frame.cost(replacements)
        seconds = _seconds(rewritten, self.calibration)
        return outcome(cost, self._peak(replacements), len(replacements), seconds)

    def _frame(self, asked: Rewrite, replacements: Sequence[Replacement]) -> _Frame:
        """What stands around these replacements, whatever their G or P: from one profile."""
        places = tuple(one.ops for one in replacements)
        if places not in self._frames:
            rows = profile(self.network, asked, self.convention).rows
            self._frames[places] = _Frame.around(rows, replacements)
        return self._frames[places]

    def _peak(self, replacements: Sequence[Replacement]) -> int:
        """The peak, which asks of a replacement only how much lives inside it."""
        key = tuple((one.ops, one.kind.scratch(one.site, one.divisor)) for one in replacements)
        if key not in self._peaks:
            self._peaks[key] = peak(self.network, replacements).nbytes
        return self._peaks[key]

    def over(self, divisors: np.ndarray[Any, Any]) -> dict[str, np.ma.MaskedArray[Any, Any]]:
        """The costs at many values: an array for each field of METRICS, and for "replaced".

        Masked where the rewrite cannot be carried out. Integers are exact: where one exceeds 64
        bits, the array holds Python's.

        Raises:
            UsageError: a value is not a positive integer.
        """
        import numpy as np

        if divisors.size and (
            divisors.dtype.kind not in "iu" or divisors.min() < 1 or divisors.max() > INT64
        ):
            raise UsageError(
                f"not every {self.asked.kind.letter or 'value'} is a positive integer",
                "give an array of integers, 1 or larger",
            )
        shape, divisors = divisors.shape, divisors.astype(np.int64).ravel()
        # two classes share a number: those that divide the period, and those that do not
        if self.period < INT64 // 2:
            shared = np.gcd(divisors, self.period)
        else:
            shared = np.gcd(divisors.astype(object), self.period)
        _, first, inverse = np.unique(
            2 * shared + (shared == divisors), return_index=True, return_inverse=True
        )
        classes = [self.at(int(divisors[index])) for index in first]
        unfit = np.array([bool(one.reason) for one in classes], dtype=bool)[inverse]
        return {
            name: np.ma.MaskedArray(
                _integers([getattr(one, name) for one in classes])[inverse].reshape(shape),
                unfit.reshape(shape),
                fill_value=-1,
            )
            for name in (*METRICS.values(), "replaced")
        }


def as_it_is(
    network: Network, convention: Convention, calibration: Calibration | None = None
) -> Outcome:
    """The cost of a network in which nothing is replaced."""
    cost = profile(network, None, convention).before
    seconds = _seconds(network, calibration)
    return outcome(cost, peak(network).nbytes, latency_s=seconds)


def _each(total: int, units: int) -> int:
    return total // units if units else 0


def outcome(
    cost: Cost, peak_bytes: int, replaced: int = 0, latency_s: float | None = None
) -> Outcome:
    """A network's whole cost as a point."""
    return Outcome(
        cost.macs, cost.params, cost.traffic, cost.weight_bytes, peak_bytes, replaced, latency_s
    )


def _seconds(network: Network | Rewritten, calibration: Calibration | None) -> float | None:
    return estimate(network, calibration).total.seconds if calibration else None


def _integers(values: list[int]) -> np.ndarray[Any, Any]:
    import numpy as np

    fits = all(value <= INT64 for value in values)
    return np.array(values, dtype=np.int64 if fits else object)


def _refused(found: Rewritten, error: UsageError) -> Outcome | _Unfit:
    """What stands in the way: indivisible channels, or something that no other G would change."""
    decisions = found.refused or found.decisions
    unfit = [(d.candidate, d.reason) for d in decisions if isinstance(d.reason, Indivisibility)]
    if unfit:
        return _Unfit(*unfit[0], len(unfit) - 1)
    return Outcome(reason=f"{error.message} ({error.hint})")


def _because(unfit: _Unfit, asked: Rewrite) -> str:
    """The site, what does not divide there, and at how many other sites it does not."""
    site = unfit.candidate.site
    # where the request's own number fits, it is about that of an exemption
    problem = asked.kind.misfit(site.M, site.N, asked.divisor) or unfit.problem
    more = f" (so at {unfit.more} more site{'s' * (unfit.more > 1)})" if unfit.more else ""
    return f"{unfit.candidate.path or '(root)'}: {problem}{more}"
