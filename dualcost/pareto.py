"""The Pareto front: the points that no other point beats in both respects."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

Point = TypeVar("Point")


def pareto_front(
    points: Sequence[Point],
    cost: Callable[[Point], float],
    worth: Callable[[Point], float],
) -> tuple[Point, ...]:
    """The points for which every cheaper one is worth less, cheapest first.

    Of points that are equal in both, all stay.
    """
    front: list[Point] = []
    best = float("-inf")
    for point in sorted(points, key=lambda point: (cost(point), -worth(point))):
        equal = front and (cost(point), worth(point)) == (cost(front[-1]), worth(front[-1]))
        if worth(point) > best or equal:
            front.append(point)
            best = worth(point)
    return tuple(front)
