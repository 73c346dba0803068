"""What is wished of a network, and the plan that was found for it: plain facts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from dualcost.costs.metrics import METRICS
from dualcost.costs.profile import Profile
from dualcost.errors import UnknownNameError, UsageError
from dualcost.kinds.choice import Choice
from dualcost.network.cost import Cost
from dualcost.network.form import Form
from dualcost.rewrite.request import Request
from dualcost.search.constraint import Constraint
from dualcost.search.fit.budget import LATENCY
from dualcost.search.fit.timetable import Predictor
from dualcost.search.solve import Reading

PARAMS, LAYERS, SECONDS = METRICS["params"].name, "layers", LATENCY.name
OBJECTIVES = {
    PARAMS: "least parameters removed",
    LAYERS: "fewest layers touched",
    SECONDS: "least predicted latency",
}
# of equally good picks: the next of these
TIES = {
    PARAMS: (PARAMS, LAYERS),
    LAYERS: (LAYERS, PARAMS),
    SECONDS: (SECONDS, PARAMS, LAYERS),
}


@dataclass(frozen=True)
class Wish:
    """What is asked for.

    Attributes:
        budgets: what the network may cost.
        objective: one of OBJECTIVES.
        predictor: for a latency, as a budget or as the objective; `fit` refuses to do without.
    """

    budgets: tuple[Constraint, ...]
    objective: str = PARAMS
    predictor: Predictor | None = None

    def __post_init__(self) -> None:
        """Check that the words go together.

        Raises:
            UnknownNameError: there is no such objective.
            UsageError: nothing limits how much is replaced.
        """
        if self.objective not in OBJECTIVES:
            raise UnknownNameError("objective", self.objective, OBJECTIVES)
        if self.objective == SECONDS and all(one.low is None for one in self.budgets):
            raise UsageError(
                "the least latency without a floor replaces everything",
                'add a floor, such as "params >= 15M"',
            )

    @property
    def predicts(self) -> bool:
        """A latency is asked for."""
        return self.objective == SECONDS or any(one.metric is LATENCY for one in self.budgets)


@dataclass(frozen=True)
class Layer:
    """One site: what it was and what it becomes.

    Attributes:
        path: the module that it runs in.
        M: input channels.
        N: output channels.
        was: its kind.
        becomes: the kind after, with G or P; None if it stays.
        before: its cost.
        after: its cost then.
    """

    path: str
    M: int
    N: int
    was: Form | None
    becomes: Choice | None
    before: Cost
    after: Cost


@dataclass(frozen=True)
class Uniform:
    """One choice at all sites that can take it.

    Attributes:
        choice: the kind with its G or P.
        sites: how many take it.
        worth: the sum of the objective.
        readings: what the budgets make of it.
    """

    choice: Choice
    sites: int
    worth: int
    readings: tuple[Reading, ...]


@dataclass(frozen=True)
class Fitted:
    """A network fitted to its budgets, or as near as it comes.

    Attributes:
        wish: what was asked for.
        rewrite: the plan; None: the network stays as it is.
        profile: the network with it.
        before: what the budgets make of the network as it is.
        readings: and of the network with the plan.
        reach: the best value of each budget that any plan reaches, whatever the others.
        layers: of each site that could be replaced.
        worth: the sum of the objective: parameters, layers, or nanoseconds.
        bound: no plan has a smaller sum; None: nothing is known.
        uniform: the best single choice that fits; None if none does.
    """

    wish: Wish
    rewrite: Request | None
    profile: Profile
    before: tuple[Reading, ...]
    readings: tuple[Reading, ...]
    reach: tuple[Reading, ...]
    layers: tuple[Layer, ...]
    worth: int
    bound: int | None
    uniform: Uniform | None

    @property
    def fits(self) -> bool:
        """All budgets are met."""
        return all(reading.met for reading in self.readings)

    @cached_property
    def changed(self) -> tuple[Layer, ...]:
        """The layers that become something else."""
        return tuple(layer for layer in self.layers if layer.becomes)

    @property
    def difference(self) -> int | None:
        """By how much the worth of the best uniform choice is larger; None if there is none."""
        return self.uniform.worth - self.worth if self.uniform else None

    @property
    def gap(self) -> float | None:
        """By which share of itself the worth may be above the least; 0.0 is proven to be least."""
        if self.bound is None:
            return None
        return max(0, self.worth - self.bound) / self.worth if self.worth else 0.0
