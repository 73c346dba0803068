"""A kind and its G or P for each layer, so that a network fits its budgets and changes least.

The choices of a network are costed exactly (`choices`), picked by an integer program (`program`),
and the network with what was picked is profiled once more: what is returned is what that profile
says. Accuracy is not modelled.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from dualcost.costs.profile import Profile, Row, profile
from dualcost.costs.timed import timed
from dualcost.errors import UsageError
from dualcost.kinds.choice import Choice
from dualcost.kinds.kinds import DUAL, kind
from dualcost.network.cost import CONVENTIONS, Convention, Cost
from dualcost.network.form import Form
from dualcost.network.network import Network
from dualcost.rewrite.request import Bias, Request
from dualcost.rewrite.rule import NAMED_RULES, Rule
from dualcost.search.fit.budget import LATENCY
from dualcost.search.fit.choices import Choices, Site, choices
from dualcost.search.fit.fitted import LAYERS, PARAMS, SECONDS, TIES, Fitted, Layer, Uniform, Wish
from dualcost.search.fit.program import Limit, Picked, Program, Vector, nearest, solve
from dualcost.search.fit.timetable import Timetable
from dualcost.search.solve import Reading
from dualcost.units import nanoseconds

CORRECTIONS = 8  # of a latency that is not what its layers add up to


def offered(
    network: Network,
    rule: Rule,
    kinds: Sequence[str],
    G: Sequence[int] | None = None,
    P: Sequence[int] | None = None,
) -> tuple[Choice, ...]:
    """The choices of these kinds; G and P are by default the powers of two from 2 on.

    Raises:
        UnknownNameError: there is no such kind.
        UsageError: there is none at all, or G or P is given and no kind takes it.
    """
    chosen = [kind(name) for name in dict.fromkeys(kinds)]
    if not chosen:
        raise UsageError("no kind is offered", "such as --conv dual,group")
    widest = max((op.site.M for op in network.ops if op.site), default=1)
    usual = tuple(2**power for power in range(1, widest.bit_length()))
    given = {"G": G, "P": P, "": (1,)}
    for letter in ("G", "P"):
        if given[letter] is not None and all(one.letter != letter for one in chosen):
            names = ", ".join(one.name for one in chosen)
            raise UsageError(f"{letter} is given, and {names} has none", f"leave --{letter} out")
    return tuple(
        Choice(one, divisor) for one in chosen for divisor in sorted(given[one.letter] or usual)
    )


def fit(
    network: Network,
    wish: Wish,
    kinds: Sequence[str] = (DUAL.name,),
    G: Sequence[int] | None = None,
    P: Sequence[int] | None = None,
    rule: Rule | None = None,
    bias: str = "keep",
    convention: Convention = CONVENTIONS["torch"],
) -> Fitted:
    """Pick for each site a kind with its G or P, or to keep it.

    If no pick meets all budgets, the one that misses them by the least share is returned.

    Args:
        network: as it is.
        wish: budgets and objective.
        kinds: the kinds that a site may become.
        G: of group and dual; None: the powers of two.
        P: of het; None: likewise.
        rule: which sites may be replaced; None: the default rule.
        bias: "keep" or "drop" those of what is replaced.
        convention: what is counted.

    Raises:
        UsageError: the rule accepts no site, no choice fits one, or a latency is asked for and
            there is no predictor.
    """
    if wish.predicts and wish.predictor is None:
        raise UsageError("a latency is predicted by a calibration", "give a predictor")
    rule = rule or Rule.parse(NAMED_RULES["default"])
    offer = offered(network, rule, kinds, G, P)
    problem = Problem(choices(network, offer, rule, Bias.parse(bias), convention), wish)
    for _ in range(CORRECTIONS):
        late = problem.unforeseen
        if not late:
            break
        problem = replace(problem, shift=problem.shift + late)
    return problem.fitted


@dataclass(frozen=True)
class Problem:
    """The choices of a network and a wish as an integer program, and its best pick as a plan.

    `shift` is by how many nanoseconds a network takes longer than its layers add up to.
    """

    choices: Choices
    wish: Wish
    shift: int = 0

    @cached_property
    def options(self) -> list[list[Choice | None]]:
        """What each group may become: first what it is, then the more the more it removes."""
        return [
            [None, *sorted(group.changes, key=lambda choice: -group.changes[choice].params)]
            for group in self.choices.groups
        ]

    @cached_property
    def base(self) -> Profile:
        """The network as it is."""
        return self._timed(self.choices.base)

    @cached_property
    def start(self) -> tuple[int, ...]:
        """What each budget limits, before anything is replaced."""
        return tuple(
            one.value(self.base.whole_after) + (self.shift if one.metric is LATENCY else 0)
            for one in self.wish.budgets
        )

    @cached_property
    def program(self) -> Program:
        """A column for each objective, then one for each budget."""
        predictor = self.wish.predictor
        times = Timetable(self.choices, predictor) if predictor and self.wish.predicts else None
        items = [
            [self._vector(index, choice, times) for choice in options]
            for index, options in enumerate(self.options)
        ]
        ties = len(TIES[self.wish.objective])
        limits = [
            Limit(
                column,
                high=None if one.high is None else one.high - start,
                low=None if one.low is None else one.low - start,
                scale=max(1, one.limit),
            )
            for column, (one, start) in enumerate(
                zip(self.wish.budgets, self.start, strict=True), ties
            )
        ]
        return Program(items, limits, range(ties))

    def _vector(self, index: int, choice: Choice | None, times: Timetable | None) -> Vector:
        """What a choice adds to the objectives, and to what the budgets limit."""
        group = self.choices.groups[index]
        change = group.changes[choice] if choice else Cost()
        time = times.change(index, choice) if times and choice else 0
        worth = {
            # a layer that gains parameters does not make up for another
            PARAMS: max(0, -change.params),
            LAYERS: len(group.paths) if choice else 0,
            SECONDS: time,
        }
        return (
            *(worth[name] for name in TIES[self.wish.objective]),
            *(
                one.metric.of_cost(change) if one.metric.adds_up else time
                for one in self.wish.budgets
            ),
        )

    @cached_property
    def within(self) -> Picked | None:
        """The best pick that meets the budgets."""
        return solve(self.program)

    @cached_property
    def picked(self) -> Picked:
        """The best pick, or, if none meets the budgets, the best of those that are nearest."""
        picked = self.within or solve(nearest(self.program))
        assert picked is not None  # the nearest one is within its limits
        return picked

    @cached_property
    def profile(self) -> Profile:
        """The network with what was picked.

        Raises:
            RuntimeError: it does not cost what its layers add up to, a fault of dualcost.
        """
        plan = self._plan(self.picked.options)
        convention = self.choices.convention
        found = self._timed(profile(self.choices.network, plan, convention))
        for promised in self._readings(self.picked.sums):
            metric, value = promised.constraint.metric, promised.constraint.value(found.whole_after)
            if metric.exact and value != promised.value:
                raise RuntimeError(
                    f"{metric.name}: {value} instead of {promised.value} with {plan}"
                )
        return found

    def _plan(self, options: Sequence[int]) -> Request | None:
        pairs = zip(self.options, options, strict=True)
        return self.choices.plan([choices[index] for choices, index in pairs])

    def _timed(self, found: Profile) -> Profile:
        predictor = self.wish.predictor
        if predictor is None or not self.wish.predicts:
            return found
        return timed(
            found,
            self.choices.network,
            predictor.calibration,
            channels_last=predictor.channels_last,
            foreign=predictor.foreign,
        )

    def _readings(self, sums: Vector) -> tuple[Reading, ...]:
        """What the budgets make of a pick, by what its layers add up to."""
        added = sums[len(TIES[self.wish.objective]) :]
        return tuple(
            Reading(one, start + more)
            for one, start, more in zip(self.wish.budgets, self.start, added, strict=True)
        )

    @property
    def unforeseen(self) -> int:
        """The nanoseconds over a budget of a pick that meets it by what its layers add up to.

        A smaller network has more of its weights in the cache, and calls fewer layers.
        """
        if self.within is None:
            return 0
        latencies = (one for one in self.wish.budgets if one.metric is LATENCY)
        over = (one.value(self.profile.whole_after) - one.limit for one in latencies)
        return max(0, *over, 0)

    @property
    def fitted(self) -> Fitted:
        """The pick, and what it is compared with."""
        budgets, picked = self.wish.budgets, self.picked
        worth = picked.sums[0]
        # of a latency the sum is the change
        offset = _nanoseconds(self.profile) - worth if self.wish.objective == SECONDS else 0
        return Fitted(
            wish=self.wish,
            rewrite=self.profile.rewrite,
            profile=self.profile,
            before=tuple(Reading(one, one.value(self.base.whole_after)) for one in budgets),
            readings=tuple(Reading(one, one.value(self.profile.whole_after)) for one in budgets),
            reach=self._reach(),
            layers=tuple(_layers(self.choices, self.profile.rows)),
            worth=worth + offset,
            bound=None if picked.bound is None else picked.bound + offset,
            uniform=self._uniform(offset),
        )

    def _reach(self) -> tuple[Reading, ...]:
        """Each budget's best value: every group takes what is best for it."""
        ties = len(TIES[self.wish.objective])
        found = []
        for column, (one, start) in enumerate(
            zip(self.wish.budgets, self.start, strict=True), ties
        ):
            best = min if one.high is not None else max
            total = sum(best(v[column] for v in options) for options in self.program.items)
            found.append(Reading(one, start + total))
        return tuple(found)

    def _uniform(self, offset: int) -> Uniform | None:
        """Of one choice for all groups that can take it, the best that meets the budgets."""
        found: list[tuple[Vector, Uniform]] = []
        for choice in self.choices.rewritten:
            takes = [choice in group.changes for group in self.choices.groups]
            options = [
                known.index(choice) if fits else 0
                for known, fits in zip(self.options, takes, strict=True)
            ]
            sums = self.program.sums(options)
            readings = self._readings(sums)
            if all(reading.met for reading in readings):
                sites = sum(
                    len(g.sites) for g, t in zip(self.choices.groups, takes, strict=True) if t
                )
                found.append((sums, Uniform(choice, sites, sums[0] + offset, readings)))
        ties = len(TIES[self.wish.objective])
        return min(found, key=lambda pair: pair[0][:ties])[1] if found else None


def _nanoseconds(profile: Profile) -> int:
    assert profile.latency is not None  # it was predicted
    return nanoseconds(profile.latency.after.seconds)


def _layers(choices: Choices, rows: Sequence[Row]) -> Iterator[Layer]:
    """Every site with its cost before and after, in order of execution."""
    by_op = {row.ops[0]: row for row in rows if row.ops}
    sites = [site for group in choices.groups for site in group.sites]
    for site in sorted(sites, key=lambda site: site.ops[0]):
        within = [by_op[index] for index in site.ops if index in by_op]
        yield _layer(site, within)


def _layer(site: Site, rows: Sequence[Row]) -> Layer:
    replaced = next((row for row in rows if row.replaced), None)
    block = site.candidate.block
    was = replaced.kind if replaced else Form(block) if block else rows[0].kind
    return Layer(
        path=site.path,
        M=site.candidate.site.M,
        N=site.candidate.site.N,
        was=was,
        becomes=replaced.choice if replaced else None,
        before=sum((row.before for row in rows), Cost()),
        after=sum((row.after for row in rows), Cost()),
    )
