"""The ops that stand for a recipe are those that its module runs, one by one."""

from __future__ import annotations

from itertools import product

import pytest

from dualcost.kinds.kinds import KINDS
from dualcost.library import networks as library
from dualcost.network.network import Op, TensorSpec
from dualcost.network.site import ConvSite
from dualcost.nn.layers.kinds import MODULES
from dualcost.nn.trace.trace import trace
from dualcost.rewrite.lowering import executed, recipe_ops
from dualcost.rewrite.request import Rewrite
from dualcost.rewrite.rewrite import rewrite

SIZES = (*product((1, 2, 3, 5), (1, 2), (0, 1, 2), (1, 2)), (3, 3, 1, 1), (5, 3, 0, 2))
M, N, SIDES, BATCH = 12, 24, (17, 20), 2


def on_maps(ops: tuple[Op, ...]) -> list[Op]:
    """The ops that read and make maps; not the views, and not the sorting of a bias."""
    return [op for op in ops if op.in_shapes and len(op.out_shapes[0]) == 4 and op.name != "split"]


def facts(op: Op) -> tuple[object, ...]:
    maps = [shape for shape in op.in_shapes if len(shape) == 4]
    return op.name, op.group, maps, op.out_shapes[0], op.macs, op.site, op.operations


@pytest.mark.parametrize(
    ("name", "divisor"),
    [(name, n) for name in MODULES for n in ((1, 2, 3, 4, 6) if KINDS[name].letter else (1,))],
)
def test_the_ops_of_a_recipe_are_those_of_its_module(name: str, divisor: int) -> None:
    letter = KINDS[name].letter
    for number, (K, stride, padding, dilation) in enumerate(SIZES):
        bias = number % 2 == 0
        words = {letter: divisor} if letter else {}
        module = MODULES[name](M, N, K, stride, padding, dilation, bias=bias, **words)  # type: ignore[arg-type]  # G or P
        traced = on_maps(trace(module, [TensorSpec((BATCH, M, *SIDES))]).ops)
        site = ConvSite(
            M, N, (K, K), (stride,) * 2, (padding,) * 2, (dilation,) * 2, 1, bias, False, SIDES,
            traced[-1].out_shapes[0][2:], BATCH,
        )  # fmt: skip
        ours = recipe_ops(KINDS[name], site, divisor, bias=bias)
        assert [facts(op) for op in ours] == [facts(op) for op in traced]


@pytest.mark.parametrize("conv", ["standard", "dsc", "group", "het", "dual"])
@pytest.mark.parametrize("name", ["resnet18", "zoo:yolov3-voc"])
def test_the_executed_macs_are_those_of_the_rewrite(name: str, conv: str) -> None:
    network = library.load(name)
    kind = KINDS[conv]
    rewritten = rewrite(network, Rewrite(kind, 4 if kind.letter else 1))
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
    rewritten = rewrite(network, Rewrite.parse("dual", G=4, bias=bias))
    replaced = {one.ops[-1] for one in rewritten.replacements}
    grouped = [
        one.op.site
        for one in executed(rewritten)
        if one.index in replaced and one.op.site is not None and one.op.site.groups == 4
    ]
    assert grouped and {site.bias for site in grouped} == {bias == "keep"}
