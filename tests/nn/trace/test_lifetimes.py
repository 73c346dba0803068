"""Lifetimes: which results take memory, and the op before which it is free again."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
import torch
import torchvision
from support.models import Forward, floats, weight
from torch import Tensor, nn

from dualcost.costs.memory import Peak, activation_bytes, peak
from dualcost.library import networks as library
from dualcost.network.network import TensorSpec
from dualcost.nn.trace.trace import trace


def memory_of(
    function: Callable[..., Any], *specs: TensorSpec, **attributes: Any
) -> list[tuple[str, tuple[tuple[int, int], ...]]]:
    """The ops of a forward, each with its memory."""
    found = trace(Forward(function, **attributes), specs)
    return [(op.name, op.memory) for op in found.ops]


def test_views_and_operations_in_place_take_no_memory() -> None:
    def forward(m: Any, x: Tensor) -> Tensor:
        y = x.exp()
        z = y.view(-1)[2:].unsqueeze(0)
        z.add_(1)
        z.relu_()
        return y.transpose(0, 1)

    assert memory_of(forward, floats(4, 8)) == [
        ("exp", ((4 * 8 * 4, -1),)),
        ("view", ()),
        ("slice", ()),
        ("unsqueeze", ()),
        ("add_", ()),
        ("relu_", ()),
        ("transpose", ()),
    ]


def test_what_writes_to_the_input_takes_no_memory() -> None:
    assert memory_of(lambda m, x: x.mul_(2), floats(4)) == [("mul_", ())]


def test_a_view_keeps_the_whole_map_alive() -> None:
    def forward(m: Any, x: Tensor) -> Tensor:
        y = x.exp()
        y = y[:1]  # the variable goes to a part, which holds the whole
        y = y.sin()
        return y.cos()

    assert memory_of(forward, floats(4, 8)) == [
        ("exp", ((4 * 8 * 4, 3),)),  # free before cos
        ("slice", ()),
        ("sin", ((8 * 4, -1),)),  # y still holds it when the run ends
        ("cos", ((8 * 4, -1),)),
    ]


def test_a_map_dies_when_its_last_variable_goes_not_at_its_last_use() -> None:
    def lets_go(m: Any, x: Tensor) -> Tensor:
        x = x.exp()
        x = x.sin()
        x = x.cos()
        return x.tan()

    def holds(m: Any, x: Tensor) -> Tensor:
        y = x.exp()
        return y.sin().cos().tan()

    n = 4 * 4
    exp, sin, cos, tan = (name for name, _ in memory_of(lets_go, floats(4)))
    assert memory_of(lets_go, floats(4)) == [
        (exp, ((n, 2),)),
        (sin, ((n, 3),)),
        (cos, ((n, -1),)),
        (tan, ((n, -1),)),
    ]
    assert memory_of(holds, floats(4))[0] == ("exp", ((n, -1),))


def test_a_map_kept_in_a_list_lives_until_the_list_is_used() -> None:
    def forward(m: Any, x: Tensor) -> Tensor:
        found = []
        for _ in range(3):
            x = x.exp()
            found.append(x)
        joined = torch.cat(found)
        del found, x
        joined = joined.sin()
        return joined.cos()

    n = 4 * 4
    net = trace(Forward(forward), (floats(4),))
    assert [op.memory for op in net.ops] == [
        ((n, 4),),
        ((n, 4),),
        ((n, 4),),
        ((3 * n, 5),),
        ((3 * n, -1),),
        ((3 * n, -1),),
    ]
    # the input, three maps in the list, and their concatenation
    assert peak(net) == Peak(n + 3 * n + 3 * n, 3)


def test_indices_of_a_max_pool_that_nobody_asks_for_die_at_once() -> None:
    def forward(m: Any, x: Tensor) -> Tensor:
        pooled = nn.functional.max_pool2d(x, 2)
        del x
        pooled = pooled.exp()
        return pooled.sin()

    def asks(m: Any, x: Tensor) -> Tensor:
        values, indices = nn.functional.max_pool2d(x, 2, return_indices=True)
        return nn.functional.max_unpool2d(values, indices, [2, 2])

    pooled = 3 * 4 * 4
    assert memory_of(forward, floats(1, 3, 8, 8))[0] == (
        "max_pool2d_with_indices",
        ((4 * pooled, 2), (8 * pooled, 1)),  # indices are int64
    )
    assert memory_of(asks, floats(1, 3, 8, 8))[0][1] == ((4 * pooled, -1), (8 * pooled, -1))


def test_each_result_of_an_op_has_its_own_life() -> None:
    def forward(m: Any, x: Tensor) -> Tensor:
        values, indices = x.topk(2)
        del indices
        values = values.exp()
        values = values.sin()
        return values.cos()

    assert memory_of(forward, floats(3, 9))[0] == (
        "topk",
        ((3 * 2 * 4, 2), (3 * 2 * 8, 1)),
    )
    # parts of a split share the memory of the whole
    names = memory_of(lambda m, x: torch.cat(x.exp().split(2)[::-1]), floats(4))
    assert [memory != () for _, memory in names] == [True, False, True]


def test_weights_and_constants_are_no_activations() -> None:
    found = memory_of(lambda m, x: x @ m.w.t() + m.c, floats(2, 3), w=weight(5, 3), c=torch.ones(5))
    assert found == [
        ("t", ()),
        ("mm", ((2 * 5 * 4, -1),)),
        ("add", ((2 * 5 * 4, -1),)),
    ]


def test_a_cast_of_a_weight_is_free_after_its_use() -> None:
    def forward(m: Any, x: Tensor) -> Tensor:
        y: Tensor = x @ m.weight.to(torch.float64)
        return y.exp().sin()

    found = memory_of(forward, TensorSpec((2, 4), "float64"), weight=weight(4, 3))
    assert found[0] == ("_to_copy", ((4 * 3 * 8, 2),))  # free before exp
    assert [name for name, _ in found] == ["_to_copy", "mm", "exp", "sin"]


def test_a_second_trace_of_a_model_finds_the_same_memory() -> None:
    model = torchvision.models.squeezenet1_1()
    first, again = (trace(model, (floats(1, 3, 64, 64),)) for _ in range(2))
    assert first == again


@cache
def packaged() -> list[str]:
    return [f"{origin}:{name}" for origin in library.ORIGINS for name in library.names(origin)[::7]]


@pytest.mark.parametrize("name", packaged())
def test_packaged_traces_free_a_map_after_it_was_last_read(name: str) -> None:
    net = library.load(name)
    for index, op in enumerate(net.ops):
        for nbytes, freed in op.memory:
            assert nbytes >= 0
            assert freed == -1 or index < freed < len(net.ops)
    for index, op in enumerate(net.ops):
        for source in op.inputs:
            if source >= 0 and net.ops[source].memory:
                assert any(freed == -1 or freed > index for _, freed in net.ops[source].memory)
    given = sum(spec.nbytes for spec in net.inputs)
    found = peak(net)
    assert given + max(op.allocated for op in net.ops) <= found.nbytes
    assert found.nbytes <= given + activation_bytes(net)
