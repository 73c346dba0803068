"""What each convention counts: against fvcore itself, and against totals written out by hand."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torchvision
from fvcore.nn import FlopCountAnalysis
from support.models import Forward, counted, floats, tensor_of
from support.networks import mobile
from torch import Tensor, nn

from dualcost.costs.profile import profile
from dualcost.kinds.kinds import KINDS
from dualcost.network.blocks import find_blocks
from dualcost.network.cost import CONVENTIONS, Cost, convention
from dualcost.network.network import TensorSpec
from dualcost.nn.trace.trace import trace
from dualcost.rewrite.request import Request


def costs(model: nn.Module, *specs: TensorSpec, by: str) -> dict[str, Cost]:
    """The cost of each op that costs anything under a convention, all of one name added up."""
    found: dict[str, Cost] = {}
    for row in profile(trace(model, specs), convention=convention(by)).rows:
        found[row.op] = found.get(row.op, Cost()) + row.before
    return {name: cost for name, cost in found.items() if cost.flops}


def operations(model: nn.Module, *specs: TensorSpec) -> dict[str, int]:
    """What every op does besides multiply-accumulates."""
    return {op: cost.operations for op, cost in costs(model, *specs, by="all").items()}


# --- fvcore: the real one

# What fvcore calls an op, and what runs instead.
THEIRS = {
    "conv": ("convolution",),
    "linear": ("addmm", "mm", "linear"),
    "matmul": ("bmm",),
    "batch_norm": ("native_batch_norm",),
    "layer_norm": ("native_layer_norm",),
    "group_norm": ("native_group_norm",),
    "adaptive_avg_pool2d": ("mean", "_adaptive_avg_pool2d"),
    "upsample_nearest2d": ("upsample_nearest2d",),
    "upsample_bilinear2d": ("upsample_bilinear2d",),
}


class Attention(nn.Module):
    """Patches, attention written out (fvcore does not see a fused one), norms, and a classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 16, 4, 4)
        self.first, self.last = nn.LayerNorm(16), nn.LayerNorm(16, elementwise_affine=False)
        self.queries, self.out, self.head = nn.Linear(16, 48), nn.Linear(16, 16), nn.Linear(16, 5)

    def forward(self, image: Tensor) -> Tensor:
        tokens = self.patches(image).flatten(2).transpose(1, 2)
        q, k, v = self.queries(self.first(tokens)).chunk(3, -1)
        tokens = tokens + self.out((q @ k.transpose(1, 2)).softmax(-1) @ v)
        result: Tensor = self.head(self.last(tokens).mean(1))
        return result


def decoder() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.GroupNorm(2, 8),
        nn.Upsample(scale_factor=2),
        nn.Conv2d(8, 8, 1, bias=False),
        nn.GroupNorm(4, 8, affine=False),
        nn.Upsample(scale_factor=2, mode="bilinear"),
        nn.BatchNorm2d(8, affine=False),
        nn.AdaptiveAvgPool2d(3),
    )


def upwards() -> nn.Module:
    return nn.Sequential(
        nn.ConvTranspose2d(3, 8, 3, 2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(8, 3),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("factory", "spec"),
    [
        (torchvision.models.resnet18, floats(1, 3, 64, 64)),
        (torchvision.models.mobilenet_v2, floats(2, 3, 64, 64)),
        (torchvision.models.densenet121, floats(1, 3, 64, 64)),
        (Attention, floats(2, 3, 16, 16)),
        (decoder, floats(2, 3, 8, 8)),
        (upwards, floats(2, 3, 8, 8)),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_the_fvcore_convention_says_what_fvcore_says(
    factory: Callable[[], nn.Module], spec: TensorSpec
) -> None:
    model = factory().eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch's own tracer, under fvcore
        theirs = FlopCountAnalysis(model, (tensor_of(spec),))
        theirs.unsupported_ops_warnings(False)
        by_operator = dict(theirs.by_operator())
        total = theirs.total()
    ours = costs(model, spec, by="fvcore")
    sums = {
        name: sum(ours[op].macs + ours[op].operations for op in ops if op in ours)
        for name, ops in THEIRS.items()
    }
    assert {name: count for name, count in sums.items() if count} == by_operator
    # its total adds multiply-accumulates and estimates of other operations, each as one
    assert sum(cost.macs + cost.operations for cost in ours.values()) == total
    # only products have MACs, and what fvcore estimates besides has none
    assert all(not (cost.macs and cost.operations) for cost in ours.values())


def test_fvcore_estimates_norms_by_their_weights_by_hand() -> None:
    elements = 2 * 8 * 5 * 5
    for norm, operation, each in (
        (nn.BatchNorm2d(8), "native_batch_norm", 2),
        (nn.BatchNorm2d(8, affine=False), "native_batch_norm", 1),
        (nn.GroupNorm(2, 8), "native_group_norm", 5),
        (nn.GroupNorm(2, 8, affine=False), "native_group_norm", 4),
        (nn.LayerNorm([8, 5, 5]), "native_layer_norm", 5),
        (nn.LayerNorm(5, elementwise_affine=False), "native_layer_norm", 4),
    ):
        found = costs(norm, floats(2, 8, 5, 5), by="fvcore")
        assert found.keys() == {operation}
        assert found[operation].operations == each * elements


# --- all: every operation, written out

SIDE = 8
MAP = 8 * SIDE * SIDE  # 8 channels of a map
IMAGE = floats(1, 3, SIDE, SIDE)
HIDDEN = floats(1, 8, SIDE, SIDE)


def small() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2),
        nn.AvgPool2d(2), nn.Flatten(), nn.Linear(32, 10), nn.Softmax(-1),
    )  # fmt: skip


def test_all_counts_every_operation_of_a_small_network() -> None:
    found = costs(small(), IMAGE, by="all")
    assert {op: (cost.macs, cost.operations) for op, cost in found.items()} == {
        "convolution": (MAP * 3 * 3 * 3, MAP),  # one bias is added to each element
        "native_batch_norm": (0, 2 * MAP),  # a product and a sum, folded from the statistics
        "relu": (0, MAP),
        "max_pool2d_with_indices": (0, 8 * 4 * 4 * (2 * 2 - 1)),  # comparisons
        "avg_pool2d": (0, 8 * 2 * 2 * (2 * 2)),  # three sums and a division
        "addmm": (32 * 10, 10),  # and a bias
        "_softmax": (0, 5 * 10),  # maximum, difference, exp, sum, division
    }
    total = profile(trace(small(), (IMAGE,)), convention=convention("all")).before
    assert total.macs == 512 * 27 + 320
    assert total.operations == 512 + 1024 + 512 + 128 * 3 + 32 * 4 + 10 + 50
    assert total.flops == 2 * total.macs + total.operations


def test_a_bias_that_is_not_there_is_not_added() -> None:
    assert operations(nn.Conv2d(3, 8, 3, bias=False), IMAGE) == {"convolution": 0}
    assert operations(nn.Linear(8, 5, bias=False), floats(7, 8)) == {"mm": 0}
    assert operations(nn.Linear(8, 5), floats(7, 8)) == {"addmm": 7 * 5}
    # (8 - 1)*2 + 3 = 17 on each side
    transposed = nn.ConvTranspose2d(3, 8, 3, stride=2)
    assert operations(transposed, IMAGE) == {"convolution": 8 * 17 * 17}


@pytest.mark.parametrize(
    ("module", "each"),
    [
        (nn.ReLU(), 1),
        (nn.ReLU(inplace=True), 1),
        (nn.ReLU6(), 2),  # two comparisons
        (nn.LeakyReLU(), 2),  # a comparison and a product
        (nn.Tanh(), 1),
        (nn.Sigmoid(), 4),  # negate, exp, add, divide
        (nn.SiLU(), 5),  # and a product
        (nn.Hardsigmoid(), 4),  # add, two comparisons, divide
        (nn.Hardswish(), 5),  # and a product
        (nn.GELU(), 5),  # divide, erf, add, two products
        (nn.Softmax(1), 5),
        (nn.BatchNorm2d(8), 2),
        (nn.LayerNorm([8, SIDE, SIDE]), 7),  # mean, variance (two), their use (two), weights (two)
        (nn.LayerNorm(SIDE, elementwise_affine=False), 5),
        (nn.GroupNorm(2, 8), 7),
        # these compute statistics in eval mode too
        (nn.InstanceNorm2d(8), 5),
        (nn.InstanceNorm2d(8, affine=True), 7),
        (nn.BatchNorm2d(8, track_running_stats=False), 7),
        (nn.Identity(), 0),
        (nn.Dropout(), 0),
        (nn.Flatten(), 0),
        (nn.ZeroPad2d(1), 0),
        (nn.PixelShuffle(2), 0),
    ],
    ids=repr,
)
def test_an_operation_for_each_element(module: nn.Module, each: int) -> None:
    found = operations(module, HIDDEN)
    assert sum(found.values()) == each * MAP
    assert all(cost.macs == 0 for cost in costs(module, HIDDEN, by="all").values())


def test_pools_and_resizes_by_hand() -> None:
    assert operations(nn.MaxPool2d(3, 2, 1), HIDDEN) == {
        "max_pool2d_with_indices": 8 * 4 * 4 * (3 * 3 - 1)
    }
    assert operations(nn.MaxPool2d((1, 2)), HIDDEN) == {
        "max_pool2d_with_indices": 8 * 8 * 4 * (1 * 2 - 1)
    }
    assert operations(nn.AvgPool2d(4), HIDDEN) == {"avg_pool2d": 8 * 2 * 2 * (4 * 4)}
    assert operations(nn.AvgPool3d(2), floats(1, 8, 4, 4, 4)) == {"avg_pool3d": 8 * 8 * 2**3}
    assert operations(nn.AdaptiveAvgPool2d(1), HIDDEN) == {"mean": MAP}  # every element is added
    assert operations(nn.AdaptiveAvgPool2d(2), HIDDEN) == {"_adaptive_avg_pool2d": MAP}
    # a nearest neighbour is copied; of four neighbours: four products and three sums
    assert operations(nn.Upsample(scale_factor=2), HIDDEN) == {}
    bilinear = nn.Upsample(scale_factor=2, mode="bilinear")
    assert operations(bilinear, HIDDEN) == {"upsample_bilinear2d": 7 * 4 * MAP}


def test_sums_products_and_reductions_by_hand() -> None:
    x, n = floats(4, 6), 4 * 6
    assert operations(Forward(lambda m, x: x + 1), x) == {"add": n}
    assert operations(Forward(lambda m, x: x.mul_(2)), x) == {"mul_": n}
    assert operations(Forward(lambda m, x: x.sum(1)), x) == {"sum": n}
    assert operations(Forward(lambda m, x: x.amax(0)), x) == {"amax": n}
    assert operations(Forward(lambda m, x: x.std(1)), x) == {"std": 4 * n}
    assert operations(Forward(lambda m, x: x.clamp(0, 1)), x) == {"clamp": 2 * n}
    # a row and a column make a table of 4*6
    assert operations(Forward(lambda m, x: x[:, :1] * x[:1]), x) == {"mul": n}
    assert operations(Forward(lambda m, x: torch.cat([x, x]).t()), x) == {}


def test_attention_scales_and_weighs_every_score() -> None:
    def forward(m: Any, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return nn.functional.scaled_dot_product_attention(q, k, v)

    batch, heads, queries, keys, width = 2, 3, 5, 7, 4
    shape = batch, heads
    specs = (
        floats(*shape, queries, width), floats(*shape, keys, width), floats(*shape, keys, width)
    )  # fmt: skip
    (cost,) = costs(Forward(forward), *specs, by="all").values()
    scores = batch * heads * queries * keys
    assert cost.macs == 2 * scores * width
    assert cost.operations == (1 + 5) * scores  # scale, and softmax


# --- what the conventions have in common


def test_the_default_has_the_multiply_accumulates_of_torchs_counter() -> None:
    for name in CONVENTIONS:
        total = profile(trace(small(), (IMAGE,)), convention=convention(name)).before
        assert total.macs == counted(small(), IMAGE)


# --- what is replaced


def test_what_leaves_with_a_block_takes_its_operations_with_it() -> None:
    ops = mobile(8, 32, 16)
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1, bias=False),
        nn.Conv2d(8, 32, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU(),
        nn.Conv2d(32, 32, 3, padding=1, groups=32, bias=False), nn.BatchNorm2d(32), nn.ReLU(),
        nn.Conv2d(32, 16, 1, bias=False), nn.BatchNorm2d(16),
    )  # fmt: skip
    net = trace(model, (IMAGE,))
    assert [b.kind for b in net.blocks] == [b.kind for b in find_blocks(ops, {})]
    found = profile(net, Request.parse("dual", G=4, where="inverted-residual"), convention("all"))
    position = SIDE * SIDE
    # two norms and two activations of 32 channels, and the norm behind the block
    assert found.before.operations == position * (2 * (2 + 1) * 32 + 2 * 16)
    # the sum of dual's two parts, and that norm
    assert found.after.operations == position * (16 + 2 * 16)


def test_a_converted_model_does_the_operations_that_were_promised() -> None:
    from dualcost.nn.convert.convert import convert

    model = torchvision.models.resnet18()
    spec = floats(1, 3, 64, 64)
    for kind in ("standard", "group", "dsc", "dual"):
        G = 4 if KINDS[kind].letter else None
        asked = Request.parse(kind, G, None, "kernel>1 first=no")
        promised = profile(trace(model, (spec,)), asked, convention("all")).after
        found = profile(trace(convert(model, asked, (spec,)), (spec,)), None, convention("all"))
        assert (found.before.macs, found.before.operations) == (
            promised.macs,
            promised.operations,
        )
        assert found.before.params == promised.params
        assert found.before.traffic == promised.traffic
