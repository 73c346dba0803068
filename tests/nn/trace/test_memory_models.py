"""Peak memory and bytes of real models: converted ones, and those of other dtypes."""

from __future__ import annotations

from math import prod

import pytest
import torch
from support.families import in_turn
from support.models import Forward, floats, integers
from torch import nn

from dualcost.costs.memory import peak
from dualcost.costs.profile import profile
from dualcost.kinds.kinds import KINDS
from dualcost.library import networks as library
from dualcost.network.network import TensorSpec
from dualcost.nn.convert.convert import convert
from dualcost.nn.sources import sources
from dualcost.nn.sources.build import build
from dualcost.nn.trace.trace import trace
from dualcost.rewrite.request import Request
from dualcost.rewrite.rewrite import rewrite

# --- a rewrite promises what the real modules take

BLOCKS = {
    "resnet18": "kernel>1 first=no",
    "vgg16": "kernel>1 first=no",
    "mobilenet_v2": "inverted-residual",
    "mobilenetv1-imagenet": "separable",
    "mobilenet_v3_small": "block=inverted-residual",
    "mnasnet1_0": "separable",
}


@pytest.mark.parametrize("kind", ["standard", "group", "dsc", "dual", "het"])
@pytest.mark.parametrize(
    "name", [in_turn(name, daily=name in ("resnet18", "mobilenet_v2")) for name in BLOCKS]
)
def test_the_peak_after_a_rewrite_is_that_of_the_converted_model(name: str, kind: str) -> None:
    net = library.load(name)
    origin, _, bare = net.name.partition(":")
    source = (sources.from_zoo if origin == "zoo" else sources.from_torchvision)(bare)
    letter = KINDS[kind].letter
    G, P = (4 if letter == one else None for one in "GP")
    asked = Request.parse(kind, G, P, BLOCKS[name], indivisible="gcd")
    promised = peak(net, rewrite(net, asked).checked().replacements).nbytes
    converted = trace(convert(build(source.factory, name), asked, source.inputs), source.inputs)
    executed = peak(converted).nbytes
    if kind in ("standard", "group", "dsc"):
        assert promised == executed
    else:
        # the recipe's parts are added up in place; eager modules may make a new map of the sum,
        # and het sorts its channels and runs its 1×1 in pieces
        assert promised <= executed


# --- bytes


def small() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, 8, 3, bias=False), nn.BatchNorm2d(8), nn.ReLU())


@pytest.mark.parametrize(("dtype", "itemsize"), [("float16", 2), ("bfloat16", 2), ("float64", 8)])
def test_bytes_are_those_of_the_dtype(dtype: str, itemsize: int) -> None:
    model = small().to(getattr(torch, dtype))
    found = profile(trace(model, (TensorSpec((1, 3, 10, 10), dtype),)))
    weights, image, made = 3 * 3 * 3 * 8 + 2 * 8, 3 * 10 * 10, 8 * 8 * 8
    assert found.before.params == weights
    assert found.before.weight_bytes == itemsize * weights
    assert found.before.activation_bytes == itemsize * 3 * made  # a map of each layer
    # each layer reads a map and makes one; the norm also reads its mean and variance
    assert found.before.traffic == itemsize * (image + made + 4 * made + weights + 2 * 8)
    assert [row.before.activation_bytes for row in found.rows] == [itemsize * made] * 3
    # the norm reads the convolution's map and makes its own, or the activation the norm's
    assert found.peak[0].nbytes == itemsize * (image + 2 * made)
    # mean and variance are of the dtype, the count of batches is an int64
    assert [(b.name, b.numel, b.nbytes) for b in found.buffers] == [
        ("1.running_mean", 8, 8 * itemsize),
        ("1.running_var", 8, 8 * itemsize),
        ("1.num_batches_tracked", 1, 8),
    ]


def test_frozen_parameters_are_counted_and_buffers_are_none() -> None:
    model = small()
    model[0].weight.requires_grad_(False)
    found = profile(trace(model, (floats(1, 3, 10, 10),)))
    assert found.frozen == 3 * 3 * 3 * 8
    assert found.before.params == sum(p.numel() for p in model.parameters())
    assert sum(b.numel for b in found.buffers) == sum(b.numel() for b in model.buffers())
    assert profile(trace(small(), (floats(1, 3, 10, 10),))).frozen == 0


def test_weights_of_two_dtypes_are_each_counted_in_their_own() -> None:
    model = nn.Sequential(nn.Linear(3, 5), nn.Linear(5, 7))
    model[1].double()
    found = trace(
        Forward(lambda m, x: m.b(m.a(x).double()), a=model[0], b=model[1]), (floats(2, 3),)
    )
    cost = profile(found).before
    assert cost.weight_bytes == 4 * (3 * 5 + 5) + 8 * (5 * 7 + 7)
    assert cost.activation_bytes == 2 * 5 * 4 + 2 * 5 * 8 + 2 * 7 * 8


def test_a_result_of_integers_takes_eight_bytes_an_element() -> None:
    found = trace(Forward(lambda m, x: x.argmax(1)), (floats(6, 9),))
    (op,) = found.ops
    assert (op.itemsize, op.memory) == (8, ((6 * 8, -1),))
    assert peak(found).nbytes == 6 * 9 * 4 + 6 * 8


def test_an_input_of_integers_takes_eight_bytes_an_element() -> None:
    found = trace(nn.Embedding(10, 3), (integers(2, 7),))
    assert peak(found).nbytes == 2 * 7 * 8 + prod((2, 7, 3)) * 4
