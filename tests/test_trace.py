"""A trace says what the model does, as torch's own counter does; and leaves the model alone."""

from __future__ import annotations

import copy
import functools
import io
import logging
import pickle
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from models import Forward, counted, floats, integers, numel, weight
from networks import quickly
from torch import Tensor, nn
from torch.nn.modules import module as torch_module
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import spectral_norm, weight_norm
from torchvision.ops import DeformConv2d

from dualcost.errors import ModelError
from dualcost.nn.build import build
from dualcost.nn.trace import ValuesNeededError, trace
from dualcost.site import (
    CONVOLUTION,
    EMBEDDING,
    FREE,
    LINEAR,
    MATMUL,
    UNKNOWN,
    ConvSite,
    Network,
    Op,
    Parameter,
    TensorSpec,
)

CONVOLUTIONS = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
FUNCTIONS: dict[type[nn.Module], Callable[..., Tensor]] = {
    nn.Conv1d: F.conv1d,
    nn.Conv2d: F.conv2d,
    nn.Conv3d: F.conv3d,
    nn.ConvTranspose1d: F.conv_transpose1d,
    nn.ConvTranspose2d: F.conv_transpose2d,
    nn.ConvTranspose3d: F.conv_transpose3d,
}
TRANSPOSED = {1: nn.ConvTranspose1d, 2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}


def products(network: Network) -> list[Op]:
    """The ops that multiply and accumulate."""
    return [op for op in network.ops if op.macs]


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


# --- everything else that multiplies and accumulates ----------------------------------------------


@dataclass(frozen=True)
class Case:
    """A model, its inputs, and its MACs with their arithmetic, for each group of ops."""

    make: Callable[[], nn.Module]
    inputs: tuple[TensorSpec, ...]
    macs: dict[str, int]
    # where torch's counter knows the op: on real tensors, on the meta device only, or nowhere
    witness: str = "cpu"


def functional(function: Callable[..., Any], **shapes: tuple[int, ...]) -> Callable[[], nn.Module]:
    return lambda: Forward(function, **{name: weight(*shape) for name, shape in shapes.items()})


class ComputedKernel(nn.Module):
    """A convolution whose weight is the result of a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.make = nn.Linear(3, 5 * 3 * 3 * 3)

    def forward(self, image: Tensor) -> Tensor:
        kernel: Tensor = self.make(image.mean((0, 2, 3)))
        return F.conv2d(image, kernel.view(5, 3, 3, 3))


class Deformed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.offset = nn.Conv2d(4, 2 * 3 * 3, 3, padding=1)
        self.conv = DeformConv2d(4, 6, 3, padding=1, groups=2)

    def forward(self, image: Tensor) -> Any:
        return self.conv(image, self.offset(image))


def encoder() -> nn.Module:
    return nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)


# self-attention of (2, 5, 8) with 2 heads of 4: scores and values
ATTENTION = 2 * 2 * 5 * 5 * (4 + 4)
ATTENTION_PROJECTIONS = 2 * 5 * 8 * (3 * 8 + 8)

CASES = {
    "linear": Case(lambda: nn.Linear(4, 6), (floats(2, 4),), {LINEAR: 2 * 4 * 6}),
    "linear on a vector": Case(
        lambda: nn.Linear(4, 6, bias=False), (floats(4),), {LINEAR: 4 * 6}
    ),
    "linear at every position": Case(
        lambda: nn.Linear(4, 6), (floats(2, 5, 4),), {LINEAR: 2 * 5 * 4 * 6}
    ),
    "linear at every pixel, without bias": Case(
        lambda: nn.Linear(4, 6, bias=False), (floats(2, 5, 7, 4),), {LINEAR: 2 * 5 * 7 * 4 * 6}
    ),
    "functional linear": Case(
        functional(lambda self, x: F.linear(x, self.w, self.b), w=(6, 4), b=(6,)),
        (floats(2, 4),),
        {LINEAR: 2 * 4 * 6},
    ),
    "a matrix product with a parameter": Case(
        functional(lambda self, x: x @ self.w.T + self.b, w=(6, 4), b=(6,)),
        (floats(2, 4),),
        {LINEAR: 2 * 4 * 6},
    ),
    "a matrix product of activations": Case(
        functional(lambda self, x, y: x @ y), (floats(2, 4), floats(4, 3)), {MATMUL: 2 * 4 * 3}
    ),
    "einsum with a parameter": Case(
        functional(lambda self, x: torch.einsum("bij,jk->bik", x, self.w), w=(4, 5)),
        (floats(2, 3, 4),),
        {LINEAR: 2 * 3 * 4 * 5},
    ),
    "einsum of activations": Case(
        functional(lambda self, x: torch.einsum("bhid,bhjd->bhij", x, x)),
        (floats(2, 3, 4, 5),),
        {MATMUL: 2 * 3 * 4 * 4 * 5},
    ),
    "tensordot": Case(
        functional(lambda self, x: torch.tensordot(x, self.w, dims=2), w=(4, 5, 6)),
        (floats(3, 4, 5),),
        {LINEAR: 3 * 4 * 5 * 6},
    ),
    "baddbmm": Case(
        functional(lambda self, x, y: torch.baddbmm(x, x, y)),
        (floats(2, 4, 4), floats(2, 4, 4)),
        {MATMUL: 2 * 4 * 4 * 4},
    ),
    "addbmm": Case(
        functional(lambda self, x, y, z: torch.addbmm(x, y, z)),
        (floats(3, 5), floats(2, 3, 4), floats(2, 4, 5)),
        {MATMUL: 2 * 3 * 4 * 5},
        witness="",
    ),
    "a matrix and a vector": Case(
        functional(lambda self, x: x.mv(self.w), w=(5,)), (floats(2, 5),), {LINEAR: 2 * 5}, ""
    ),
    "two vectors": Case(
        functional(lambda self, x: x.dot(self.w) + torch.vdot(x, x), w=(5,)),
        (floats(5),),
        {LINEAR: 5, MATMUL: 5},
        witness="",
    ),
    "bilinear": Case(
        lambda: nn.Bilinear(3, 4, 5),
        (floats(7, 2, 3), floats(7, 2, 4)),
        {LINEAR: 7 * 2 * 3 * 4 * 5},
        witness="",
    ),
    "attention between two sequences": Case(
        # queries of 5, keys of 7, with 2 heads of 4
        lambda: nn.MultiheadAttention(8, 2, batch_first=True),
        (floats(2, 5, 8), floats(2, 7, 8), floats(2, 7, 8)),
        {
            LINEAR: 2 * 8 * 8 * (5 + 7 + 7 + 5),
            MATMUL: 2 * 2 * 5 * 7 * (4 + 4),
        },
    ),
    "an encoder layer, which torch would fuse in eval mode": Case(
        encoder,
        (floats(2, 5, 8),),
        {LINEAR: ATTENTION_PROJECTIONS + 2 * 5 * 2 * 8 * 16, MATMUL: ATTENTION},
    ),
    "scaled_dot_product_attention": Case(
        functional(lambda self, q, k, v: F.scaled_dot_product_attention(q, k, v)),
        (floats(2, 3, 5, 8), floats(2, 3, 7, 8), floats(2, 3, 7, 8)),
        {MATMUL: 2 * 3 * 5 * 7 * (8 + 8)},
    ),
    "fused attention to values of another width": Case(
        functional(
            lambda self, q, k, v: torch.ops.aten._scaled_dot_product_efficient_attention(
                q, k, v, None, False
            )[0]
        ),
        (floats(2, 3, 5, 8), floats(2, 3, 7, 8), floats(2, 3, 7, 6)),
        {MATMUL: 2 * 3 * 5 * 7 * (8 + 6)},
        witness="meta",
    ),
    "attention to values of another width": Case(
        functional(lambda self, q, k, v: F.scaled_dot_product_attention(q, k, v)),
        (floats(2, 3, 5, 8), floats(2, 3, 7, 8), floats(2, 3, 7, 6)),
        {MATMUL: 2 * 3 * 5 * 7 * (8 + 6)},
    ),
    "LSTM": Case(
        # 4 gates of 5, from an input of 3 and a state of 5, at 7 steps
        lambda: nn.LSTM(3, 5, batch_first=True),
        (floats(2, 7, 3),),
        {LINEAR: 2 * 7 * 4 * 5 * (3 + 5)},
        witness="meta",
    ),
    "LSTM of two layers, in both directions": Case(
        lambda: nn.LSTM(3, 5, 2, bidirectional=True),
        (floats(7, 2, 3),),
        {LINEAR: 2 * 7 * 2 * 4 * 5 * ((3 + 5) + (2 * 5 + 5))},
        witness="meta",
    ),
    "LSTM with a projection": Case(
        # the state is projected from 5 to 4
        lambda: nn.LSTM(3, 5, proj_size=4),
        (floats(7, 2, 3),),
        {LINEAR: 2 * 7 * (4 * 5 * (3 + 4) + 5 * 4)},
    ),
    "GRU": Case(
        # 3 gates of 5
        lambda: nn.GRU(3, 5, batch_first=True),
        (floats(2, 7, 3),),
        {LINEAR: 2 * 7 * 3 * 5 * (3 + 5)},
    ),
    "GRU cell": Case(lambda: nn.GRUCell(3, 5), (floats(2, 3),), {LINEAR: 2 * 3 * 5 * (3 + 5)}),
    "weight norm": Case(
        lambda: weight_norm(nn.Conv2d(3, 5, 3)),
        (floats(1, 3, 8, 8),),
        {CONVOLUTION: 6 * 6 * 3 * 3 * 3 * 5},
    ),
    "spectral norm": Case(
        # u · W v, then the convolution: torch's counter knows neither of the first two
        lambda: spectral_norm(nn.Conv2d(3, 5, 3)),
        (floats(1, 3, 8, 8),),
        {LINEAR: 5 * 3 * 3 * 3, MATMUL: 5, CONVOLUTION: 6 * 6 * 3 * 3 * 3 * 5},
        witness="",
    ),
    "a kernel made of a parameter": Case(
        functional(lambda self, x: F.conv2d(x, self.w - self.w.mean()), w=(5, 3, 3, 3)),
        (floats(1, 3, 8, 8),),
        {CONVOLUTION: 6 * 6 * 3 * 3 * 3 * 5},
    ),
    "a kernel made by a layer": Case(
        ComputedKernel,
        (floats(1, 3, 8, 8),),
        {LINEAR: 3 * 5 * 3 * 3 * 3, CONVOLUTION: 6 * 6 * 3 * 3 * 3 * 5},
    ),
    "a deformable convolution": Case(
        Deformed,
        (floats(2, 4, 8, 8),),
        {CONVOLUTION: 2 * 8 * 8 * 3 * 3 * 4 * (2 * 3 * 3) + 2 * 8 * 8 * 3 * 3 * (4 // 2) * 6},
        witness="",
    ),
    "an embedding looks up": Case(
        lambda: nn.Embedding(10, 4), (integers(2, 5),), {EMBEDDING: 0}
    ),
    "an outer product scales": Case(
        functional(lambda self, x: torch.outer(x, self.w), w=(5,)), (floats(3,),), {}
    ),
}  # fmt: skip  # the arithmetic stays beside what it is of


@pytest.mark.parametrize("name", CASES)
def test_the_macs_of_every_kind_of_product_are_those_of_its_closed_form(name: str) -> None:
    case = CASES[name]
    model = case.make()
    network = trace(model, case.inputs)
    found = {
        group: sum(op.macs for op in network.ops if op.group == group)
        for group in {op.group for op in network.ops if op.macs} | set(case.macs)
    }
    assert found == case.macs
    assert not [op.name for op in network.ops if op.group == UNKNOWN]
    assert network.params == numel(model)
    if case.witness:
        assert network.macs == counted(model, *case.inputs, device=case.witness)


@quickly
@given(
    st.sampled_from([nn.LSTM, nn.GRU, nn.RNN]),
    st.integers(1, 3),
    st.booleans(),
    st.booleans(),
    st.integers(1, 4),
    st.integers(1, 4),
    st.integers(1, 5),
    st.integers(1, 5),
)
def test_a_recurrent_network_applies_every_matrix_at_every_step(
    kind: type[nn.LSTM] | type[nn.GRU] | type[nn.RNN],
    layers: int,
    both: bool,
    bias: bool,
    batch: int,
    steps: int,
    features: int,
    state: int,
) -> None:
    model = kind(features, state, layers, bias=bias, bidirectional=both)
    network = trace(model, [floats(steps, batch, features)])
    gates = {nn.LSTM: 4, nn.GRU: 3, nn.RNN: 1}[kind]
    directions = 2 if both else 1
    inputs = [features] + [directions * state] * (layers - 1)
    per_step = sum(directions * gates * state * (width + state) for width in inputs)
    assert network.macs == steps * batch * per_step
    assert network.macs == counted(model, floats(steps, batch, features), device="meta")
    assert network.params == numel(model)


def test_a_layer_that_only_changes_a_shape_in_place_is_free() -> None:
    def forward(self: Any, x: Tensor) -> Tensor:
        return (x + 1).unsqueeze_(0).transpose_(0, 1).squeeze_(1)

    network = trace(Forward(forward), [floats(2, 3)])
    assert [(op.name, op.group) for op in network.ops[1:]] == [
        ("unsqueeze_", FREE),
        ("transpose_", FREE),
        ("squeeze_", FREE),
    ]


def test_what_no_rule_counts_is_unknown_and_not_zero() -> None:
    network = trace(Forward(lambda self, x: torch.fft.rfft(x)), [floats(2, 8)])
    assert [op.group for op in network.ops] == [UNKNOWN]


def test_a_profilers_marks_are_no_work() -> None:
    def forward(self: Any, x: Tensor) -> Tensor:
        with torch.profiler.record_function("a part"):
            return x + 1

    assert [op.name for op in trace(Forward(forward), [floats(2)]).ops] == ["add"]


# --- parameters -----------------------------------------------------------------------------------


def test_a_module_that_runs_twice_has_its_macs_twice_and_its_parameters_once() -> None:
    shared = nn.Conv2d(4, 4, 3, padding=1)
    model = nn.Sequential(shared, nn.ReLU(), shared)
    network = trace(model, [floats(1, 4, 8, 8)])
    assert [op.macs for op in products(network)] == 2 * [8 * 8 * 3 * 3 * 4 * 4]
    assert network.params == 3 * 3 * 4 * 4 + 4  # weight and bias, once
    # the first of its two names is the one that counts
    assert {op.path for op in products(network)} == {"0"}
    assert network.users == {"0.weight": (0, 2), "0.bias": (0, 2)}


class Tied(nn.Module):
    """The embedding's table is the weight of the head; `spare` never runs."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(10, 4)
        self.head = nn.Linear(4, 10)
        self.head.weight = self.table.weight
        self.spare = nn.Linear(2, 3)

    def forward(self, ids: Tensor, mask: Tensor | None = None) -> Tensor:
        found: Tensor = self.head(self.table(ids))
        return found if mask is None else found * mask


def test_tied_weights_are_one_parameter_with_two_users() -> None:
    network = trace(Tied(), [integers(2, 5)])
    assert network.params == numel(Tied()) == 10 * 4 + 10 + (2 * 3 + 3)
    assert [network.ops[user].path for user in network.users["table.weight"]] == ["table", "head"]
    assert network.macs == 2 * 5 * 4 * 10


def test_parameters_of_a_module_that_never_ran_have_no_users() -> None:
    network = trace(Tied(), [integers(2, 5)])
    assert [name for name, users in network.users.items() if not users] == [
        "spare.weight",
        "spare.bias",
    ]


def test_a_frozen_parameter_is_told_from_a_trainable_one() -> None:
    model = nn.Linear(3, 4)
    model.bias.requires_grad_(False)
    assert trace(model, [floats(1, 3)]).parameters == (
        Parameter("weight", (4, 3), trainable=True),
        Parameter("bias", (4,), trainable=False),
    )


def test_a_parameter_that_forward_makes_is_not_the_models() -> None:
    def forward(self: Any, x: Tensor) -> Tensor:
        self.made = nn.Parameter(torch.zeros(7))
        return F.linear(x, self.w)

    network = trace(Forward(forward, w=weight(4, 3)), [floats(1, 3)])
    assert [parameter.name for parameter in network.parameters] == ["w"]


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


@pytest.mark.parametrize(
    ("model", "spec"),
    [
        (nn.Linear(3, 4), floats(2, 3)),
        (nn.Conv2d(3, 4, 1), floats(2, 3, 8, 8)),
        (nn.BatchNorm2d(3), floats(2, 3, 8, 8)),
        (nn.LayerNorm(3), floats(2, 3)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_op_names_its_weight_before_its_bias(model: nn.Module, spec: TensorSpec) -> None:
    (op,) = (op for op in trace(model, [spec]).ops if op.parameters)
    assert op.parameters == ("weight", "bias")


def test_matrices_come_before_vectors_whatever_they_are_called() -> None:
    model = Forward(lambda self, x: F.linear(x, self.z, self.a), z=weight(4, 3), a=weight(4))
    (op,) = products(trace(model, [floats(2, 3)]))
    assert op.parameters == ("z", "a")


# --- inputs ---------------------------------------------------------------------------------------


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


def test_a_parameter_that_is_cast_is_used_where_the_cast_is() -> None:
    """Mixed precision casts the weights; a convolution with cast weights is still the layer's."""

    class Mixed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 3)

        def forward(self, image: Tensor) -> Any:
            with torch.autocast("cpu", torch.bfloat16):
                return self.conv(image)

    (op,) = products(trace(Mixed(), [floats(1, 3, 8, 8)]))
    assert op.parameters == ("conv.weight", "conv.bias")
    assert op.in_shapes == ((1, 3, 8, 8),)


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


# --- the model is left as it was ------------------------------------------------------------------


class Busy(nn.Module):
    """Does everything to itself that a forward can do; fails at the end if it is told to."""

    def __init__(self, fails: bool = False, asks: bool = False) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.frozen = nn.BatchNorm2d(4).eval()
        self.drop = nn.Dropout(0.5)
        self.steps: Tensor
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))
        self.plain = torch.zeros(3)  # a tensor that is neither parameter nor buffer
        self.seen: list[Tensor] = []
        self.fails, self.asks = fails, asks

    def forward(self, image: Tensor) -> Tensor:
        x: Tensor = self.drop(self.frozen(self.norm(self.conv(image))))
        x = x + torch.rand_like(x)
        self.steps += 1
        self.plain.add_(1)
        self.seen.append(x)
        self.last = x
        self.conv.padding = (1, 1)
        with torch.no_grad():
            self.conv.weight.zero_()
        if self.asks and x.sum().item() > 1e9:
            return image
        if self.fails:
            raise ArithmeticError("at the end")
        return x


def double(module: nn.Module, args: Any, result: Any) -> Any:
    return result * 2


def hooked() -> Busy:
    model = Busy()
    model.conv.register_forward_hook(double)
    model.conv.register_forward_pre_hook(lambda module, args: None)
    model.register_full_backward_hook(lambda *args: None)
    return model


def trained() -> nn.Module:
    """In train mode, with gradients."""
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.5))
    model(torch.rand(2, 3, 8, 8)).sum().backward()
    return model


def partly_frozen() -> nn.Module:
    model = Busy()
    model.conv.requires_grad_(False)
    return model


LEFT_ALONE: dict[str, tuple[Callable[[], nn.Module], TensorSpec]] = {
    "that changes itself": (Busy, floats(2, 3, 8, 8)),
    "that raises": (functools.partial(Busy, fails=True), floats(2, 3, 8, 8)),
    "that asks for values": (functools.partial(Busy, asks=True), floats(2, 3, 8, 8)),
    "that asks and raises": (functools.partial(Busy, fails=True, asks=True), floats(2, 3, 8, 8)),
    "with a wrong input": (Busy, floats(2, 5, 8, 8)),
    "with hooks": (hooked, floats(2, 3, 8, 8)),
    "after a training step": (trained, floats(2, 3, 8, 8)),
    "with frozen layers": (partly_frozen, floats(2, 3, 8, 8)),
    "with attention": (encoder, floats(2, 5, 8)),
    "with a recurrent layer": (lambda: nn.LSTM(3, 5), floats(7, 2, 3)),
    "with a parametrization": (lambda: weight_norm(nn.Conv2d(3, 4, 3)), floats(1, 3, 8, 8)),
    "without weights": (lambda: build(Busy, "Busy"), floats(2, 3, 8, 8)),
}

HOOKS = (
    "_forward_hooks",
    "_forward_pre_hooks",
    "_forward_hooks_with_kwargs",
    "_forward_pre_hooks_with_kwargs",
    "_forward_hooks_always_called",
    "_backward_hooks",
    "_backward_pre_hooks",
    "_state_dict_hooks",
    "_state_dict_pre_hooks",
    "_load_state_dict_pre_hooks",
)
GLOBAL_HOOKS = [name for name in vars(torch_module) if name.startswith("_global_")]


def facts_of(tensor: Tensor) -> Any:
    """Which tensor it is, how often it was written to, and what it holds."""
    values = None if tensor.is_meta else tensor.detach().clone().tolist()
    grad = facts_of(tensor.grad) if tensor.is_leaf and tensor.grad is not None else None
    return id(tensor), tensor._version, tensor.requires_grad, str(tensor.device), values, grad


def facts_in(value: Any) -> Any:
    if isinstance(value, Tensor):
        return facts_of(value)
    if isinstance(value, dict):
        return {key: facts_in(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        return [id(value), *map(facts_in, value)]
    return id(value), repr(value) if isinstance(value, int | float | str) else ""


def everything(model: nn.Module) -> Any:
    """All that a trace could have changed: every attribute of every module, and the process."""
    return {
        "modules": {
            name: {
                "type": type(module),
                "attributes": {
                    key: facts_in(value) for key, value in vars(module).items() if key not in HOOKS
                },
                "hooks": {
                    key: list(vars(module)[key].items()) for key in HOOKS if key in vars(module)
                },
            }
            for name, module in model.named_modules(remove_duplicate=False)
        },
        "state": {key: facts_of(value) for key, value in model.state_dict(keep_vars=True).items()},
        "training": {name: module.training for name, module in model.named_modules()},
        "global hooks": {name: repr(vars(torch_module)[name]) for name in GLOBAL_HOOKS},
        "random": (
            torch.get_rng_state().tolist(),
            random.getstate(),
            repr(np.random.get_state(legacy=False)),
        ),
        "modes": (
            torch.is_grad_enabled(),
            torch.is_inference_mode_enabled(),
            torch.backends.mha.get_fastpath_enabled(),
            torch.get_default_dtype(),
            torch.get_default_device(),
            logging.getLogger("torch._subclasses.fake_tensor").disabled,
        ),
    }


@pytest.mark.parametrize("name", LEFT_ALONE)
@pytest.mark.parametrize("fast_attention", [True, False])
def test_a_model_is_left_exactly_as_it_was(name: str, fast_attention: bool) -> None:
    make, spec = LEFT_ALONE[name]
    model = make()
    torch.backends.mha.set_fastpath_enabled(fast_attention)
    try:
        before = everything(model)
        try:
            trace(model, [spec])
            ended = ""
        except ModelError as error:
            ended = error.message
        after = everything(model)
    finally:
        torch.backends.mha.set_fastpath_enabled(True)
    assert after == before
    # the trace got as far as the name says
    fails = "raises" in name or "wrong" in name
    assert bool(ended) == fails
    assert ("at the end" in ended) == ("raises" in name)


def test_a_run_of_the_model_itself_would_show() -> None:
    """The test above can fail, in every part."""
    model = hooked()
    image = torch.rand(2, 3, 8, 8)
    before = everything(model)
    model(image)
    model.norm.eval()
    model.conv.register_forward_hook(double)
    logger = logging.getLogger("torch._subclasses.fake_tensor")
    with torch.inference_mode(), torch.nn.modules.module.register_module_forward_hook(double):
        logger.disabled = True
        after = everything(model)
        logger.disabled = False
    assert [part for part in before if before[part] == after[part]] == []


@pytest.mark.parametrize("fails", [True, False])
@pytest.mark.parametrize("asks", [True, False])
def test_a_traced_model_still_copies_and_pickles(fails: bool, asks: bool) -> None:
    model = Busy(fails, asks)
    expected = {key: value.clone() for key, value in model.state_dict().items()}
    try:
        trace(model, [floats(2, 3, 8, 8)])
    except ModelError:
        assert fails
    file = io.BytesIO()
    torch.save(model, file)
    file.seek(0)
    for twin in (
        copy.deepcopy(model),
        pickle.loads(pickle.dumps(model)),
        torch.load(file, weights_only=False),
    ):
        assert type(twin) is Busy
        assert twin.state_dict().keys() == expected.keys()
        for key, value in twin.state_dict().items():
            assert torch.equal(value, expected[key])


def test_batch_norm_in_train_mode_keeps_its_statistics() -> None:
    model = nn.BatchNorm2d(4).train()
    for _ in range(2):
        trace(model, [floats(2, 4, 8, 8)])
    assert model.training
    assert model.num_batches_tracked == 0
    assert torch.equal(model.running_mean, torch.zeros(4))  # type: ignore[arg-type]
    assert torch.equal(model.running_var, torch.ones(4))  # type: ignore[arg-type]


def test_two_traces_of_a_model_are_equal() -> None:
    model = Busy(asks=True)
    assert trace(model, [floats(2, 3, 8, 8)]) == trace(model, [floats(2, 3, 8, 8)])


def test_a_model_is_traced_in_eval_mode_even_if_it_overrides_eval() -> None:
    class Stubborn(nn.Dropout):
        def eval(self) -> Any:
            raise AssertionError("eval() was called")

    assert trace(nn.Sequential(Stubborn(0.5)), [floats(2, 3)]).ops == ()


# --- without weights ------------------------------------------------------------------------------


def test_a_model_of_four_terabytes_is_built_and_traced() -> None:
    model = build(lambda: nn.Linear(10**6, 10**6), "large")
    assert all(parameter.is_meta for parameter in model.parameters())
    network = trace(model, [floats(1, 10**6)])
    assert network.macs == 10**6 * 10**6
    assert network.params == 10**6 * 10**6 + 10**6


def test_a_live_model_is_traced_without_a_copy_of_its_weights() -> None:
    model = nn.Linear(10**6, 10**6, device="meta")
    # 4 bytes that look like 4 TB: a copy would ask for them
    model.weight = nn.Parameter(torch.zeros(1).expand(10**6, 10**6))
    model.bias = nn.Parameter(torch.zeros(10**6))
    assert trace(model, [floats(1, 10**6)]).macs == 10**6 * 10**6


class Constants(nn.Module):
    """Keeps tensors that are neither parameters nor buffers, and makes more in its forward."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.offset = torch.zeros(4)
        self.scales: list[Any] = [torch.ones(4), {"deep": torch.ones(4)}]
        self.register_buffer("positions", torch.arange(4.0))

    def forward(self, x: Tensor) -> Any:
        x = (x + self.offset) * self.scales[0] * self.scales[1]["deep"] + self.positions
        return self.linear(x + torch.ones(4) + torch.tensor([1.0])) + torch.arange(4)


def test_a_model_without_weights_costs_what_it_costs_with_them() -> None:
    bare = build(Constants, "Constants")
    assert bare.get_parameter("linear.weight").is_meta
    assert trace(bare, [floats(2, 4)]) == trace(Constants(), [floats(2, 4)])


def test_a_lazy_layer_has_the_weights_that_it_makes() -> None:
    for model in (nn.LazyConv2d(4, 3), build(lambda: nn.LazyConv2d(4, 3), "lazy")):
        network = trace(model, [floats(1, 3, 8, 8)])
        assert network.macs == 6 * 6 * 3 * 3 * 3 * 4
        assert network.params == 3 * 3 * 3 * 4 + 4
        assert isinstance(model, nn.LazyConv2d)  # it still is


def test_a_factory_that_does_not_work_without_weights_is_called_with_them() -> None:
    def factory() -> nn.Module:
        width = int(torch.zeros(3).sum().item()) + 4  # asks for a value
        return nn.Linear(width, 5)

    model = build(factory, "asking")
    assert not model.get_parameter("weight").is_meta
    assert trace(model, [floats(1, 4)]).macs == 4 * 5


def test_building_leaves_the_random_numbers_as_they_were() -> None:
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    build(lambda: nn.Linear(3, 4), "model", weights=True)
    assert torch.equal(torch.rand(3), expected)


def test_weights_are_the_same_every_time_they_are_asked_for() -> None:
    first, second = (build(lambda: nn.Linear(3, 4), "m", weights=True) for _ in range(2))
    assert torch.equal(first.get_parameter("weight"), second.get_parameter("weight"))


def exits() -> nn.Module:
    raise SystemExit(3)


def breaks() -> nn.Module:
    raise LookupError("no such thing")


@pytest.mark.parametrize(
    ("factory", "message"),
    [
        (breaks, "it cannot be built: LookupError: no such thing"),
        (exits, "it cannot be built: SystemExit: 3"),
        (lambda: 7, "it makes a int, not a torch.nn.Module"),
        (lambda: nn.Linear, "it makes a type, not a torch.nn.Module"),
        (lambda width: nn.Linear(width, 1), "missing 1 required positional argument: 'width'"),
    ],
)
def test_a_factory_that_makes_no_model_says_why(factory: Callable[[], Any], message: str) -> None:
    with pytest.raises(ModelError) as caught:
        build(factory, "it")
    assert message in caught.value.message


# --- models that need values ----------------------------------------------------------------------


@torch.library.custom_op("dualcost_tests::twice", mutates_args=())
def twice(x: Tensor) -> Tensor:
    """Torch is not told what shape it returns."""
    return x * 2


ASKING: dict[str, tuple[Callable[[Tensor], Any], str]] = {
    "a branch": (lambda x: x if x.sum() > 0 else -x, "item()"),
    "item": (lambda x: x * x.max().item(), "item()"),
    "a list": (lambda x: torch.tensor(x.tolist()), "item()"),
    "nonzero": (lambda x: torch.nonzero(x), "nonzero"),
    "a mask": (lambda x: x[x > 0], "nonzero"),
    "numpy": (lambda x: torch.from_numpy(x.numpy()), "numpy()"),
    "a custom op": (twice, "a custom op"),
}


@pytest.mark.parametrize("name", ASKING)
def test_a_model_that_needs_values_runs_on_real_tensors_and_says_so(name: str) -> None:
    ask, asked = ASKING[name]
    model = Forward(lambda self, x: ask(self.conv(x)), conv=nn.Conv2d(3, 4, 3))
    network = trace(model, [floats(1, 3, 8, 8)])
    assert network.notes == (
        f"run on real tensors with random inputs, because {asked} needs values",
    )
    assert network.macs == 6 * 6 * 3 * 3 * 3 * 4
    assert network.params == numel(model)


@pytest.mark.parametrize("name", ASKING)
def test_a_model_that_needs_values_and_has_none_says_so(name: str) -> None:
    ask, asked = ASKING[name]
    model = Forward(lambda self, x: ask(self.conv(x)), conv=nn.Conv2d(3, 4, 3, device="meta"))
    with pytest.raises(ValuesNeededError, match="needs values") as caught:
        trace(model, [floats(1, 3, 8, 8)])
    assert caught.value.message.startswith(asked)


def test_a_model_that_needs_no_values_has_no_notes() -> None:
    assert trace(nn.Linear(3, 4), [floats(1, 3)]).notes == ()


# --- errors ---------------------------------------------------------------------------------------


def stack() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(99, 5))


def complain(self: Any, x: Tensor) -> Tensor:
    raise AssertionError(f"expected a number, got {x} and {[x]}")


MISTAKES: dict[str, tuple[nn.Module, tuple[TensorSpec, ...], tuple[str, ...]]] = {
    "channels": (stack(), (floats(1, 5, 8, 8),), ("in 0 (Conv2d)", "3 channels, but got 5")),
    "rank": (stack(), (floats(3, 8),), ("3×8", "in 0 (Conv2d)", "[3, 8]")),
    "size": (stack(), (floats(1, 3, 8, 8),), ("in 3 (Linear)", "[1, 144]", "[99, 5]")),
    "small": (stack(), (floats(1, 3, 2, 2),), ("in 0 (Conv2d)", "(2 x 2)")),
    "missing": (nn.Bilinear(3, 4, 5), (floats(1, 3),), ("missing 1", "'input2'")),
    "surplus": (stack(), (floats(1, 3, 8, 8), floats(1)), ("takes 2 positional arguments",)),
    "keyword": (stack(), (floats(1, 3, 8, 8, name="img"),), ("img=1×3×8×8", "argument 'img'")),
    "index": (Tied(), (floats(2, 5),), ("in table (Embedding)", "Long")),
    "own": (Forward(complain), (floats(2),), ("AssertionError", "got a tensor of (2,)")),
    "list": (
        Forward(lambda self, x: F.conv2d((x, x), self.w), w=weight(1, 1, 3, 3)),  # type: ignore[call-overload]
        (floats(2),),
        ("got (tuple, Tensor)",),
    ),
    "silent": (Forward(lambda self, x: next(iter(()))), (floats(2),), ("StopIteration",)),
    "device": (Forward(lambda self, x: x + x.to("meta")), (floats(2),), ("same device",)),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_forward_that_raises_is_told_in_one_line_of_the_users_words(
    name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    model, inputs, words = MISTAKES[name]
    with pytest.raises(ModelError) as caught:
        trace(model, inputs, "net")
    message, hint = caught.value.message, caught.value.hint
    assert message.startswith(f"net does not run on {', '.join(map(str, inputs))}: ")
    for word in words:
        assert word in message
    assert "Fake" not in message
    assert "\n" not in message
    assert len(message) < 500
    assert hint.startswith("its forward takes (")
    assert "--input" in hint
    # torch's own log of the failure is for its developers
    assert capfd.readouterr() == ("", "")


def test_the_hint_shows_what_the_forward_takes() -> None:
    with pytest.raises(ModelError) as caught:
        trace(Tied(), [])
    assert "(ids: 'Tensor', mask: 'Tensor | None' = None)" in caught.value.hint


@pytest.mark.parametrize(
    ("weights", "given_dtype"), [("float16", "float32"), ("float32", "float16")]
)
def test_an_input_of_another_dtype_is_told_how_to_be_written(
    weights: str, given_dtype: str
) -> None:
    model = nn.Conv2d(3, 4, 3).to(getattr(torch, weights))
    with pytest.raises(ModelError) as caught:
        trace(model, [TensorSpec((1, 3, 8, 8), given_dtype)])
    assert f"such as 1x3x8x8:{weights}" in caught.value.hint
    # and what it says works
    assert trace(model, [TensorSpec.parse(f"1x3x8x8:{weights}")]).macs == 6 * 6 * 3 * 3 * 3 * 4


@pytest.mark.parametrize("dtype", ["int99", "nn", "__class__", "qint8", "quint4x2"])
def test_a_dtype_that_no_input_can_have_is_refused(dtype: str) -> None:
    with pytest.raises(ModelError, match=dtype) as caught:
        trace(nn.Linear(3, 4), [TensorSpec((1, 3), dtype)])
    assert "float32" in caught.value.hint


def test_a_model_that_cannot_be_copied_says_what_stands_in_the_way() -> None:
    model = Forward(lambda self, x: x, numbers=(number for number in range(3)))
    with pytest.raises(ModelError, match="cannot be copied: TypeError: cannot pickle 'generator'"):
        trace(model, [floats(1)], "net")


def test_an_error_that_the_forward_handles_is_not_the_one_that_is_told() -> None:
    class Careful(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Linear(3, 4), nn.Linear(5, 6)

        def forward(self, x: Tensor) -> Any:
            try:
                self.first(x)
            except RuntimeError:
                return self.second(x)

    assert [op.path for op in products(trace(Careful(), [floats(1, 5)]))] == ["second"]
    with pytest.raises(ModelError, match=r"in second \(Linear\)"):
        trace(Careful(), [floats(1, 7)])


def test_parametrized_modules_keep_the_names_that_their_parameters_have() -> None:
    model = weight_norm(nn.Conv2d(3, 5, 3))
    assert parametrize.is_parametrized(model)
    names = [parameter.name for parameter in trace(model, [floats(1, 3, 8, 8)]).parameters]
    assert names == [name for name, _ in model.named_parameters()]
