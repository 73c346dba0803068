"""The pace of the processor, told by one short product that is run again and again.

Who shares a machine also shares its cores' clock and, of a core with two threads, its units: the
same op takes up to twice as long, for milliseconds or for seconds. While the product takes little
longer than at best, ops slow down as it does, to a few percent; else they do not.
"""

from __future__ import annotations

import time
from bisect import insort
from collections.abc import Sequence

import psutil
import torch

from dualcost.lab.measurement import QUIET

SIDE = 128  # of its matrices: all three fit into a core's own cache, and it takes some 40 µs
FIRST = 200  # products on each core, by which the best is known at first
SHORTEST = 0.01  # the share of the shortest times that is left out: a clock may miscount
TOLD = 3  # times on a core, to know its pace
MOST_CORES = 8  # that are tried


class Pace:
    """Runs the product, and remembers what it took.

    Args:
        cores: between which this process, of one thread, may change; none: it stays where it is.
    """

    def __init__(self, cores: Sequence[int] = ()) -> None:
        self._cores = list(cores[:MOST_CORES])
        self._process = psutil.Process()
        self._factors = torch.rand(SIDE, SIDE), torch.rand(SIDE, SIDE)
        self._product = torch.empty(SIDE, SIDE)
        self._sorted: list[float] = []
        self.last = 0.0
        self._choose(FIRST)

    @property
    def best(self) -> float:
        """Seconds of the product when nothing slows it."""
        return self._sorted[int(SHORTEST * len(self._sorted))]

    @property
    def quiet(self) -> bool:
        """It took little longer than at best the last time."""
        return self.last < QUIET * self.best

    def tell(self) -> float:
        """Seconds of the product, now; the best is one of those that were told."""
        insort(self._sorted, self._run())
        return self.last

    def wait(self, until: float) -> None:
        """Until it is quiet, here or on another core, or `time.monotonic()` is that late."""
        while not self.quiet and time.monotonic() < until:
            if self._cores:
                self._cores.append(self._cores.pop(0))
                self._go(self._cores[0])
            for _ in range(TOLD):
                if not self.quiet:  # what is told while one waits is too much to keep
                    self._run()

    def choose(self) -> None:
        """Go to the core whose pace is best now."""
        if len(self._cores) > 1:
            self._choose(TOLD)

    def _choose(self, count: int) -> None:
        found: dict[int | None, float] = {}
        for core in (*self._cores,) or (None,):
            self._go(core)
            found[core] = min(self.tell() for _ in range(count))
        self._go(min(found, key=found.__getitem__))

    def _go(self, core: int | None) -> None:
        if core is not None:
            self._process.cpu_affinity([core])

    def _run(self) -> float:
        torch.mm(*self._factors, out=self._product)  # brings them back into the cache
        start = time.thread_time_ns()
        torch.mm(*self._factors, out=self._product)
        self.last = max(1, time.thread_time_ns() - start) * 1e-9
        return self.last
