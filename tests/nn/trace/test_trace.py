"""A trace: the site of a convolution however it is written, and the inputs and paths of a model."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from support.models import Forward, Tied, counted, floats, integers, numel, products
from support.networks import quickly
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from dualcost.network.network import CONVOLUTION, UNKNOWN, TensorSpec
from dualcost.network.site import ConvSite
from dualcost.nn.trace.trace import trace

CONVOLUTIONS = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
FUNCTIONS: dict[type[nn.Module], Callable[..., Tensor]] = {
    nn.Conv1d: F.conv1d,
    nn.Conv2d: F.conv2d,
    nn.Conv3d: F.conv3d,
    nn.ConvTranspose1d: F.conv_transpose1d,
    nn.ConvTranspose2d: F.conv_transpose2d,
    nn.ConvTranspose3d: F.conv_transpose3d,
}
IMAGE = TensorSpec((1, 3, 8, 8))
TRANSPOSED = {1: nn.ConvTranspose1d, 2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}


# --- one convolution, however it is written -------------------------------------------------------


@dataclass(frozen=True)
class Drawn:
    """A convolution as its constructor was asked for it, and an input for it."""

    module: nn.Module
    asked: dict[str, Any]
    transposed: bool
    batch: int | None  # None: the input has no batch
    size: tuple[int, ...]

    @property
    def input(self) -> TensorSpec:
        batch = () if self.batch is None else (self.batch,)
        return TensorSpec((*batch, self.asked["in_channels"], *self.size))


MODES = ("zeros", "reflect", "replicate", "circular")


@st.composite
def convolutions(draw: st.DrawFn, modes: Sequence[str] = MODES) -> Drawn:
    dims = draw(st.integers(1, 3))

    def each(low: int, high: int) -> tuple[int, ...]:
        return tuple(draw(st.lists(st.integers(low, high), min_size=dims, max_size=dims)))

    transposed = draw(st.booleans())
    groups = draw(st.integers(1, 3))
    asked: dict[str, Any] = {
        "in_channels": groups * draw(st.integers(1, 3)),
        "out_channels": groups * draw(st.integers(1, 3)),
        "kernel_size": each(1, 3),
        "stride": each(1, 3),
        "dilation": each(1, 2),
        "padding": each(0, 2),
        "groups": groups,
        "bias": draw(st.booleans()),
    }
    if transposed:
        # torch wants it smaller than the stride or the dilation
        most = [max(pair) - 1 for pair in zip(asked["stride"], asked["dilation"], strict=True)]
        asked["output_padding"] = tuple(draw(st.integers(0, m)) for m in most)
        module: nn.Module = TRANSPOSED[dims](**asked)
    else:
        asked["padding_mode"] = draw(st.sampled_from(modes))
        words = draw(st.sampled_from(["", "valid", "same"]))
        if words == "same":
            asked["stride"] = (1,) * dims  # torch refuses others
        asked["padding"] = words or asked["padding"]
        module = CONVOLUTIONS[dims](**asked)
    # 5 = 2 * (3 - 1) + 1: the widest kernel fits, and is wider than any padding
    return Drawn(module, asked, transposed, draw(st.sampled_from([None, 1, 2])), each(5, 8))


def padded(asked: dict[str, Any]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Padding that the convolution does itself, and elements added before it, for each dimension.

    "same" pads (K - 1) * dilation elements in all; an odd one goes to the end, before the
    convolution. Any mode but zeros pads before it.
    """
    kernel, dilation = asked["kernel_size"], asked["dilation"]
    if asked["padding"] == "same":
        both = [(k - 1) * d for k, d in zip(kernel, dilation, strict=True)]
    elif asked["padding"] == "valid":
        both = [0] * len(kernel)
    else:
        both = [2 * p for p in asked["padding"]]
    if asked.get("padding_mode", "zeros") != "zeros":
        return (0,) * len(kernel), tuple(both)
    return tuple(b // 2 for b in both), tuple(b % 2 for b in both)


@quickly
@given(convolutions())
def test_the_site_of_a_convolution_is_what_its_constructor_was_asked_for(drawn: Drawn) -> None:
    module, asked = drawn.module.eval(), drawn.asked
    network = trace(module, [drawn.input])

    with torch.no_grad():
        result = module(torch.rand(drawn.input.shape))
    padding, added = padded(asked)
    (op,) = products(network)
    assert op.site == ConvSite(
        M=asked["in_channels"],
        N=asked["out_channels"],
        kernel=asked["kernel_size"],
        stride=asked["stride"],
        padding=padding,
        dilation=asked["dilation"],
        groups=asked["groups"],
        bias=asked["bias"],
        transposed=drawn.transposed,
        in_size=tuple(size + more for size, more in zip(drawn.size, added, strict=True)),
        out_size=tuple(result.shape[-len(drawn.size) :]),
        batch=drawn.batch or 1,
    )
    assert op.group == CONVOLUTION
    assert op.parameters == (("weight", "bias") if asked["bias"] else ("weight",))
    assert op.site.macs == op.macs == network.macs == counted(module, drawn.input)
    assert network.params == numel(module)


@quickly
@given(convolutions(modes=["zeros"]))
def test_a_functional_convolution_has_the_site_of_the_module(drawn: Drawn) -> None:
    module: Any = drawn.module
    words = ("stride", "padding", "dilation", "groups", "output_padding")
    options = {word: drawn.asked[word] for word in words if word in drawn.asked}
    function = FUNCTIONS[type(module)]
    tensors = {"kernel": module.weight, "an_offset": module.bias}
    bare = Forward(
        lambda self, image: function(image, self.kernel, self.an_offset, **options), **tensors
    )
    (by_module,) = products(trace(module, [drawn.input]))
    (by_function,) = products(trace(bare, [drawn.input]))
    assert by_function.site == by_module.site
    # the weight comes first, whatever the names are
    assert by_function.parameters == tuple(k for k, t in tensors.items() if t is not None)


class NoisyConv2d(nn.Conv2d):
    """A subclass that does something to its input."""

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input + 1)


def test_a_subclass_of_a_convolution_is_one_with_its_own_name() -> None:
    (op,) = products(trace(nn.Sequential(NoisyConv2d(4, 6, 3)), [floats(1, 4, 8, 8)]))
    assert (op.path, op.module, op.macs) == ("0", "NoisyConv2d", 6 * 6 * 3 * 3 * 4 * 6)


# --- inputs and surroundings ----------------------------------------------------------------------


def test_inputs_go_by_position_or_by_name() -> None:
    by_position = trace(Tied(), [integers(2, 5), floats(2, 5, 10)])
    by_name = trace(Tied(), [floats(2, 5, 10, name="mask"), integers(2, 5, name="ids")])
    assert by_name.ops == by_position.ops
    assert by_position.ops[-1].name == "mul"
    assert by_name.inputs == (floats(2, 5, 10, name="mask"), integers(2, 5, name="ids"))


@pytest.mark.parametrize(
    ("dtype", "itemsize"), [("float16", 2), ("bfloat16", 2), ("float32", 4), ("float64", 8)]
)
def test_the_dtype_changes_bytes_and_nothing_else(dtype: str, itemsize: int) -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(144, 5))
    cast = copy.deepcopy(model).to(getattr(torch, dtype))
    network = trace(cast, [TensorSpec((1, 3, 8, 8), dtype)])
    # as if its elements had the 4 bytes of a float32
    assert {op.itemsize for op in network.ops} == {itemsize}
    of_four = tuple(
        replace(
            op, itemsize=4, memory=tuple((4 * size // itemsize, end) for size, end in op.memory)
        )
        for op in network.ops
    )
    assert of_four == trace(model, [floats(1, 3, 8, 8)]).ops
    assert network.macs == 6 * 6 * 3 * 3 * 3 * 4 + 6 * 6 * 4 * 5


@pytest.mark.parametrize(
    "around",
    [
        torch.inference_mode,
        torch.no_grad,
        torch.enable_grad,
        lambda: torch.device("meta"),
        lambda: torch.autocast("cpu"),
    ],
    ids=["inference_mode", "no_grad", "enable_grad", "device", "autocast"],
)
def test_the_modes_that_the_caller_is_in_change_nothing(around: Callable[[], Any]) -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
    expected = trace(model, [floats(1, 3, 8, 8)])
    with around():
        assert trace(model, [floats(1, 3, 8, 8)]) == expected


def test_scripted_and_compiled_models_and_those_in_a_wrapper_cost_the_same() -> None:
    plain = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
    macs = 6 * 6 * 3 * 3 * 3 * 4
    models: list[Any] = [
        plain,
        torch.jit.script(plain),
        torch.compile(plain),
        nn.DataParallel(plain),
    ]
    for model in models:
        network = trace(model, [floats(1, 3, 8, 8)])
        assert (network.macs, network.params) == (macs, numel(plain))
        assert not [op for op in network.ops if op.group == UNKNOWN]


class Convolving(torch.autograd.Function):
    """A convolution with a gradient of its own."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        return F.conv2d(x, weight)


def test_a_function_with_a_gradient_of_its_own_is_counted() -> None:
    def forward(m: Any, x: Tensor) -> Any:
        return Convolving.apply(x, m.weight)

    network = trace(Forward(forward, weight=nn.Parameter(torch.zeros(4, 3, 3, 3))), [IMAGE])
    assert (network.macs, network.params) == (6 * 6 * 3 * 3 * 3 * 4, 3 * 3 * 3 * 4)


@pytest.mark.parametrize("reentrant", [False, True])
def test_a_checkpointed_part_is_counted_once(reentrant: bool) -> None:
    block = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())

    def forward(m: Any, x: Tensor) -> Any:
        return checkpoint(m.block, x, use_reentrant=reentrant)

    network = trace(Forward(forward, block=block).train(), [IMAGE])
    assert (network.macs, network.params) == (6 * 6 * 3 * 3 * 3 * 4, numel(block))
    assert [op.path for op in network.ops if op.macs] == ["block.0"]


def test_a_module_list_gives_its_members_their_paths() -> None:
    class Layers(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.ModuleList(nn.Linear(4, 4) for _ in range(3))

        def forward(self, x: Tensor) -> Tensor:
            for layer in self.layers:
                x = layer(x)
            return x

    assert [op.path for op in products(trace(Layers(), [floats(2, 4)]))] == [
        "layers.0",
        "layers.1",
        "layers.2",
    ]
