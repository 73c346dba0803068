"""The program that measures single ops in the state in which a network runs them.

`python -m dualcost.lab.child.calibrate` runs in a process that `lab/calibrate.py` starts, reads
{"budget_s": …, "seed": …} and writes JSON lines. An op's input has just been written by the op
before it; its code has run before; its weights come from memory, and once more from the last-level
cache, as no network of some size keeps them in a core's own. Before and after it the pace of the
processor is told. An op waits for a quiet one as long as the others leave it time, and comes again
if it had none (`measurement.at_best_pace` says what counts).
"""

from __future__ import annotations

import copy
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from functools import partial
from math import prod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dualcost.errors import UnmeasuredError
from dualcost.lab.child.chains import Chain, chains
from dualcost.lab.child.homes import Homes
from dualcost.lab.child.pace import Pace
from dualcost.lab.child.probes import Probe, probes, weighted
from dualcost.lab.child.quiet import quiet
from dualcost.lab.child.stamps import Stamps
from dualcost.lab.measurement import QUIET, at_best_pace, least
from dualcost.latency.machine import Machine
from dualcost.latency.workload import Workload, workload
from dualcost.network.site import ConvSite
from dualcost.nn.here import here
from dualcost.process import Say, serve

FORMATS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}
POOL = 1 << 27  # elements (512 MiB) that weights and inputs are cut out of
L2_BYTES = 1 << 20  # where the machine does not tell
ENOUGH = 6  # runs in quiet
LEAST_OPS = 1800  # are run in the first pass, however loud it is
VISITS = 24  # of a chain: one forward each, as networks in turn
HOMES = 2  # of a chain's weights; all chains together take some memory
SAID_EVERY_S = 0.2  # saying something empties the caches


class Bench:
    """The memory that ops are measured in."""

    def __init__(self, l2_bytes: int) -> None:
        self.pool = torch.rand(POOL).mul_(2).sub_(1)
        # the time of the thread alone stands still while others run; asking for it takes a while
        self.clock_ns = min(-time.thread_time_ns() + time.thread_time_ns() for _ in range(1000))
        self.start = 0
        self._others = torch.ones(2 * (l2_bytes or L2_BYTES) // self.pool.element_size())

    def sweep(self) -> None:
        """Push what was used out of the core's own cache, as the rest of a network does."""
        self._others.sum()

    def cut(self, shape: Sequence[int], format: torch.memory_format) -> Tensor:
        """The next elements of the pool, which no op has touched for long, in this shape."""
        count = prod(shape)
        if self.start + count > POOL:
            self.start = 0
        flat = self.pool[self.start : self.start + count]
        self.start += -(-count // 16) * 16
        if format is torch.channels_last and len(shape) == 4:
            n, c, h, w = shape
            return flat.view(n, h, w, c).permute(0, 3, 1, 2)
        return flat.view(tuple(shape))


class Runs:
    """What the runs of something took, and the paces before and after each."""

    def __init__(self) -> None:
        self.times: list[Sequence[float]] = []
        self._paces: list[tuple[float, float]] = []

    def add(self, times: Sequence[float], before: float, after: float) -> None:
        """Keep one run: seconds of its parts, and of the paces."""
        self.times.append(times)
        self._paces.append((before, after))

    def quiet(self, pace: Pace) -> int:
        """How many of them were in quiet."""
        return sum(max(both) < QUIET * pace.best for both in self._paces)

    def settled(self, pace: Pace) -> NDArray[np.float64]:
        """Seconds of each part at the best pace."""
        return at_best_pace(np.array(self.times), np.array(self._paces), pace.best)


class Runner:
    """One op in one memory format, ready to run."""

    def __init__(self, probe: Probe, bench: Bench, name: str) -> None:
        self.probe, self.bench = probe, bench
        self.name, self.format = name, FORMATS[name]
        self.module = probe.module or _module(probe)
        self.sources = [bench.cut(shape, self.format) for shape in probe.inputs]
        self.weighted = weighted(probe)
        self.begins = probe.family == "image"  # a network: no op ran before it
        # maxima are found faster where they are where the processor expects them: the maps of a
        # network differ more between channels than within one
        self.levels: Tensor | None = None
        if probe.family == "max_pool":
            self.levels = torch.rand(1, probe.inputs[0][1], 1, 1) * 2 - 1
        self.runs = Runs()

    def quiet_runs(self, pace: Pace) -> int:
        """How many of its runs were in quiet."""
        return self.runs.quiet(pace)

    def run(self, pace: Pace, until: float) -> None:
        """Time it, in quiet if there is one until then."""
        pace.wait(until)
        before = pace.last
        times = self._round()
        self.runs.add(times, before, pace.tell())

    def facts(self, pace: Pace) -> dict[str, Any]:
        """What was measured, as plain data."""
        warm, cold = self.runs.settled(pace)
        return {
            "format": self.name,
            "workload": asdict(workload(self.probe.op)),
            "warm_s": float(warm),
            "cold_s": float(cold),
        }

    def _round(self) -> tuple[float, float]:
        """Its seconds with weights from the shared cache, and from memory.

        A run before these brings its code into the caches, where networks have it, and makes the
        kernel at first. But what reads an image begins a network: nothing of it is near.
        """
        if self.begins:
            seconds = self._once(self._weights())
            return seconds, seconds
        if not self.weighted:
            self._once()
            seconds = self._once()
            return seconds, seconds
        near, far, other = self._weights(), self._weights(), self._weights()
        for parameter in near.values():
            parameter.sum()
        self.bench.sweep()
        self._once(other)
        return self._once(near), self._once(far)

    def _weights(self) -> dict[str, nn.Parameter]:
        return {
            name: nn.Parameter(self.bench.cut(parameter.shape, self.format), requires_grad=False)
            for name, parameter in self.module.named_parameters()
        }

    def _written(self, source: Tensor) -> Tensor:
        """An input as the op before it leaves it: new, and not negative. None wrote an image."""
        if self.begins:
            return source
        if self.levels is None:
            return torch.relu(source)
        return torch.add(self.levels, source, alpha=0.5).relu_()

    def _once(self, weights: dict[str, nn.Parameter] | None = None) -> float:
        for name, parameter in (weights or {}).items():
            setattr(self.module, name, parameter)
        # what was written before the last is no longer in the core's own cache
        others = [self._written(source) for source in self.sources[1:]]
        if others:
            self.bench.sweep()
        inputs = [self._written(self.sources[0]), *others]
        start = time.thread_time_ns()
        made = self.module(*inputs)
        end = time.thread_time_ns()
        del made
        return max(1, end - start - self.bench.clock_ns) * 1e-9


def _module(probe: Probe) -> nn.Module:
    site = probe.op.site
    if site is None:
        return nn.Linear(probe.inputs[0][1], probe.op.out_shapes[0][1], device="meta")
    return _convolution(site)


def _convolution(site: ConvSite) -> nn.Module:
    return nn.Conv2d(
        site.M, site.N, site.kernel, site.stride, site.padding, site.dilation, site.groups,  # type: ignore[arg-type]  # a pair each
        bias=site.bias, device="meta",
    )  # fmt: skip


Known = tuple[Workload, str]  # what runs, and in which memory format


class Link:
    """A chain in one memory format: timed as a whole, as networks are. Its ops are timed as others.

    Attributes:
        runners: its ops, equal ones as one.
    """

    def __init__(self, chain: Chain, bench: Bench, name: str, known: dict[Known, Runner]) -> None:
        self.name = name
        self.runners: list[Runner] = []
        for probe in chain.probes:
            key = workload(probe.op), name
            if key not in known:  # blocks repeat, and chains resemble each other
                known[key] = Runner(probe, bench, name)
            self.runners.append(known[key])
        format = FORMATS[name]
        model = copy.deepcopy(chain.model).to(memory_format=format)
        image = torch.rand(chain.input).to(memory_format=format)
        self._call: Callable[[], Tensor] = partial(model, image)
        self._homes = Homes(model, HOMES)
        self._stamps = Stamps(model, time.thread_time_ns, layers=False)
        self._forwards: list[list[int]] = []

    def visit(self) -> None:
        """Time it once, when others have run since the last time."""
        if not self._forwards:
            self._call()
            self._stamps.choose(self._call)
        with self._stamps.on():
            segments, _ = self._stamps.forward(self._call)
        self._forwards.append(segments)
        self._homes.move()

    def facts(self, pace: Pace) -> dict[str, Any]:
        """What was measured, as plain data."""
        ops = [runner.facts(pace) for runner in self.runners]
        return {
            "format": self.name,
            "seconds": float(least(np.array(self._forwards, float)).sum()) * 1e-9,
            "warm_s": sum(op["warm_s"] for op in ops),
            "cold_s": sum(op["cold_s"] for op in ops),
            "weights": sum(op["workload"]["weights"] for op in ops),
            "layers": len(ops),
        }


def measured(
    machine: Machine, cores: Sequence[int], budget_s: float, seed: int
) -> Iterator[dict[str, Any]]:
    """Measure until all ops are, or the budget is spent; then say what was measured."""
    start = time.monotonic()
    bench, pace = Bench(machine.l2_bytes), Pace(cores)
    yield {"machine": machine.to_json(), "peaks": _peaks(bench)}
    known: dict[Known, Runner] = {}
    links = [Link(chain, bench, name, known) for chain in chains(seed) for name in FORMATS]
    linked = [*known.values()]
    # a probe's other format comes when its code is no longer near
    drawn, names = probes(seed), [*FORMATS]
    others = [
        Runner(probe, bench, names[(number + half) % 2])
        for half in range(2)
        for number, probe in enumerate(drawn)
    ]
    visits = [link.visit for _ in range(VISITS) for link in links]
    said = start
    for share in interleaved(
        visits, in_passes(linked, others, pace, start, budget_s), start, budget_s
    ):
        if time.monotonic() > said + SAID_EVERY_S:
            said = time.monotonic()
            yield {"done": share}
    yield {"ops": [runner.facts(pace) for runner in (*linked, *others) if runner.runs.times]}
    yield {"chains": [link.facts(pace) for link in links]}


def interleaved(
    visits: Sequence[Callable[[], None]], tasks: Iterable[None], start: float, budget_s: float
) -> Iterator[float]:
    """Do the tasks, and all visits in between, evenly over the budget; what share of it is over."""
    waiting = list(visits)[::-1]
    for _ in tasks:
        share = (time.monotonic() - start) / budget_s
        while waiting and share > 1 - len(waiting) / len(visits):
            waiting.pop()()
        yield min(1.0, share)
    for visit in waiting[::-1]:  # the tasks were done early
        visit()


def in_passes(
    needed: Sequence[Runner], others: Sequence[Runner], pace: Pace, start: float, budget_s: float
) -> Iterator[None]:
    """Run each until it had one run in quiet, in the next pass two, and so on.

    In the first pass none waits for so long that LEAST_OPS would not be run.
    """
    runners, end = [*needed, *others], start + budget_s
    for enough in range(1, ENOUGH + 1):
        for number, runner in enumerate(runners):
            if time.monotonic() > end and (enough > 1 or number >= len(needed)):
                return
            until = end if enough > 1 else min(end, start + budget_s * number / LEAST_OPS)
            while runner.quiet_runs(pace) < enough:
                runner.run(pace, until)
                yield
                if time.monotonic() > until:
                    break


def _peaks(bench: Bench) -> dict[str, float]:
    """Multiply-accumulates and bytes per second, at best, of a product and of a sum."""
    side = 1024
    first, second = (bench.cut((side, side), torch.contiguous_format) for _ in range(2))
    half = bench.pool[: POOL // 2]
    return {
        "macs_per_s": side**3 / _least(lambda: torch.mm(first, second)),
        "bytes_per_s": 4 * half.numel() / _least(half.sum),
    }


def _least(call: Callable[[], Any], times: int = 6) -> float:
    """Seconds of the shortest of some calls."""
    best = float("inf")
    for _ in range(times):
        start = time.thread_time_ns()
        call()
        best = min(best, (time.thread_time_ns() - start) * 1e-9)
    return best


def answer(request: Any, say: Say) -> None:
    """Measure for so many seconds, and say each fact.

    Raises:
        UnmeasuredError: torch was built without oneDNN.
    """
    # hundreds of kernels are measured in turns, and none shall be made twice
    os.environ["ONEDNN_PRIMITIVE_CACHE_CAPACITY"] = "8192"
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]  # torch's
        raise UnmeasuredError(
            "this torch was built without oneDNN, whose kernels are predicted",
            "install torch from pytorch.org, or `dualcost bench` the models themselves",
        )
    machine = here()  # before this process is pinned to one core
    cores = quiet(threads=1)
    with torch.inference_mode():
        for fact in measured(machine, cores, request["budget_s"], request["seed"]):
            say(fact)


if __name__ == "__main__":
    serve(answer)
