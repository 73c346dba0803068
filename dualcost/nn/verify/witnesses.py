"""Independent witnesses that count a built model.

torch    `FlopCounterMode`, on meta tensors; on real ones where those do not suffice
fvcore   `FlopCountAnalysis`, on real tensors
numel    `sum(p.numel())` over the parameters
others   ptflops, thop, torchinfo and calflops, on real tensors, where they are installed

They run the real (converted) model; each that needs real tensors in a process of its own with a
time limit.
"""

from __future__ import annotations

import contextlib
import copy
import subprocess
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from math import prod
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from dualcost import process
from dualcost.errors import DualcostError
from dualcost.network.network import CONVOLUTION, LINEAR, MATMUL, Network, TensorSpec
from dualcost.nn.convert.convert import convert
from dualcost.nn.sources import sources
from dualcost.nn.sources.build import build
from dualcost.nn.trace.inputs import make_inputs
from dualcost.nn.trace.trace import SEED, ValuesNeededError
from dualcost.nn.verify import counters
from dualcost.process import Say
from dualcost.rewrite.request import Request

TORCH, FVCORE, NUMEL = "torch", "fvcore", "numel"
WHOLE = "whole network"  # what is counted by those who give one number
LIMIT_S = 300.0

# What the ops of the witnesses are, by their own names.
GROUPS: dict[str, str] = {
    **dict.fromkeys(("conv", "convolution", "_convolution"), CONVOLUTION),
    **dict.fromkeys(("linear", "addmm", "mm"), LINEAR),
    **dict.fromkeys(("matmul", "bmm", "baddbmm", "einsum", "attention"), MATMUL),
    "_scaled_dot_product_flash_attention": MATMUL,
    "_scaled_dot_product_flash_attention_for_cpu": MATMUL,
}


@dataclass(frozen=True)
class Witness:
    """What one counter says.

    Attributes:
        name: TORCH, FVCORE, or one of `counters.COUNTERS`.
        counts: MACs by op, as the counter calls it.
        missed: ops that ran and that it does not count.
        failure: why it could not count; "" if it could.
    """

    name: str
    counts: dict[str, int]
    missed: tuple[str, ...] = ()
    failure: str = ""

    def macs(self, group: str) -> int:
        """Its multiply-accumulates in one group."""
        return sum(macs for op, macs in self.counts.items() if GROUPS.get(op) == group)


def live(
    name: str, inputs: Sequence[TensorSpec], asked: Request | None, *, weights: bool = False
) -> tuple[nn.Module, bool]:
    """The real model of a network's name, converted if asked; and whether it takes a list.

    Raises:
        ModelError: it cannot be built or converted.
    """
    source = sources.find(name)
    model = build(source.factory, source.name, weights=weights)
    if asked is not None:
        try:
            model = convert(model, asked, inputs, listed=source.listed)
        except ValuesNeededError:
            return live(name, inputs, asked, weights=True)
    for module in model.modules():
        module.training = False
    return model, source.listed


@contextlib.contextmanager
def _ready() -> Iterator[None]:
    """No gradients, no warnings, attention unfused (its fused path hides its products), a seed."""
    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with torch.no_grad(), warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
            warnings.simplefilter("ignore")
            torch.manual_seed(SEED)
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)


def count_with_torch(
    model: nn.Module, inputs: Sequence[TensorSpec], *, listed: bool = False, device: str = "meta"
) -> Witness:
    """What `FlopCounterMode` counts: two FLOPs per multiply-accumulate.

    Raises:
        Exception: whatever the model raises on that device.
    """
    if any(str(p.device) != device for p in model.parameters()):
        model = copy.deepcopy(model).to(device)
    with _ready():
        args, kwargs = make_inputs(inputs, torch.device(device), listed)
        with FlopCounterMode(display=False) as counter:
            model(*args, **kwargs)
    flops = counter.get_flop_counts().get("Global", {})
    counts = {str(op).rpartition(".")[2]: int(number) // 2 for op, number in flops.items()}
    return Witness(TORCH, counts)


def count_with_fvcore(
    model: nn.Module, inputs: Sequence[TensorSpec], *, listed: bool = False
) -> Witness:
    """What `FlopCountAnalysis` counts; its "flops" are multiply-accumulates. Real tensors only."""
    from fvcore.nn import FlopCountAnalysis

    if any(spec.name for spec in inputs):
        return Witness(FVCORE, {}, failure="it takes no inputs by name")
    try:
        with _ready():
            args, _ = make_inputs(inputs, torch.device("cpu"), listed)
            analysis = FlopCountAnalysis(model, tuple(args))
            analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
            analysis.tracer_warnings("none").set_op_handle(**_HANDLES)
            counts = analysis.by_operator()
            missed = analysis.unsupported_ops()
    except Exception as error:  # its tracer has many limits, none of which is ours
        return _failed(FVCORE, error)
    return Witness(
        FVCORE,
        {op: int(macs) for op, macs in counts.items() if macs},
        tuple(sorted(op.removeprefix("aten::") for op in missed)),
    )


def count_with_another(
    name: str, model: nn.Module, inputs: Sequence[TensorSpec], *, listed: bool = False
) -> Witness:
    """What one of the counters that may be installed says of the whole; real tensors only."""
    if any(spec.name for spec in inputs):
        return Witness(name, {}, failure="it takes no inputs by name")
    try:
        with _ready():
            args, _ = make_inputs(inputs, torch.device("cpu"), listed)
            return Witness(name, {WHOLE: counters.count(name, model, args)})
    except Exception as error:  # the same limits
        return _failed(name, error)


def _shapes(values: Sequence[Any]) -> list[tuple[int, ...]]:
    return [tuple(value.type().sizes() or ()) for value in values]


def _string_padded(inputs: Sequence[Any], outputs: Sequence[Any]) -> Counter[str]:
    """aten::_convolution_mode: padding="same" or "valid"."""
    weight, out = *_shapes(inputs[1:2]), *_shapes(outputs[:1])
    return Counter({"conv": out[0] * prod(out[2:]) * prod(weight)})


def _attention(inputs: Sequence[Any], outputs: Sequence[Any]) -> Counter[str]:
    """aten::scaled_dot_product_attention: query · keyᵀ, and the scores · value."""
    query, key, value = _shapes(inputs[:3])
    return Counter({"attention": prod(query[:-1]) * key[-2] * (query[-1] + value[-1])})


def _batched(inputs: Sequence[Any], outputs: Sequence[Any]) -> Counter[str]:
    """aten::baddbmm: (b, n, k) · (b, k, m), added to something."""
    first, second = _shapes(inputs[1:3])
    return Counter({"baddbmm": prod(first) * second[-1]})


# What fvcore would count as nothing.
_HANDLES: dict[str, Callable[[Sequence[Any], Sequence[Any]], Counter[str]]] = {
    "aten::_convolution_mode": _string_padded,
    "aten::scaled_dot_product_attention": _attention,
    "aten::baddbmm": _batched,
}


def witnesses(
    network: Network, asked: Request | None, limit_s: float = LIMIT_S
) -> tuple[list[Witness], int]:
    """All counters' word on a network's real model, and the parameters that it has.

    Raises:
        ModelError: the model cannot be built or converted.
    """
    with in_child(network, asked, FVCORE) as answer:
        model, listed = live(network.name, network.inputs, asked)
        try:
            counted = count_with_torch(model, network.inputs, listed=listed)
        except Exception:  # meta tensors do not suffice
            counted = _on_real_tensors(network, asked)
        numel = sum(parameter.numel() for parameter in model.parameters())
        said = [counted, answer(limit_s)]
    for name in counters.installed():
        with in_child(network, asked, name) as answer:
            said.append(answer(limit_s))
    return said, numel


def _on_real_tensors(network: Network, asked: Request | None) -> Witness:
    model, listed = live(network.name, network.inputs, asked, weights=True)
    try:
        return count_with_torch(model, network.inputs, listed=listed, device="cpu")
    except Exception as error:
        return _failed(TORCH, error)


def _failed(name: str, error: Exception) -> Witness:
    text = next(iter(str(error).strip().splitlines()), "")
    return Witness(name, {}, failure=f"{type(error).__name__}: {text[:200]}")


@contextlib.contextmanager
def in_child(
    network: Network, asked: Request | None, counter: str
) -> Iterator[Callable[[float], Witness]]:
    """Let one count in a process of its own meanwhile; its answer is waited for that long."""
    request = {
        "counter": counter,
        "name": network.name,
        "inputs": [asdict(spec) for spec in network.inputs],
        "rewrite": asked.words() if asked else None,
    }
    with process.started("dualcost.nn.verify.witnesses", request, {}) as child:

        def answer(limit_s: float) -> Witness:
            try:
                text, _ = child.communicate(timeout=limit_s)
                return Witness(counter, **process.read(text))
            except subprocess.TimeoutExpired:
                failure = f"it took longer than {limit_s:g} s"
            except DualcostError as error:
                failure = error.message
            except (ValueError, TypeError):
                failure = f"its process ended with {child.returncode}, without an answer"
            return Witness(counter, {}, failure=failure)

        yield answer


def answer_request(request: Any, say: Say) -> None:
    """What the child process does: build the model with weights, count, and say the counts.

    Raises:
        ModelError: the model cannot be built or converted.
    """
    words = request["rewrite"]
    rewrite = Request.parse(**words) if words else None
    inputs = [TensorSpec(**{**spec, "shape": tuple(spec["shape"])}) for spec in request["inputs"]]
    model, listed = live(request["name"], inputs, rewrite, weights=True)
    if request["counter"] == FVCORE:
        witness = count_with_fvcore(model, inputs, listed=listed)
    else:
        witness = count_with_another(request["counter"], model, inputs, listed=listed)
    counts = asdict(witness)
    del counts["name"]
    say(counts)


if __name__ == "__main__":
    process.serve(answer_request)
