"""What each convention counts of networks that are known, and what of a replaced convolution."""

from __future__ import annotations

import pytest
from support.networks import conv, network, plain, site

from dualcost.costs.profile import profile
from dualcost.kinds.kinds import KINDS
from dualcost.library import networks as library
from dualcost.network.cost import CONVENTIONS, UNIT, UNIT_WITH_OPERATIONS, convention
from dualcost.rewrite.request import Request

SAMPLE = [
    "resnet18",
    "vit_b_16",
    "mobilenet_v3_small",
    "deeplabv3_resnet50",
    "swin_t",
    "raft_small",
]


@pytest.mark.parametrize("name", SAMPLE)
def test_conventions_differ_in_what_they_count_and_in_nothing_else(name: str) -> None:
    net = library.load(f"torchvision:{name}")
    by = {one: profile(net, convention=convention(one)) for one in CONVENTIONS}
    for one, found in by.items():
        total = found.before
        assert total.flops == 2 * total.macs + total.operations
        for row in found.rows:
            assert row.before.flops == 2 * row.before.macs + row.before.operations
        for field in ("params", "traffic", "weight_bytes", "activation_bytes"):
            assert getattr(total, field) == getattr(by["torch"].before, field)
        assert found.peak == by["torch"].peak
        assert (total.operations == 0) == (one in ("paper", "torch"))
        assert found.convention.unit == (UNIT if total.operations == 0 else UNIT_WITH_OPERATIONS)
    assert by["paper"].before.macs <= by["torch"].before.macs
    assert by["torch"].before.macs == by["fvcore"].before.macs == by["all"].before.macs
    assert by["fvcore"].before.operations < by["all"].before.operations


def test_free_ops_and_unknown_ones_have_no_operations() -> None:
    for name in SAMPLE:
        for op in library.load(f"torchvision:{name}").ops:
            assert op.operations >= 0
            if op.group in ("free", "embedding", "unknown"):
                assert op.operations == 0


@pytest.mark.parametrize("name", CONVENTIONS)
def test_an_unknown_op_makes_every_convention_partial(name: str) -> None:
    shape = (1, 8, 8, 8)
    net = network(conv("a", site(3, 8)), plain("fft", "unknown", shape, 0))
    found = profile(net, convention=convention(name))
    assert found.partial
    assert found.unknown == {"fft": 1}
    assert found.before.macs == 8 * 8 * 8 * 3 * 3 * 3
    assert not profile(network(conv("a", site(3, 8))), convention=convention(name)).partial


@pytest.mark.parametrize(
    ("kind", "sums"),
    [("standard", 0), ("group", 0), ("dsc", 0), ("dual", 1), ("het", 1)],
)
@pytest.mark.parametrize("bias", [True, False])
def test_the_additions_of_a_recipe_count_under_all_alone(kind: str, sums: int, bias: bool) -> None:
    net = network(conv("a", site(3, 8)), conv("b", site(8, 16, stride=2, bias=bias), 0))
    letter = KINDS[kind].letter
    G, P = (4 if letter == one else None for one in "GP")
    asked = Request.parse(kind, G, P)
    result = 16 * 4 * 4
    for name in CONVENTIONS:
        found = profile(net, asked, convention(name))
        # two maps are added where the kind is a sum, and a bias where there is one
        expected = (sums + bias) * result if name == "all" else 0
        assert found.after.operations == expected
        assert [row.after.operations for row in found.rows if row.replaced] == [expected]
    dropped = profile(net, Request.parse(kind, G, P, bias="drop"), convention("all"))
    assert dropped.after.operations == sums * result
