"""The rows of a sweep: which point of which network, what it costs, and which rows are the best."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from dualcost.costs.metrics import COMPARED, Better, Metric
from dualcost.kinds.kinds import KINDS
from dualcost.rewrite.request import Request

# what became of a point
DONE = "done"
UNFIT = "unfit"  # the rewrite cannot be carried out there
FAILED = "failed"  # the model could not be traced
# G of the paper's tables, and 1
DOUBLING = (1, 2, 4, 8, 16, 32)


class Costed:
    """What has costs by the keys of the metrics, and each of them as an attribute: `row.macs`."""

    costs: Mapping[str, Any]

    def __getattr__(self, key: str) -> Any:
        try:
            return vars(self)["costs"][key]
        except KeyError:
            raise AttributeError(f"{type(self).__name__} has no {key}") from None


def _unknown() -> dict[str, Any]:
    return {metric.key: None for metric in COMPARED.values()}


@dataclass(frozen=True)
class Replacing:
    """How sites are replaced, in the words of users: everything of a rewrite but kind, G and P."""

    where: str = "default"
    indivisible: str = "refuse"
    bias: str = "keep"
    but: tuple[str, ...] = ()

    def request(self, conv: str) -> Request:
        """That of a kind, or of the text of a request, whose own words go first.

        Raises:
            UsageError: one of the words does not fit.
        """
        return Request.parse(conv, open=True, own_first=True, **vars(self))


@dataclass(frozen=True)
class Point:
    """What one row of a sweep is about, as it was asked for.

    Attributes:
        model: its name as for `networks.load`.
        size: the input, tensors joined by commas, or imgsz=320x256; "" for the one that is known
            for the model.
        batch: replaces the first number of the input; None leaves it.
        conv: the kind that replaces; "" for the network as it is.
        G: groups of group and dual.
        P: 1/P of het's kernels are K×K.
        where: the rule that says which sites are replaced; "" for the network as it is.
        indivisible: what happens where G or P does not divide the channels.
        bias: whether what is replaced keeps its bias.
        but: exceptions to the rule, joined by "; ".
        convention: what is counted.
    """

    model: str
    size: str = ""
    batch: int | None = None
    conv: str = ""
    G: int | None = None
    P: int | None = None
    where: str = ""
    indivisible: str = ""
    bias: str = ""
    but: str = ""
    convention: str = "torch"

    @property
    def label(self) -> str:
        """The kind with its G or P, "as it is" without one."""
        return KINDS[self.conv].label(self.G or self.P or 1) if self.conv else "as it is"


@dataclass(frozen=True)
class Swept(Costed):
    """One row: a point, and what it costs or why there is no cost.

    What it costs are attributes by the keys of the metrics, too: `row.macs`.

    Attributes:
        point: what was asked for.
        status: DONE, UNFIT or FAILED.
        reason: why it is not DONE; "" if it is.
        input: what the network was traced with; "" if that FAILED.
        replaced: how many sites were replaced; like all that follow None if the point is not DONE.
        costs: what it is COMPARED by, by key; a latency is None where it was not asked for.
        macs_ratio: what is left of the MACs of the network as it is.
        params_ratio: what is left of its parameters.
        latency_lower_s: the lower end of the predicted latency's band; None where nobody asked.
        latency_upper_s: its upper end; None also where some ops are not predicted, so that the
            latency is a lower bound.
    """

    point: Point
    status: str
    reason: str = ""
    input: str = ""
    replaced: int | None = None
    costs: Mapping[str, Any] = field(default_factory=_unknown, hash=False)
    macs_ratio: float | None = None
    params_ratio: float | None = None
    latency_lower_s: float | None = None
    latency_upper_s: float | None = None

    @property
    def way(self) -> str:
        """How sites are replaced, in short: the rule, and what is not as by default."""
        point = self.point
        words = [
            point.where,
            f"but {point.but}" if point.but else "",
            f"indivisible {point.indivisible}" if point.indivisible not in ("", "refuse") else "",
            "without bias" if point.bias == "drop" else "",
        ]
        return ", ".join(word for word in words if word)

    @property
    def panel(self) -> tuple[str, str]:
        """Rows that may be compared with each other: of one model at one input."""
        return self.point.model, self.input


def fronts(rows: Iterable[Swept], x: Metric, y: Metric) -> tuple[Swept, ...]:
    """The rows that no other row of the same model and input beats in both metrics.

    Args:
        rows: of any models.
        x: one of COMPARED.
        y: another.
    """
    panels: dict[tuple[str, str], list[Swept]] = {}
    for row in rows:
        if row.status == DONE:
            panels.setdefault(row.panel, []).append(row)
    return tuple(
        row
        for of_panel in panels.values()
        for row in pareto_front(
            of_panel, cost=lambda row: -_worth(row, x), worth=lambda row: _worth(row, y)
        )
    )


def ordered(rows: Iterable[Swept], by: Metric) -> tuple[Swept, ...]:
    """The rows of each model and input by a metric, the largest first; what is not DONE comes last.

    Args:
        rows: of any models, which stay in their order.
        by: one of COMPARED; of a latency, rows have one.
    """
    panels: dict[tuple[str, str], list[Swept]] = {}
    for row in rows:
        panels.setdefault(row.panel, []).append(row)
    return tuple(
        row
        for of_panel in panels.values()
        for row in sorted(
            of_panel,
            key=lambda row: (row.status != DONE, -(row.costs[by.key] or 0)),
        )
    )


def _worth(row: Swept, metric: Metric) -> float:
    value: float = row.costs[metric.key] or 0
    return value if metric.better is Better.MORE else -value


Item = TypeVar("Item")


def pareto_front(
    points: Sequence[Item],
    cost: Callable[[Item], float],
    worth: Callable[[Item], float],
) -> tuple[Item, ...]:
    """The points for which every cheaper one is worth less, cheapest first.

    Of points that are equal in both, all stay.
    """
    front: list[Item] = []
    best = float("-inf")
    for point in sorted(points, key=lambda point: (cost(point), -worth(point))):
        equal = front and (cost(point), worth(point)) == (cost(front[-1]), worth(front[-1]))
        if worth(point) > best or equal:
            front.append(point)
            best = worth(point)
    return tuple(front)
