"""Stamps: the moments at which the layers of a forward begin and end.

Two stamps bound a segment. A leaf module stamps by hooks, which cost a few microseconds, so that
only leaves after which some time has passed are made to stamp, unless every layer is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn

from dualcost.lab.measurement import BETWEEN

Clock = Callable[[], int]
SHORTEST_NS = 200_000  # of a segment; hooks take about 1 % of that
LOOKS = 5  # forwards whose least times decide which leaves stamp


class Stamps:
    """The stamps of one model's forwards.

    Args:
        model: hooks are put on its leaves while `on`.
        clock: what tells the time, in nanoseconds.
        layers: stamp the beginning and the end of every leaf.
    """

    def __init__(self, model: nn.Module, clock: Clock, *, layers: bool) -> None:
        self._clock = clock
        self._layers = layers
        self._leaves = {
            path: module for path, module in model.named_modules() if not [*module.children()]
        }
        self._chosen = set(self._leaves)
        self._moments: list[int] = []
        self._ended: list[str] = []

    @contextmanager
    def on(self) -> Iterator[None]:
        """The chosen leaves stamp; afterwards they are as they were."""
        handles = []
        for path in self._chosen:
            leaf = self._leaves[path]
            if self._layers:
                handles.append(leaf.register_forward_pre_hook(self._stamper(BETWEEN)))
            handles.append(leaf.register_forward_hook(self._stamper(path)))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _stamper(self, ended: str) -> Callable[..., None]:
        clock, moments, names = self._clock, self._moments, self._ended

        def stamp(*_: Any) -> None:
            moments.append(clock())
            names.append(ended)

        return stamp

    def forward(self, call: Callable[[], Any]) -> tuple[list[int], list[str]]:
        """Call it: the nanoseconds of each segment, and the layer (or BETWEEN) that it ended."""
        self._moments.clear()
        self._ended.clear()
        self._moments.append(self._clock())
        call()
        self._moments.append(self._clock())
        self._ended.append(BETWEEN)
        pairs = zip(self._moments, self._moments[1:], strict=False)
        return [end - start for start, end in pairs], [*self._ended]

    def choose(self, call: Callable[[], Any]) -> None:
        """Keep only leaves after which SHORTEST_NS have passed, at the least of some forwards.

        What one forward shows depends on what disturbed it, and the sum of least times depends on
        how many segments it has: equals must be cut alike.
        """
        if self._layers:
            return
        with self.on():
            looks = [self.forward(call) for _ in range(LOOKS)]
        alike = [segments for segments, ended in looks if ended == looks[-1][1]]
        self._chosen.clear()
        passed = 0
        for times, path in zip(zip(*alike, strict=True), looks[-1][1], strict=True):
            passed += min(times)
            if passed >= SHORTEST_NS and path != BETWEEN:
                self._chosen.add(path)
                passed = 0
