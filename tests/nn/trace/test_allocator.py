"""Memory on real runs: what torch's own allocator sees, and how long real tensors live."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any

import pytest
import torch
import torchvision
from support.families import in_turn
from support.models import Forward, floats, integers, tensor_of, vision_transformer
from torch import nn
from torch.profiler import ProfilerActivity
from torch.profiler import profile as torch_profile

from dualcost.costs.memory import peak
from dualcost.network.network import Network, Op, TensorSpec
from dualcost.nn.trace.trace import _trace_real, trace

# --- torch's own allocator


@dataclass(frozen=True)
class Allocation:
    """Memory that was taken (+) or given back (−), and the aten op during which it was."""

    nbytes: int
    address: int
    during: int | None


def allocations(model: nn.Module, specs: tuple[TensorSpec, ...]) -> list[Allocation]:
    """What torch's profiler sees of its CPU allocator while a model runs."""
    inputs = [tensor_of(spec) for spec in specs]
    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # as the trace does
    try:
        with torch.no_grad():
            model.eval()(*inputs)  # so that nothing is taken for the first time below
            with torch_profile(activities=[ProfilerActivity.CPU], profile_memory=True) as run:
                result = model(*inputs)
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)
    del result
    results: Any = run.profiler.kineto_results
    found: list[tuple[int, Allocation]] = []

    def walk(event: Any, top: int | None) -> None:
        tag, fields = event.typed
        if tag == torch._C._profiler._EventType.Allocation:
            one = Allocation(fields.alloc_size, fields.ptr, top)
            found.append((event.start_time_ns, one))
        inside_op = tag == torch._C._profiler._EventType.TorchOp
        for child in event.children:
            walk(child, top if top is not None or not inside_op else event.id)

    for root in results.experimental_event_tree():
        walk(root, None)
    ordered = [one for _, one in sorted(found, key=lambda pair: pair[0])]
    # the profiler's flat list of events says the same
    flat = [event.nbytes() for event in results.events() if event.name() == "[memory]"]
    assert highest(flat) == highest([one.nbytes for one in ordered])
    return ordered


def highest(changes: list[int]) -> int:
    """The largest running sum."""
    return max(accumulate(changes), default=0)


def kept(found: list[Allocation]) -> list[int]:
    """What was not taken and given back within one and the same op: no kernel's workspace."""
    taken: dict[int, int] = {}
    workspace: set[int] = set()
    for index, one in enumerate(found):
        if one.nbytes > 0:
            taken[one.address] = index
        elif one.address in taken:
            start = taken.pop(one.address)
            if one.during is not None and one.during == found[start].during:
                workspace |= {start, index}
    return [one.nbytes for index, one in enumerate(found) if index not in workspace]


def lasting(net: Network) -> Network:
    """A network without the results that die with the op that made them, as max_pool's indices."""

    def outlives(index: int, op: Op) -> tuple[tuple[int, int], ...]:
        # of the last op the first result is the network's; nobody saw the others die
        if index + 1 == len(net.ops):
            return op.memory[:1]
        # an empty result (the statistics that a norm does not save) takes no memory
        return tuple(
            (nbytes, freed) for nbytes, freed in op.memory if nbytes and freed != index + 1
        )

    ops = (replace(op, memory=outlives(i, op)) for i, op in enumerate(net.ops))
    return replace(net, inputs=(), ops=tuple(ops))


def attention() -> nn.Module:
    return Forward(lambda m, q, k, v: (q @ k.transpose(-1, -2)).softmax(-1) @ v)


WITHOUT_CONVOLUTIONS: dict[str, tuple[Callable[[], nn.Module], tuple[TensorSpec, ...]]] = {
    "mlp": (
        lambda: nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4), nn.Softmax(-1)),
        (floats(3, 8),),
    ),
    "in place": (
        lambda: nn.Sequential(nn.Linear(8, 16), nn.ReLU(inplace=True), nn.Linear(16, 4)),
        (floats(3, 8),),
    ),
    "attention": (attention, (floats(2, 5, 8), floats(2, 5, 8), floats(2, 5, 8))),
    "encoder": (
        lambda: nn.TransformerEncoderLayer(16, 2, 32, batch_first=True),
        (floats(1, 5, 16),),
    ),
    "encoder, norm first": (
        lambda: nn.TransformerEncoderLayer(
            16, 2, 32, batch_first=True, norm_first=True, activation="gelu"
        ),
        (floats(1, 5, 16),),
    ),
    "embedding": (
        lambda: nn.Sequential(nn.Embedding(10, 6), nn.LayerNorm(6), nn.Linear(6, 3)),
        (integers(2, 7),),
    ),
    "gru": (lambda: nn.GRU(8, 16, 2), (floats(5, 3, 8),)),
}
WITH_CONVOLUTIONS: dict[str, Callable[[], nn.Module]] = {
    "resnet18": torchvision.models.resnet18,
    "mobilenet_v2": torchvision.models.mobilenet_v2,
    "densenet121": torchvision.models.densenet121,
    "squeezenet1_1": torchvision.models.squeezenet1_1,
    "vgg11": torchvision.models.vgg11,
    "shufflenet_v2_x0_5": torchvision.models.shufflenet_v2_x0_5,
    "efficientnet_b0": torchvision.models.efficientnet_b0,
    "vision transformer": vision_transformer,
}


def inputs_of(specs: tuple[TensorSpec, ...]) -> int:
    return sum(spec.nbytes for spec in specs)


LARGE = ("densenet121", "vgg11")


@pytest.mark.parametrize("name", WITHOUT_CONVOLUTIONS)
def test_without_convolutions_the_peak_is_that_of_the_allocator(name: str) -> None:
    factory, specs = WITHOUT_CONVOLUTIONS[name]
    model = factory()
    ours = peak(trace(model, specs)).nbytes - inputs_of(specs)
    assert ours == highest([one.nbytes for one in allocations(model, specs)])


@pytest.mark.parametrize(
    "name", [in_turn(name, daily=name not in LARGE) for name in WITH_CONVOLUTIONS]
)
def test_an_allocator_sees_our_maps_one_by_one_and_besides_them_workspace(name: str) -> None:
    specs = (floats(1, 3, 64, 64),)
    model = WITH_CONVOLUTIONS[name]()
    net = trace(model, specs)
    found = allocations(model, specs)
    real = highest([one.nbytes for one in found])
    assert peak(net).nbytes - inputs_of(specs) <= real
    # what no op gives back before it ends: our maps, each in its place, and no others
    ours = lasting(net)
    assert [nbytes for nbytes in kept(found) if nbytes > 0] == [
        nbytes for op in ours.ops for nbytes, _ in op.memory
    ]
    # and they are given back when ours are
    assert peak(ours).nbytes == highest(kept(found)) <= real


# --- fake tensors and real ones


@pytest.mark.parametrize(
    "name", [in_turn(n, daily=n not in LARGE) for n in ("resnet18", "shufflenet_v2_x0_5", *LARGE)]
)
def test_fake_tensors_live_as_long_as_real_ones(name: str) -> None:
    specs = (floats(1, 3, 64, 64),)
    model = WITH_CONVOLUTIONS[name]().eval()
    fake = trace(model, specs)
    real = _trace_real(model, specs, "", False, "")
    assert [op.memory for op in fake.ops] == [op.memory for op in real.ops]
    assert peak(fake) == peak(real)


@pytest.mark.parametrize("name", WITHOUT_CONVOLUTIONS)
def test_fake_tensors_live_as_long_as_real_ones_without_convolutions(name: str) -> None:
    factory, specs = WITHOUT_CONVOLUTIONS[name]
    model = factory().eval()
    fake, real = trace(model, specs), _trace_real(model, specs, "", False, "")
    assert [op.memory for op in fake.ops] == [op.memory for op in real.ops]
