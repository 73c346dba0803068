"""What a rewrite costs as a function of its G or P: at one value, or at an array of a million.

A site sees of G only whether it divides the channels, and what it shares with them. So a network
sees only what G shares with the period, the least common multiple of the channels that its sites
have in common: points that agree in that cost the same, and are costed once. No point is
approximated, and no array is large enough for a loop over its points.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import gcd, lcm
from typing import TYPE_CHECKING, Any

from dualcost.costs.memory import peak
from dualcost.costs.metrics import COMPARED, Whole
from dualcost.costs.profile import Profile, profile, replaced_costs
from dualcost.errors import UsageError
from dualcost.kinds.recipe import Misfit
from dualcost.latency.calibration import Calibration
from dualcost.latency.estimate import Estimate, estimate
from dualcost.network.cost import CONVENTIONS, Convention, Cost
from dualcost.network.network import Network
from dualcost.rewrite.decision import Indivisibility
from dualcost.rewrite.request import Request
from dualcost.rewrite.rewrite import Replacement, Rewritten, candidates, rewrite
from dualcost.rewrite.rule import Candidate
from dualcost.search.sweep.rows import Costed

if TYPE_CHECKING:
    import numpy as np

    Masked = np.ma.MaskedArray[Any, Any]

INT64 = 2**63 - 1


@dataclass(frozen=True)
class Costing(Costed):
    """What a network costs at one point, or why there is none.

    Attributes:
        costs: what networks are COMPARED by, by the keys of the metrics; none without a cost.
        replaced: how many sites were replaced.
        reason: why the rewrite cannot be carried out; "" if it can.
        latency_lower_s: the lower end of the predicted latency's band; None where nobody asked.
        latency_upper_s: its upper end; None also where some ops are not predicted.
    """

    costs: Mapping[str, Any] = field(default_factory=dict)
    replaced: int = 0
    reason: str = ""
    latency_lower_s: float | None = None
    latency_upper_s: float | None = None

    @classmethod
    def of(cls, whole: Whole, predicted: Estimate | None, replaced: int = 0) -> Costing:
        """A network's whole cost as a point, and what its latency is predicted to be."""
        if predicted is None:
            return cls({one.key: one.value(whole) for one in COMPARED.values()}, replaced)
        timed = replace(whole, seconds=predicted.total.seconds)
        return cls(
            {one.key: one.value(timed) for one in COMPARED.values()},
            replaced,
            latency_lower_s=predicted.total.lower_s,
            latency_upper_s=None if predicted.unpredicted else predicted.total.upper_s,
        )


@dataclass(frozen=True)
class _Unfit:
    """The first of some sites whose channels a G or P does not divide."""

    candidate: Candidate
    problem: Misfit | Indivisibility
    more: int


@dataclass(frozen=True)
class _Frame:
    """A network around some replacements, whose costs are still to be added.

    Attributes:
        whole: the network with any G or P.
        rest: the cost of all other rows.
    """

    whole: Whole
    rest: Cost

    @classmethod
    def around(cls, profile: Profile) -> _Frame:
        rest = sum((row.after for row in profile.rows if not row.replaced), Cost())
        return cls(profile.whole_after, rest)


@dataclass(frozen=True)
class Curve:
    """A rewrite of a network whose G or P is left open; that of `asked` is not looked at."""

    network: Network
    asked: Request
    convention: Convention = CONVENTIONS["torch"]
    calibration: Calibration | None = None
    _known: dict[tuple[int, bool], Costing | _Unfit] = field(
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

    def at(self, divisor: int) -> Costing:
        """The cost at one G or P, equal to that of `profile`.

        Raises:
            UsageError: it is not positive.
        """
        asked = self.asked.at(divisor)
        shared = gcd(divisor, self.period)
        key = (shared, shared == divisor)
        if key not in self._known:
            self._known[key] = self._cost(asked)
        found = self._known[key]
        return found if isinstance(found, Costing) else Costing(reason=_because(found, asked))

    def _cost(self, asked: Request) -> Costing | _Unfit:
        rewritten = rewrite(self.network, asked)
        try:
            rewritten.checked()
        except UsageError as error:
            return _refused(rewritten, error)
        replacements = sorted(rewritten.replacements, key=lambda one: one.ops[-1])
        frame = self._frame(asked, replacements)
        costs = replaced_costs(self.network, replacements, self.convention)
        whole = replace(
            frame.whole,
            cost=sum(costs, frame.rest),
            peak_bytes=self._peak(replacements),
        )
        predicted = estimate(rewritten, self.calibration) if self.calibration else None
        return Costing.of(whole, predicted, len(replacements))

    def _frame(self, asked: Request, replacements: Sequence[Replacement]) -> _Frame:
        """What stands around these replacements, whatever their G or P: from one profile."""
        places = tuple(one.ops for one in replacements)
        if places not in self._frames:
            self._frames[places] = _Frame.around(profile(self.network, asked, self.convention))
        return self._frames[places]

    def _peak(self, replacements: Sequence[Replacement]) -> int:
        """The peak, which asks of a replacement only how much lives inside it."""
        key = tuple((one.ops, one.kind.scratch(one.site, one.divisor)) for one in replacements)
        if key not in self._peaks:
            self._peaks[key] = peak(self.network, replacements).nbytes
        return self._peaks[key]

    def over(self, divisors: np.ndarray[Any, Any]) -> tuple[Masked, dict[str, Masked]]:
        """How many sites are replaced at many values, and the exact costs by key.

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

        def spread(values: list[int]) -> Masked:
            array = _integers(values)[inverse].reshape(shape)
            return np.ma.MaskedArray(array, unfit.reshape(shape), fill_value=-1)

        exact = [metric.key for metric in COMPARED.values() if metric.exact]
        return (
            spread([one.replaced for one in classes]),
            {key: spread([one.costs.get(key, 0) for one in classes]) for key in exact},
        )


def as_it_is(
    network: Network, convention: Convention, calibration: Calibration | None = None
) -> Costing:
    """The cost of a network in which nothing is replaced."""
    whole = profile(network, None, convention).whole_before
    return Costing.of(whole, estimate(network, calibration) if calibration else None)


def _integers(values: list[int]) -> np.ndarray[Any, Any]:
    import numpy as np

    fits = all(value <= INT64 for value in values)
    return np.array(values, dtype=np.int64 if fits else object)


def _refused(found: Rewritten, error: UsageError) -> Costing | _Unfit:
    """What stands in the way: indivisible channels, or something that no other G would change."""
    decisions = found.refused or found.decisions
    unfit = [(d.candidate, d.reason) for d in decisions if isinstance(d.reason, Indivisibility)]
    if unfit:
        return _Unfit(*unfit[0], len(unfit) - 1)
    return Costing(reason=f"{error.message} ({error.hint})")


def _because(unfit: _Unfit, asked: Request) -> str:
    """The site, what does not divide there, and at how many other sites it does not."""
    site = unfit.candidate.site
    # where the request's own number fits, it is about that of an exemption
    problem = asked.kind.misfit(site.M, site.N, asked.divisor) or unfit.problem
    more = f" (so at {unfit.more} more site{'s' * (unfit.more > 1)})" if unfit.more else ""
    return f"{unfit.candidate.path or '(root)'}: {problem}{more}"
