"""A model is built and traced without its weights, or with them, or says why it cannot be built."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from support.models import floats
from torch import Tensor, nn

from dualcost.errors import ModelError
from dualcost.nn.sources.build import build
from dualcost.nn.trace.trace import trace


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


class Mixed(nn.Module):
    """Draws its weights, and scales them by small real tensors while it is made."""

    def __init__(self) -> None:
        super().__init__()
        size = 10**6
        self.weight = nn.Parameter(torch.rand(size, size) * torch.arange(1.0, size + 1))

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.weight


def test_a_model_that_mixes_what_it_draws_with_real_tensors_is_built_without_weights() -> None:
    network = trace(build(Mixed, "Mixed"), [floats(1, 10**6)])
    assert (network.macs, network.params) == (10**12, 10**12)


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
