"""A kind of one's own goes wherever a kind's name does."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from support.own_kinds import MIXED, TWIN
from torch import nn
from torch.nn import functional as F

import dualcost
from dualcost.errors import ModelError
from dualcost.nn import DualConv2d, RecipeConv2d

M, N, K, G = 16, 24, 3, 4


def net() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, M, K), nn.ReLU(), nn.Conv2d(M, N, K, stride=2, padding=1))


def test_a_chain_of_ones_own_is_counted_and_built() -> None:
    found = dualcost.profile(net(), "1x3x18x18", conv=MIXED, G=G)
    row = found.rows[-1]
    params = K * K * M * M // G + M * N + N  # grouped, pointwise, bias
    macs = (K * K * M * M // G + M * N) * 8 * 8
    assert (row.after.params, row.after.macs) == (params, macs)
    model = dualcost.convert(net(), "1x3x18x18", conv=MIXED, G=G)
    layer = model[2]  # type: ignore[index]  # a Sequential, as before
    assert isinstance(layer, RecipeConv2d)
    assert sum(p.numel() for p in layer.parameters()) == params
    image = torch.rand(1, M, 16, 16)
    between = F.conv2d(image, layer.get_parameter("grouped"), None, 2, 1, 1, G)
    wanted = F.conv2d(between, layer.get_parameter("pointwise"), layer.bias)
    torch.testing.assert_close(layer(image), wanted)


def test_it_is_not_taken_for_the_known_kind_of_that_name() -> None:
    odd = replace(MIXED, name="dual")
    model = dualcost.convert(net(), "1x3x18x18", conv=odd, G=G)
    assert not isinstance(model[2], DualConv2d)  # type: ignore[index]  # as above
    assert model[2].kind is odd  # type: ignore[index]  # as above


def test_a_sum_of_ones_own_starts_from_the_old_kernel_and_a_chain_does_not() -> None:
    model = net()
    image = torch.rand(1, 3, 18, 18)
    # at G=1 nothing is lost
    near = dualcost.convert(model, "1x3x18x18", conv=TWIN, G=1, init="copy")
    torch.testing.assert_close(near(image), model(image))
    with pytest.raises(ModelError, match="how the chain mixed would start"):
        dualcost.convert(model, "1x3x18x18", conv=MIXED, G=1, init="copy")
