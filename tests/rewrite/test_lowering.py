"""The ops that stand for a recipe are those that its module runs, one by one."""

from __future__ import annotations

import pytest

from dualcost.kinds.kinds import KINDS
from dualcost.library import networks as library
from dualcost.rewrite.lowering import executed
from dualcost.rewrite.request import Request
from dualcost.rewrite.rewrite import rewrite


@pytest.mark.parametrize("conv", ["standard", "dsc", "group", "het", "dual"])
@pytest.mark.parametrize("name", ["resnet18", "zoo:yolov3-voc"])
def test_the_executed_macs_are_those_of_the_rewrite(name: str, conv: str) -> None:
    network = library.load(name)
    kind = KINDS[conv]
    rewritten = rewrite(network, Request(kind, 4 if kind.letter else 1))
    gone = {index for one in rewritten.replacements for index in one.ops}
    kept = sum(op.macs for index, op in enumerate(network.ops) if index not in gone)
    new = sum(one.cost.macs for one in rewritten.replacements)
    assert sum(one.op.macs for one in executed(rewritten)) == kept + new


def test_a_network_as_it_is_runs_its_own_ops() -> None:
    network = library.load("resnet18")
    assert [one.op for one in executed(network)] == [*network.ops]
    assert [one.index for one in executed(network)] == [*range(len(network.ops))]


@pytest.mark.parametrize("bias", ["keep", "drop"])
def test_a_recipe_has_the_bias_of_what_it_replaces_unless_it_is_dropped(bias: str) -> None:
    network = library.load("vgg11")  # its convolutions have biases
    rewritten = rewrite(network, Request.parse("dual", G=4, bias=bias))
    replaced = {one.ops[-1] for one in rewritten.replacements}
    grouped = [
        one.op.site
        for one in executed(rewritten)
        if one.index in replaced and one.op.site is not None and one.op.site.groups == 4
    ]
    assert grouped and {site.bias for site in grouped} == {bias == "keep"}
