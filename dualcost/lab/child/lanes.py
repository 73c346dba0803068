"""Lanes: how one contender of a race is loaded, warmed up, and run once.

On the processor a forward is cut into segments by the stamps of its layers. On a GPU a sample is
the median burst of forwards between CUDA events; eagerly, and replayed from a CUDA graph, which
takes the launching of kernels out of the time.
"""

from __future__ import annotations

import copy
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from statistics import median
from typing import Any

import torch
from torch import nn
from torch.utils._pytree import tree_map

from dualcost.errors import ModelError, UnmeasuredError
from dualcost.lab.child.homes import Homes
from dualcost.lab.child.stamps import Stamps
from dualcost.lab.measurement import BETWEEN, Sample
from dualcost.lab.race import COMPILED, EAGER, GRAPH, Conditions, Contender, Race, Variant
from dualcost.nn.convert.convert import convert
from dualcost.nn.sources.build import build
from dualcost.nn.sources.sources import find
from dualcost.nn.trace.inputs import make_inputs
from dualcost.nn.trace.trace import SEED

WARM_UPS = 2
WARM_UP_S = 0.025  # on a GPU, at least
BURST_S = 0.005  # of forwards between two events, at least: one alone waits for its launch
REPEATED_S = 0.1  # of bursts in one sample on a GPU, at least
NANOSECOND = 1e-9

Call = Callable[[], Any]
_Key = tuple[str, Variant, bool]


def _key(contender: Contender) -> _Key:
    return contender.model, contender.variant, contender.control


class Loaded:
    """The models of a race, each built once, and the same input for all that take the same.

    Args:
        conditions: what dtype, device and memory format they get.
    """

    def __init__(self, conditions: Conditions) -> None:
        self.conditions = conditions
        self._models: dict[_Key, nn.Module] = {}
        self._calls: dict[_Key, Call] = {}
        self._plain: dict[str, nn.Module] = {}

    def build(self, contender: Contender) -> None:
        """Make its model; all must be made before one is called, as that places it.

        Raises:
            ModelError: it cannot be built or converted.
            UnmeasuredError: there is no memory for it.
        """
        key = _key(contender)
        if key not in self._models:  # the modes of a contender share it
            try:
                self._models[key] = self._built(contender)
            except (MemoryError, RuntimeError) as error:
                raise refused(contender, error) from error

    def call(self, contender: Contender) -> tuple[nn.Module, Call]:
        """The model of a contender where it runs, and its forward without arguments.

        From the first call on, none is built any more.

        Raises:
            UnmeasuredError: there is no memory for it.
        """
        self._plain.clear()
        key = _key(contender)
        model = self._models[key]
        if key not in self._calls:
            try:
                self._calls[key] = self._forward(self._placed(model), contender)
            except (MemoryError, RuntimeError) as error:
                raise refused(contender, error) from error
        return model, self._calls[key]

    def _forward(self, model: nn.Module, contender: Contender) -> Call:
        args, kwargs = self._inputs(contender)
        runs = _compiled(model) if self.conditions.compile else model
        return lambda: runs(*args, **kwargs)

    def _built(self, contender: Contender) -> nn.Module:
        source = find(contender.model)
        if contender.model not in self._plain:
            made = build(source.factory, contender.model, weights=True).eval()
            self._plain[contender.model] = made
        plain = self._plain[contender.model]
        asked = contender.variant.request
        if asked is None:
            # a copy, as converted ones are: what never was one finds its attributes faster
            return copy.deepcopy(plain)
        return convert(
            plain,
            asked,
            contender.inputs,
            listed=source.listed,
            implementation=contender.variant.implementation,
        )

    def _placed(self, model: nn.Module) -> nn.Module:
        conditions = self.conditions
        placed = model.to(conditions.device, getattr(torch, conditions.dtype)).eval()
        if conditions.channels_last:
            placed = placed.to(memory_format=torch.channels_last)
        return placed

    def _inputs(self, contender: Contender) -> tuple[list[Any], dict[str, Any]]:
        torch.manual_seed(SEED)
        listed = find(contender.model).listed
        made = make_inputs(contender.inputs, torch.device(self.conditions.device), listed)
        args, kwargs = tree_map(self._as_asked, made)
        return args, kwargs

    def _as_asked(self, leaf: Any) -> Any:
        if not isinstance(leaf, torch.Tensor) or not leaf.is_floating_point():
            return leaf
        tensor = leaf.to(getattr(torch, self.conditions.dtype))
        if self.conditions.channels_last and tensor.dim() == 4:
            tensor = tensor.to(memory_format=torch.channels_last)
        return tensor


class Lane:
    """One contender, loaded; eager or compiled, on the processor."""

    def __init__(self, contender: Contender, model: nn.Module, call: Call, threads: int) -> None:
        self.contender = contender
        self.model = model
        self.call = call
        self.ready = False
        self.places: list[str] = [BETWEEN]
        # another thread's time is not this thread's
        self._clock = time.thread_time_ns if threads == 1 else time.perf_counter_ns

    def warm_up(self) -> str:
        """Run it until its time is its own; why it cannot take part, or "".

        Raises:
            ModelError: its forward raises.
            UnmeasuredError: there is no memory for it, or it cannot be compiled.
        """
        for _ in range(WARM_UPS):
            self._first(self.call)
        self.ready = True
        return ""

    def _first(self, call: Call) -> None:
        try:
            call()
        except Exception as error:
            raise refused(self.contender, error) from error

    def move(self) -> None:
        """Take its weights to another place in memory, if that can be done."""

    def sample(self) -> Sample:
        """Run it once; again, where its clock says that no time has passed."""
        with self._prepared():
            segments = [0]
            while not sum(segments):
                before = _interruptions()
                start_ns = time.perf_counter_ns()
                segments = self._timed()
                wall_ns = time.perf_counter_ns() - start_ns
                interruptions = _interruptions() - before
        segments_s = tuple(nanoseconds * NANOSECOND for nanoseconds in segments)
        return Sample(segments_s, wall_ns * NANOSECOND, interruptions)

    def _prepared(self) -> AbstractContextManager[None]:
        return nullcontext()

    def _timed(self) -> list[int]:
        start_ns = self._clock()
        self.call()
        return [self._clock() - start_ns]


def _interruptions() -> int:
    """How often the system has taken the processor away from this process.

    Asked for right before a forward, so that it must leave the caches alone.
    """
    if sys.platform == "win32":
        import psutil

        return int(psutil.Process().num_ctx_switches().involuntary)
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw


class StampedLane(Lane):
    """One contender on the processor, eager, cut into segments; its weights have several homes."""

    def __init__(self, contender: Contender, model: nn.Module, call: Call, race: Race) -> None:
        super().__init__(contender, model, call, race.conditions.threads)
        self._stamps = Stamps(model, self._clock, layers=race.by_layer)
        self._homes = Homes(model, race.homes) if race.homes else None

    def warm_up(self) -> str:
        """As every lane; then the layers are chosen that stamp."""
        super().warm_up()
        self._stamps.choose(self.call)
        with self._stamps.on():
            _, self.places = self._stamps.forward(self.call)
        return ""

    def move(self) -> None:
        """To the next home."""
        if self._homes:
            self._homes.move()

    def _prepared(self) -> AbstractContextManager[None]:
        return self._stamps.on()

    def _timed(self) -> list[int]:
        segments, _ = self._stamps.forward(self.call)
        return segments


class CudaLane(Lane):
    """One contender on a GPU: each sample is the median burst between events."""

    def warm_up(self) -> str:
        """Run it until the GPU is awake and cuDNN has chosen, and see how often a burst runs it.

        A graph that cannot be captured is left out, and the reason is returned.
        """
        for _ in range(WARM_UPS):
            self._first(self.call)
        if self.contender.mode == GRAPH and (why := self._capture()):
            return why
        torch.cuda.synchronize()
        start, count = time.perf_counter(), 0
        while (passed := time.perf_counter() - start) < WARM_UP_S:
            self.call()
            torch.cuda.synchronize()
            count += 1
        each_s = passed / count
        self._burst = int(BURST_S / each_s) + 1
        bursts = int(REPEATED_S / (self._burst * each_s)) + 1
        self._events = [(_event(), _event()) for _ in range(bursts)]
        self.ready = True
        return ""

    def _capture(self) -> str:
        """Let the call be the replay of a captured graph; why it cannot be, or ""."""
        call, graph = self.call, torch.cuda.CUDAGraph()
        try:
            side = torch.cuda.Stream()  # type: ignore[no-untyped-call]  # torch's
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):
                call()
            torch.cuda.current_stream().wait_stream(side)
            with torch.cuda.graph(graph):
                call()
        except RuntimeError as error:
            return f"{self.contender.name}: no CUDA graph: {str(error).splitlines()[0]}"
        self.call = graph.replay
        return ""

    def sample(self) -> Sample:
        """Run it again and again: the median time between its events, by the GPU's own clock."""
        for start, end in self._events:
            start.record()
            for _ in range(self._burst):
                self.call()
            end.record()
        torch.cuda.synchronize()
        times_ms = [start.elapsed_time(end) for start, end in self._events]
        seconds = median(times_ms) / self._burst / 1000
        return Sample((seconds,), seconds)


def _event() -> torch.cuda.Event:
    return torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]  # torch's


def lane(loaded: Loaded, contender: Contender, race: Race) -> Lane:
    """Take a contender that was built to the lane of its device and mode.

    Raises:
        UnmeasuredError: there is no memory for it.
    """
    model, call = loaded.call(contender)
    if race.conditions.device == "cuda":
        return CudaLane(contender, model, call, 0)
    if contender.mode == EAGER:
        try:
            return StampedLane(contender, model, call, race)
        except (MemoryError, RuntimeError) as error:  # its homes do not fit
            raise refused(contender, error) from error
    return Lane(contender, model, call, race.conditions.threads)


def _compiled(model: nn.Module) -> Callable[..., Any]:
    """The model compiled for this input alone, its weights taken for constants."""
    import torch._dynamo
    import torch._inductor.config

    torch._inductor.config.freezing = True
    # one entry for each contender: they share the code of their forward
    torch._dynamo.config.recompile_limit = 256
    return torch.compile(model, dynamic=False)


def refused(contender: Contender, error: Exception) -> ModelError | UnmeasuredError:
    """What a user is told of an exception that a contender raised."""
    first = (str(error).strip() or type(error).__name__).splitlines()[0]
    if isinstance(error, MemoryError | torch.OutOfMemoryError) or "allocate memory" in first:
        return UnmeasuredError(
            f"{contender.name} does not fit into memory: {first}",
            "try a smaller --batch or --input, or fewer variants",
        )
    if contender.mode == COMPILED and type(error).__module__.startswith("torch."):
        return UnmeasuredError(
            f"{contender.name} cannot be compiled: {first}",
            "torch.compile needs a C++ compiler on the processor; or leave --compile out",
        )
    return ModelError(
        f"{contender.name} cannot be run: {type(error).__name__}: {first}",
        "say another input with --input, or another --dtype",
    )
