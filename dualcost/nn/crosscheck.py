"""Independent witnesses of a built model, and what their counts say about ours.

torch    `FlopCounterMode`, on meta tensors; on real ones where those do not suffice
fvcore   `FlopCountAnalysis`, on real tensors, in a process of its own with a time limit
numel    `sum(p.numel())` over the parameters

They run the real (converted) model. Convolutions, linear layers and matrix products must agree to
the integer, or differ by exactly what a witness is known to leave out; the rest is named by op.
"""

from __future__ import annotations

import contextlib
import copy
import json
import subprocess
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from math import prod
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode, flop_registry

from dualcost.errors import DualcostError
from dualcost.nn import sources
from dualcost.nn.build import build
from dualcost.nn.convert import convert
from dualcost.nn.inputs import make_inputs
from dualcost.nn.trace import SEED, ValuesNeededError
from dualcost.profiles import Profile
from dualcost.rewrite import Rewrite
from dualcost.site import CONVOLUTION, LINEAR, MATMUL, Network, Op, TensorSpec

TORCH, FVCORE, NUMEL = "torch", "fvcore", "numel"
AGREES, EXPLAINED, UNEXPLAINED = "agrees", "explained", "unexplained"
LIMIT_S = 300.0

# What the ops of the witnesses are, by their own names.
GROUPS: dict[str, str] = {
    **dict.fromkeys(("conv", "convolution", "_convolution"), CONVOLUTION),
    **dict.fromkeys(("linear", "addmm", "mm"), LINEAR),
    **dict.fromkeys(("matmul", "bmm", "baddbmm", "einsum", "attention"), MATMUL),
    "_scaled_dot_product_flash_attention": MATMUL,
    "_scaled_dot_product_flash_attention_for_cpu": MATMUL,
}
# What fvcore counts besides (fvcore/nn/flop_count.py, 0.1.5), in words.
BESIDES = {
    "batch_norm": "batch norm",
    "group_norm": "group norm",
    "layer_norm": "layer norm",
    "instance_norm": "instance norm",
    "upsample_nearest2d": "nearest-neighbour resizing",
    "upsample_bilinear2d": "bilinear resizing",
    "adaptive_avg_pool2d": "adaptive average pooling",
    "grid_sampler": "grid sampling",
}
_COUNTED_BY_TORCH = frozenset(str(op).rpartition(".")[2] for op in flop_registry)
# Layers that are one op to fvcore's tracer.
RECURRENT = ("lstm", "gru", "rnn_tanh", "rnn_relu")


@dataclass(frozen=True)
class Witness:
    """What one counter says.

    Attributes:
        name: TORCH or FVCORE.
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


@dataclass(frozen=True)
class Check:
    """One quantity as we have it and as a witness has it, and a verdict with its reason."""

    quantity: str
    witness: str
    ours: int
    theirs: int
    verdict: str
    why: str = ""

    @property
    def difference(self) -> int:
        """Theirs less ours."""
        return self.theirs - self.ours


def live(
    name: str, inputs: Sequence[TensorSpec], asked: Rewrite | None, *, weights: bool = False
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
    network: Network, asked: Rewrite | None, limit_s: float = LIMIT_S
) -> tuple[list[Witness], int]:
    """Both counters' word on a network's real model, and the parameters that it has.

    Raises:
        ModelError: the model cannot be built or converted.
    """
    with in_child(network, asked) as answer:
        model, listed = live(network.name, network.inputs, asked)
        try:
            counted = count_with_torch(model, network.inputs, listed=listed)
        except Exception:  # meta tensors do not suffice
            counted = _on_real_tensors(network, asked)
        numel = sum(parameter.numel() for parameter in model.parameters())
        return [counted, answer(limit_s)], numel


def _on_real_tensors(network: Network, asked: Rewrite | None) -> Witness:
    model, listed = live(network.name, network.inputs, asked, weights=True)
    try:
        return count_with_torch(model, network.inputs, listed=listed, device="cpu")
    except Exception as error:
        return _failed(TORCH, error)


def _failed(name: str, error: Exception) -> Witness:
    text = next(iter(str(error).strip().splitlines()), "")
    return Witness(name, {}, failure=f"{type(error).__name__}: {text[:200]}")


@contextlib.contextmanager
def in_child(network: Network, asked: Rewrite | None) -> Iterator[Callable[[float], Witness]]:
    """Let fvcore count in a process of its own meanwhile; its answer is waited for that long."""
    request = {
        "name": network.name,
        "inputs": [asdict(spec) for spec in network.inputs],
        "rewrite": _words(asked) if asked else None,
    }
    with subprocess.Popen(
        [sys.executable, "-m", "dualcost.nn.crosscheck", json.dumps(request)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as child:

        def answer(limit_s: float) -> Witness:
            try:
                said, _ = child.communicate(timeout=limit_s)
                return Witness(FVCORE, **json.loads(said))
            except subprocess.TimeoutExpired:
                failure = f"it took longer than {limit_s:g} s"
            except (ValueError, TypeError):
                failure = f"its process ended with {child.returncode}, without an answer"
            return Witness(FVCORE, {}, failure=failure)

        try:
            yield answer
        finally:
            child.kill()


def _words(asked: Rewrite) -> dict[str, Any]:
    """A rewrite as `Rewrite.parse` reads it."""
    letter = {asked.kind.letter: asked.divisor} if asked.kind.letter else {}
    return {
        "conv": asked.kind.name,
        "where": str(asked.rule),
        "indivisible": str(asked.indivisible),
        "bias": asked.bias,
        "but": [str(exemption) for exemption in asked.exemptions],
        **letter,
    }


def answer_request(text: str) -> str:
    """What the child process does: build the model with weights, count, and say it in JSON."""
    request = json.loads(text)
    words = request["rewrite"]
    asked = Rewrite.parse(**{**words, "but": tuple(words["but"])}) if words else None
    inputs = [TensorSpec(**{**spec, "shape": tuple(spec["shape"])}) for spec in request["inputs"]]
    try:
        model, listed = live(request["name"], inputs, asked, weights=True)
        witness = count_with_fvcore(model, inputs, listed=listed)
    except DualcostError as error:
        witness = Witness(FVCORE, {}, failure=error.message)
    said = asdict(witness)
    del said["name"]
    return json.dumps(said)


def compare(
    profile: Profile, network: Network, said: Sequence[Witness], numel: int
) -> tuple[Check, ...]:
    """Hold a profile's totals (convention "torch") against the witnesses that could count.

    The ops of `network` explain what they leave out; `numel` is of the built model's parameters.
    """
    ours = profile.after.params
    checks = [Check("parameters", NUMEL, ours, numel, AGREES if ours == numel else UNEXPLAINED)]
    for witness in said:
        if not witness.failure:
            checks += _products(profile, network, witness)
            checks += _besides(witness)
    return tuple(checks)


def _products(profile: Profile, network: Network, witness: Witness) -> list[Check]:
    """Convolutions, linear layers and matrix products, which must agree."""
    found = []
    for group in (CONVOLUTION, LINEAR, MATMUL):
        ours = sum(row.after.macs for row in profile.rows if row.group == group)
        theirs = witness.macs(group)
        verdict = AGREES if ours == theirs else UNEXPLAINED
        check = Check(group, witness.name, ours, theirs, verdict)
        left_out = _left_out(network, witness, (group,))
        if check.difference and check.difference == -sum(left_out.values()):
            check = replace(check, verdict=EXPLAINED, why=_leaves_out(witness, left_out))
        if check.verdict == UNEXPLAINED and network.notes and profile.rewrite is not None:
            why = "what runs depends on values, and new weights make others"
            check = replace(check, verdict=EXPLAINED, why=why)
        if check.ours or check.theirs:
            found.append(check)
    return _together(network, witness, found)


def _together(network: Network, witness: Witness, checks: list[Check]) -> list[Check]:
    """Who cannot see which factors are learnt may agree on linear and matmul only as a sum."""
    both = [check for check in checks if check.quantity in (LINEAR, MATMUL)]
    left_out = _left_out(network, witness, (LINEAR, MATMUL))
    difference = sum(check.difference for check in both)
    if all(check.verdict != UNEXPLAINED for check in both) or difference != -sum(left_out.values()):
        return checks
    why = f"{witness.name} does not know which factors are learnt: linear and matmul together agree"
    if left_out:
        why += f", and {_leaves_out(witness, left_out)}"
    return [
        replace(c, verdict=EXPLAINED, why=why) if c in both and c.difference else c for c in checks
    ]


def _left_out(network: Network, witness: Witness, groups: Sequence[str]) -> dict[str, int]:
    """MACs of the ops of some groups that this witness is known not to count, by name."""
    found: Counter[str] = Counter()
    for op in network.ops:
        if op.macs and op.group in groups and (name := _unknown_to(witness, op)):
            found[name] += op.macs
    return dict(found)


def _unknown_to(witness: Witness, op: Op) -> str:
    """What a witness would call an op of ours that it does not count; "" if it counts it."""
    name = op.name.rstrip("_")
    if witness.name == TORCH:
        return "" if name in _COUNTED_BY_TORCH else name
    if op.module in ("LSTM", "GRU", "RNN"):
        return next((missed for missed in witness.missed if missed in RECURRENT), "")
    name = {"_trilinear": "bilinear"}.get(name, name)
    return name if name in witness.missed else ""


def _leaves_out(witness: Witness, left_out: dict[str, int]) -> str:
    named = ", ".join(f"{name}: -{macs:,}" for name, macs in left_out.items())
    return f"{witness.name} does not count {named}"


def _besides(witness: Witness) -> Iterator[Check]:
    """Whatever else a witness counts; by our convention these are no multiply-accumulates."""
    for op, macs in witness.counts.items():
        if op in GROUPS or not macs:
            continue
        known = BESIDES.get(op, "")
        why = f"{witness.name} counts {known}: +{macs:,}" if known else ""
        yield Check(op, witness.name, 0, macs, EXPLAINED if known else UNEXPLAINED, why)


if __name__ == "__main__":
    with contextlib.redirect_stdout(sys.stderr):  # what the user's code prints is no answer
        answered = answer_request(sys.argv[1])
    print(answered)
