"""A process that lets models run and passes on what oneDNN says about it, op by op.

    python -P -m dualcost.lab.child.explain < race.json

oneDNN prints to the standard output of its process, past Python's: hence a process of its own. It
says on its standard output, one JSON object a line:

    {"stage": …}                        what it is about to do
    {"machine": …}                      once
    {"contender": …, "forwards": [[{"path": …, "op": …, "seconds": …, "lines": […],
                                    "convolution": null or {…}}, …], …]}   for each contender
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from dualcost.errors import DualcostError, UnmeasuredError
from dualcost.lab.child.lanes import WARM_UPS, Call, Loaded, refused
from dualcost.lab.child.quiet import quiet
from dualcost.lab.race import Contender, Race
from dualcost.nn.here import here
from dualcost.process import STDOUT, Say, serve

# Each step has the least of so many times; of slow models, of as many as fit into the seconds.
MOST_FORWARDS, LEAST_FORWARDS, SECONDS = 20, 3, 10.0
NANOSECOND = 1e-9


def answer(request: Any, say: Say) -> None:
    """Let the models of a race run, and say which kernels did."""
    for name in [name for name in os.environ if name.endswith("NN_VERBOSE_TIMESTAMP")]:
        del os.environ[name]  # it would put another field into oneDNN's lines
    for event in events(Race.from_json(request)):
        say(event)


def events(race: Race) -> Iterator[dict[str, Any]]:
    """Load the models of a race, and let each run alone.

    Raises:
        ModelError: one cannot be built, converted or run.
        UnmeasuredError: there is no memory for it, or oneDNN says nothing.
    """
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]  # torch's
        raise UnmeasuredError(
            "this torch has no oneDNN, whose kernels are to be named",
            "install a build of torch with oneDNN: the official ones for x86 and ARM have it",
        )
    conditions = race.conditions
    contenders = [one for one in race.contenders if not one.control]
    yield {"machine": here(conditions.threads, conditions.device).to_json()}
    with torch.inference_mode():
        loaded = Loaded(conditions)
        for contender in contenders:
            yield {"stage": f"loading {contender.name}"}
            loaded.build(contender)
        quiet(conditions.threads)
        yield {"stage": "running both in turn"}
        for index, steps in enumerate(forwards(loaded, contenders)):
            yield {"contender": index, "forwards": steps}


def forwards(loaded: Loaded, contenders: Sequence[Contender]) -> list[list[list[dict[str, Any]]]]:
    """For each contender the steps of some forwards, taken in turn."""
    ready = [(contender, *loaded.call(contender)) for contender in contenders]
    for _ in range(WARM_UPS):
        for one in ready:
            _heard(*one)
    start = time.perf_counter()
    rounds: list[list[list[dict[str, Any]]]] = []
    while len(rounds) < LEAST_FORWARDS or (
        len(rounds) < MOST_FORWARDS and time.perf_counter() - start < SECONDS
    ):
        rounds.append([_heard(*one) for one in ready])
    return [[made[index] for made in rounds] for index in range(len(ready))]


def _heard(contender: Contender, model: nn.Module, call: Call) -> list[dict[str, Any]]:
    """The steps of a forward: timed while oneDNN is silent, as printing takes time, then heard."""
    try:
        with _paths(model) as running:
            timed = _forward(call, running, verbose=False)
            heard = _forward(call, running, verbose=True)
    except DualcostError:
        raise
    except Exception as error:
        raise refused(contender, error) from error
    if [step["op"] for step in timed] != [step["op"] for step in heard]:
        raise UnmeasuredError(
            f"{contender.name} does not run the same ops each time", "explain another model"
        )
    return [{**step, "lines": spoken["lines"]} for step, spoken in zip(timed, heard, strict=True)]


@contextmanager
def _paths(model: nn.Module) -> Iterator[list[str]]:
    """The paths of the modules that run, the innermost last."""
    running = [""]

    def entering(path: str) -> Callable[..., None]:
        return lambda *_: running.append(path)

    def leave(*_: Any) -> None:
        running.pop()

    handles = []
    for path, module in model.named_modules():
        handles.append(module.register_forward_pre_hook(entering(path)))
        handles.append(module.register_forward_hook(leave))
    try:
        yield running
    finally:
        for handle in handles:
            handle.remove()


def _forward(call: Call, running: list[str], *, verbose: bool) -> list[dict[str, Any]]:
    """Run it once: an event for each op, with the lines that oneDNN printed while it ran."""
    with tempfile.TemporaryFile() as heard:
        with (
            _verbose(heard.fileno()) if verbose else nullcontext(),
            _Listener(heard.fileno(), running) as listener,
        ):
            call()
        heard.seek(0)
        text = heard.read()
    ends = [end for _, end in listener.steps]
    starts = [0, *ends[:-1]]
    return [
        {**event, "lines": text[start:end].decode(errors="replace").splitlines()}
        for (event, _), start, end in zip(listener.steps, starts, ends, strict=True)
    ]


@contextmanager
def _verbose(target: int) -> Iterator[None]:
    """Let oneDNN print what it runs, to this file.

    Raises:
        UnmeasuredError: it was built without the words for that.
    """
    kept = os.dup(STDOUT)
    os.dup2(target, STDOUT)
    spoken = torch.backends.mkldnn.verbose(torch.backends.mkldnn.VERBOSE_ON)  # type: ignore[no-untyped-call]  # torch's
    try:
        try:
            spoken.__enter__()  # type: ignore[no-untyped-call]  # torch's
        except AssertionError as error:
            raise UnmeasuredError(
                "the oneDNN of this torch does not say what it runs",
                "install an official build of torch",
            ) from error
        try:
            yield
        finally:
            spoken.__exit__(None, None, None)  # type: ignore[no-untyped-call]  # torch's
    finally:
        os.dup2(kept, STDOUT)
        os.close(kept)


class _Listener(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch's
    """Times every op, and notes how far the file was when it ended (oneDNN flushes each line)."""

    def __init__(self, target: int, running: list[str]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch's
        self.steps: list[tuple[dict[str, Any], int]] = []
        self._target = target
        self._running = running

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        start = time.perf_counter_ns()
        made = func(*args, **(kwargs or {}))
        seconds = (time.perf_counter_ns() - start) * NANOSECOND
        name = func.overloadpacket.__name__
        event = {"path": self._running[-1], "op": name, "seconds": seconds, "convolution": None}
        if name.startswith("conv"):
            event["convolution"] = _convolution(func, args, kwargs or {}, made)
        self.steps.append((event, os.fstat(self._target).st_size))
        return made


def _convolution(
    func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], made: torch.Tensor
) -> dict[str, Any]:
    """The sizes of a call of aten::convolution, or of one of the functions that lead to it."""
    taken = func._schema.arguments
    given = {argument.name: argument.default_value for argument in taken}
    given |= dict(zip(given, args, strict=False)) | kwargs
    return {
        "in_shape": list(given["input"].shape),
        "weight_shape": list(given["weight"].shape),
        "out_shape": list(made.shape),
        # it is an argument of the general one, and in the name of the others
        "transposed": given.get("transposed", "transpose" in func.overloadpacket.__name__),
        "groups": given["groups"],
    }


if __name__ == "__main__":
    serve(answer)
