"""The program that measures single ops in the state in which a network runs them.

`python -m dualcost.nn.probing` runs in a process of its own (`nn/calibrate.py` starts it), reads
{"budget_s": …, "seed": …} and writes JSON lines. An op's input has just been written by the op
before it; its code has run before; its weights come from memory, and once more from the last-level
cache, as no network of some size keeps them in a core's own. Rounds go through many ops before one
comes again, and all ops come in several passes (`measurement.calm` says what counts).
"""

from __future__ import annotations

import copy
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from functools import partial
from math import prod
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dualcost.child import error_event
from dualcost.errors import DualcostError, UnmeasuredError
from dualcost.machine import Machine
from dualcost.measurement import calm, least
from dualcost.nn.machine import here
from dualcost.nn.probes import Chain, Probe, chains, probes, weighted
from dualcost.nn.quiet import quiet
from dualcost.nn.stamps import Stamps
from dualcost.site import ConvSite
from dualcost.workload import workload

FORMATS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}
POOL = 1 << 27  # elements (512 MiB) that weights and inputs are cut out of
L2_BYTES = 1 << 20  # where the machine does not tell
TOGETHER = 32  # ops measured in turns
PASSES = 12  # at most: a machine is disturbed for seconds, so that rounds are spread over the time
FIRST_PASS = 0.6  # of the budget, at most for the first pass, in which kernels are made
WARM_UPS, CHAIN_ROUNDS, CHAIN_S = 1, 2, 0.06  # of a chain, in each pass: as often as fits, at least


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


class Runner:
    """One op in one memory format, ready to run."""

    def __init__(self, probe: Probe, bench: Bench, name: str) -> None:
        self.probe, self.bench = probe, bench
        self.name, self.format = name, FORMATS[name]
        self.module = probe.module or _module(probe)
        self.sources = [bench.cut(shape, self.format) for shape in probe.inputs]
        self.weighted = weighted(probe)
        # maxima are found faster where they are where the processor expects them: the maps of a
        # network differ more between channels than within one
        self.levels: Tensor | None = None
        if probe.family == "max_pool":
            self.levels = torch.rand(1, probe.inputs[0][1], 1, 1) * 2 - 1

    def round(self) -> tuple[float, float]:
        """Its seconds with weights from the shared cache, and from memory.

        A run before these brings its code into the caches, where networks have it, and makes the
        kernel at first.
        """
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
        """An input as the op before it leaves it: new, and not negative."""
        if self.levels is None:
            return torch.relu(source)
        return torch.add(self.levels, source, alpha=0.5).relu_()

    def _once(self, weights: dict[str, nn.Parameter] | None = None) -> float:
        for name, parameter in (weights or {}).items():
            setattr(self.module, name, parameter)
        inputs = [self._written(source) for source in reversed(self.sources)][::-1]
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


class Turn:
    """Ops that are measured one after another, in some rounds."""

    def __init__(self, runners: Sequence[Runner]) -> None:
        self.runners = runners
        self.rounds: list[list[tuple[float, float]]] = []

    def round(self) -> None:
        """Time each of them."""
        self.rounds.append([runner.round() for runner in self.runners])

    def facts(self) -> list[dict[str, Any]]:
        """What was measured of each, as plain data."""
        rounds = np.array(self.rounds)
        times = calm(rounds.reshape(len(rounds), -1)).reshape(-1, 2)
        return [
            {
                "format": runner.name,
                "workload": asdict(workload(runner.probe.op)),
                "warm_s": float(warm),
                "cold_s": float(cold),
            }
            for runner, (warm, cold) in zip(self.runners, times, strict=True)
        ]


def measured(machine: Machine, budget_s: float, seed: int) -> Iterator[dict[str, Any]]:
    """Measure until all ops are, or the budget is spent; then say what was measured."""
    start = time.monotonic()
    bench = Bench(machine.l2_bytes)
    yield {"machine": machine.to_json(), "peaks": _peaks(bench)}
    runners = [Runner(probe, bench, name) for probe in probes(seed) for name in FORMATS]
    turns = [Turn(runners[first : first + TOGETHER]) for first in range(0, len(runners), TOGETHER)]
    links = [Link(chain, bench, name) for chain in chains(seed) for name in FORMATS]
    for turn in _in_passes(turns, links, start, budget_s):
        turn.round()
        yield {"done": min(1.0, (time.monotonic() - start) / budget_s)}
    for turn in (*turns, *(link.turn for link in links)):
        if turn.rounds:
            yield {"ops": turn.facts()}
    yield {"chains": [link.facts() for link in links]}


def _in_passes(
    turns: list[Turn], links: list[Link], start: float, budget_s: float
) -> Iterator[Turn]:
    """Every turn once, as far as the first pass may take; then those again while there is time."""
    for turn in turns:
        if turn is not turns[0] and time.monotonic() > start + FIRST_PASS * budget_s:
            break
        yield turn
    turns = [turn for turn in turns if turn.rounds]
    for _ in range(PASSES):
        for link in links:
            link.round()
        for turn in turns:
            if time.monotonic() > start + budget_s:
                return
            yield turn


class Link:
    """A chain in one memory format: timed as a whole, as networks are, and op by op."""

    def __init__(self, chain: Chain, bench: Bench, name: str) -> None:
        self.name, self._bench = name, bench
        self.turn = Turn([Runner(probe, bench, name) for probe in chain.probes])
        format = FORMATS[name]
        model = copy.deepcopy(chain.model).to(memory_format=format)
        image = torch.rand(chain.input).to(memory_format=format)
        self._call: Callable[[], Tensor] = partial(model, image)
        self._stamps = Stamps(model, time.thread_time_ns, layers=False)
        self._forwards: list[list[int]] = []

    def round(self) -> None:
        """Time it some times, and its ops once."""
        for _ in range(WARM_UPS):
            self._call()
        if not self._forwards:
            self._stamps.choose(self._call)
        self.turn.round()
        end, least_rounds = time.monotonic() + CHAIN_S, len(self._forwards) + CHAIN_ROUNDS
        with self._stamps.on():
            while len(self._forwards) < least_rounds or time.monotonic() < end:
                self._bench.sweep()
                segments, _ = self._stamps.forward(self._call)
                self._forwards.append(segments)

    def facts(self) -> dict[str, Any]:
        """What was measured, as plain data."""
        ops = self.turn.facts()
        return {
            "format": self.name,
            "seconds": float(least(np.array(self._forwards, float)).sum()) * 1e-9,
            "warm_s": sum(op["warm_s"] for op in ops),
            "cold_s": sum(op["cold_s"] for op in ops),
            "weights": sum(op["workload"]["weights"] for op in ops),
            "layers": len(ops),
        }


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


def main() -> None:
    """Read what is asked for from standard input; each fact is a line of standard output."""
    said = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library prints is no fact
    # hundreds of kernels are measured in turns, and none shall be made twice
    os.environ["ONEDNN_PRIMITIVE_CACHE_CAPACITY"] = "8192"
    asked = json.load(sys.stdin)
    try:
        if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]  # torch's
            raise UnmeasuredError(
                "this torch was built without oneDNN, whose kernels are predicted",
                "install torch from pytorch.org, or `dualcost bench` the models themselves",
            )
        machine = here()  # before this process is pinned to one core
        quiet(threads=1)
        with torch.inference_mode():
            for fact in measured(machine, asked["budget_s"], asked["seed"]):
                said.write(json.dumps(fact) + "\n")
    except DualcostError as error:
        said.write(json.dumps(error_event(error)) + "\n")


if __name__ == "__main__":
    main()
