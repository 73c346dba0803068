"""The parameters of a trace: shared, tied, frozen, cast or never run, and the ops that use them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from support.models import Forward, Tied, floats, integers, numel, products, weight
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import weight_norm

from dualcost.network.network import Parameter, TensorSpec
from dualcost.nn.trace.trace import trace


def test_a_module_that_runs_twice_has_its_macs_twice_and_its_parameters_once() -> None:
    shared = nn.Conv2d(4, 4, 3, padding=1)
    model = nn.Sequential(shared, nn.ReLU(), shared)
    network = trace(model, [floats(1, 4, 8, 8)])
    assert [op.macs for op in products(network)] == 2 * [8 * 8 * 3 * 3 * 4 * 4]
    assert network.params == 3 * 3 * 4 * 4 + 4  # weight and bias, once
    # the first of its two names is the one that counts
    assert {op.path for op in products(network)} == {"0"}
    assert network.users == {"0.weight": (0, 2), "0.bias": (0, 2)}


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


def test_parametrized_modules_keep_the_names_that_their_parameters_have() -> None:
    model = weight_norm(nn.Conv2d(3, 5, 3))
    assert parametrize.is_parametrized(model)
    names = [parameter.name for parameter in trace(model, [floats(1, 3, 8, 8)]).parameters]
    assert names == [name for name, _ in model.named_parameters()]
