"""Blocks are the pairs and residuals that one convolution may stand for, and nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from support.models import Forward, floats, weight
from support.networks import of_kind, quickly
from torch import Tensor, nn

from dualcost.network.network import INVERTED_RESIDUAL, SEPARABLE
from dualcost.nn.trace.trace import trace

# --- found by data flow ---------------------------------------------------------------------------

ACTIVATIONS: list[Callable[[Tensor], Tensor]] = [F.relu, F.silu, F.hardswish, torch.tanh]


@quickly
@given(
    st.integers(2, 6),
    st.integers(1, 6),
    st.sampled_from([3, 5]),
    st.integers(1, 2),
    st.integers(1, 2),
    st.sampled_from(ACTIVATIONS),
    st.booleans(),
)
def test_a_separable_pair_is_found_in_code_without_modules(
    M: int,
    N: int,
    K: int,
    stride: int,
    dilation: int,
    act: Callable[[Tensor], Tensor],
    normed: bool,
) -> None:
    padding = dilation * (K - 1) // 2

    def forward(self: Any, x: Tensor) -> Tensor:
        x = F.conv2d(x, self.taps, stride=stride, padding=padding, dilation=dilation, groups=M)
        if normed:
            x = F.group_norm(x, 1)
        return F.conv2d(act(x), self.mix) + 1

    network = trace(
        Forward(forward, taps=weight(M, 1, K, K), mix=weight(N, M, 1, 1)), [floats(2, M, 8, 8)]
    )
    (block,) = network.blocks
    names = [network.ops[index].name for index in block.ops]
    assert (block.kind, block.path, block.module) == (SEPARABLE, "", "Forward")
    assert len(names) == (4 if normed else 3)
    assert (names[0], names[-1]) == ("convolution", "convolution")
    # the convolution that would stand for it, as torch runs it
    replacing = nn.Conv2d(M, N, K, stride, padding, dilation, bias=False)
    (op,) = trace(replacing, [floats(2, M, 8, 8)]).ops
    assert block.site == op.site


def bottleneck(
    M: int = 4, T: int = 12, N: int = 4, K: int = 3, stride: int = 1, **options: Any
) -> dict[str, nn.Module]:
    """The three convolutions of an inverted residual."""
    return {
        "expand": nn.Conv2d(M, T, 1, **options.get("first", {})),
        "spread": nn.Conv2d(T, T, K, stride, K // 2, groups=T, **options.get("middle", {})),
        "project": nn.Conv2d(T, N, 1, **options.get("last", {})),
    }


@quickly
@given(
    st.integers(1, 4),
    st.integers(1, 4),
    st.sampled_from([3, 5]),
    st.integers(1, 2),
    st.booleans(),
    st.booleans(),
)
def test_an_inverted_residual_is_found_whatever_its_class_is_called(
    M: int, N: int, K: int, stride: int, gated: bool, shortcut: bool
) -> None:
    def forward(self: Any, x: Tensor) -> Any:
        y = F.relu6(self.spread(F.relu6(self.expand(x))))
        if gated:
            y = y * torch.sigmoid(self.excite(F.relu(self.squeeze(y.mean((2, 3), keepdim=True)))))
        y = self.project(y)
        return x + y if shortcut and M == N and stride == 1 else y

    T = 2 * max(M, N)
    parts = bottleneck(M, T, N, K, stride)
    gate = {"squeeze": nn.Conv2d(T, 2, 1), "excite": nn.Conv2d(2, T, 1)} if gated else {}
    network = trace(Forward(forward, **parts, **gate), [floats(1, M, 8, 8)])
    found = Counter(block.kind for block in network.blocks)
    # behind the gate, depthwise and pointwise are no pair
    assert found == {INVERTED_RESIDUAL: 1} | ({} if gated else {SEPARABLE: 1})
    (block,) = of_kind(network, INVERTED_RESIDUAL)
    # everything up to the projection, and nothing of the shortcut
    assert block.ops == tuple(
        index for index, op in enumerate(network.ops) if index <= block.ops[-1]
    )
    assert network.ops[block.ops[-1]].path == "project"
    (op,) = trace(nn.Conv2d(M, N, K, stride, K // 2), [floats(1, M, 8, 8)]).ops
    assert block.site == op.site


class InvertedResidual(nn.Module):
    """Called as torchvision and timm call theirs; its expansion does not expand, or is absent."""

    def __init__(self, expansion: bool) -> None:
        super().__init__()
        first = [nn.Conv2d(4, 4, 1), nn.ReLU()] if expansion else []
        self.layers = nn.Sequential(
            *first, nn.Conv2d(4, 4, 3, padding=1, groups=4), nn.ReLU(), nn.Conv2d(4, 4, 1)
        )

    def forward(self, x: Tensor) -> Any:
        return x + self.layers(x)


class Renamed(InvertedResidual):
    """The same under a name that says nothing."""


@pytest.mark.parametrize("expansion", [True, False])
def test_a_known_module_type_tells_what_data_flow_does_not(expansion: bool) -> None:
    known = trace(nn.Sequential(InvertedResidual(expansion)), [floats(1, 4, 8, 8)])
    other = trace(nn.Sequential(Renamed(expansion)), [floats(1, 4, 8, 8)])
    (block,) = of_kind(known, INVERTED_RESIDUAL)
    assert (block.path, block.module) == ("0", "InvertedResidual")
    assert len(block.ops) == (5 if expansion else 3)  # convolutions and what is between them
    assert of_kind(other, INVERTED_RESIDUAL) == []
    assert of_kind(other, SEPARABLE) == of_kind(known, SEPARABLE) != []


def test_two_separable_pairs_in_a_row_are_no_inverted_residual() -> None:
    def pair(M: int, N: int) -> list[nn.Module]:
        return [nn.Conv2d(M, M, 3, groups=M), nn.ReLU(), nn.Conv2d(M, N, 1), nn.ReLU()]

    network = trace(nn.Sequential(*pair(4, 8), *pair(8, 16)), [floats(1, 4, 8, 8)])
    assert Counter(block.kind for block in network.blocks) == {SEPARABLE: 2}


# --- not to be found ------------------------------------------------------------------------------


def taken(self: Any, x: Tensor) -> Any:
    x = F.relu(self.spread(self.expand(x)))
    return self.project(x), x


def added(self: Any, x: Tensor) -> Any:
    x = F.relu(self.spread(self.expand(x)))
    return self.project(x) + x.mean()


def gate_taken(self: Any, x: Tensor) -> Any:
    x = self.spread(self.expand(x))
    gate = torch.sigmoid(x.mean((2, 3), keepdim=True))
    return self.project(x * gate) + gate.mean()


def gated_map_taken(self: Any, x: Tensor) -> Any:
    x = self.spread(self.expand(x))
    return self.project(x * torch.sigmoid(x.mean((2, 3), keepdim=True))) + x.mean()


def gated_from_outside(self: Any, x: Tensor) -> Any:
    gate = torch.sigmoid(self.other(x))
    return self.project(self.spread(self.expand(x)) * gate)


def normed_from_outside(self: Any, x: Tensor) -> Any:
    style = self.other(x.mean((2, 3), keepdim=True)).flatten()
    return self.project(F.group_norm(self.spread(self.expand(x)), 1, style))


def expansion_taken(self: Any, x: Tensor) -> Any:
    wide = self.expand(x)
    return self.project(self.spread(wide)) + wide.mean()


def pooled(self: Any, x: Tensor) -> Any:
    return self.project(F.max_pool2d(self.spread(F.avg_pool2d(self.expand(x), 2)), 2))


def shortened(self: Any, x: Tensor) -> Any:
    wide = self.expand(x)
    return self.project(self.spread(wide) + wide)


def straight(self: Any, x: Tensor) -> Any:
    return self.project(self.spread(self.expand(x)))


NEITHER: dict[str, nn.Module] = {
    "the map between is returned": Forward(taken, **bottleneck()),
    "the map between is read elsewhere": Forward(added, **bottleneck()),
    "the gate is read elsewhere": Forward(gate_taken, **bottleneck()),
    "the gated map is read elsewhere": Forward(gated_map_taken, **bottleneck()),
    "the gate comes from elsewhere": Forward(
        gated_from_outside, **bottleneck(), other=nn.Conv2d(4, 12, 1)
    ),
    "the gate is a constant map": Forward(
        lambda self, x: self.project(self.spread(self.expand(x)) * self.map),
        **bottleneck(),
        map=torch.ones(1, 12, 8, 8),
    ),
    "a norm is told its weights from elsewhere": Forward(
        normed_from_outside, **bottleneck(), other=nn.Conv2d(4, 12, 1)
    ),
    "a pooling between": Forward(pooled, **bottleneck()),
    "a shortcut ends between": Forward(shortened, **bottleneck()),
    "a pointwise with a stride": Forward(straight, **bottleneck(last={"stride": 2})),
    "a pointwise with a padding": Forward(straight, **bottleneck(last={"padding": 1})),
    "a depth multiplier of 2": nn.Sequential(
        nn.Conv2d(4, 8, 3, groups=4), nn.ReLU(), nn.Conv2d(8, 4, 1)
    ),
    "groups that are not channels": nn.Sequential(
        nn.Conv2d(4, 4, 3, groups=2), nn.ReLU(), nn.Conv2d(4, 8, 1)
    ),
    "a transposed depthwise": nn.Sequential(
        nn.ConvTranspose2d(4, 4, 3, groups=4), nn.ReLU(), nn.Conv2d(4, 8, 1)
    ),
    "a transposed pointwise": nn.Sequential(
        nn.Conv2d(4, 4, 3, groups=4), nn.ReLU(), nn.ConvTranspose2d(4, 8, 1)
    ),
    "a pointwise in groups": nn.Sequential(
        nn.Conv2d(4, 4, 3, groups=4), nn.ReLU(), nn.Conv2d(4, 8, 1, groups=2)
    ),
    "a map that is a parameter": Forward(
        lambda self, x: x + F.conv2d(F.relu(self.map), self.mix),
        map=weight(1, 4, 8, 8),
        mix=weight(4, 4, 1, 1),
    ),
}


@pytest.mark.parametrize("name", NEITHER)
def test_what_cannot_be_replaced_as_a_whole_is_no_block(name: str) -> None:
    network = trace(NEITHER[name], [floats(1, 4, 8, 8)])
    assert network.convolutions
    assert network.blocks == ()


def test_a_tap_at_the_expansion_leaves_the_pair_behind_it() -> None:
    network = trace(Forward(expansion_taken, **bottleneck()), [floats(1, 4, 8, 8)])
    assert [block.kind for block in network.blocks] == [SEPARABLE]


def test_a_stride_at_the_expansion_leaves_the_pair_behind_it() -> None:
    model = Forward(straight, **bottleneck(first={"stride": 2}))
    network = trace(model, [floats(1, 4, 8, 8)])
    assert [block.kind for block in network.blocks] == [SEPARABLE]


def test_the_bottleneck_that_these_are_made_from_is_a_block() -> None:
    """So each of them fails for what its name says."""
    network = trace(Forward(straight, **bottleneck()), [floats(1, 4, 8, 8)])
    assert [block.kind for block in network.blocks] == [SEPARABLE, INVERTED_RESIDUAL]
