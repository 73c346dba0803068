"""The ops that stand for a recipe are those that its module runs, one by one."""

from __future__ import annotations

from itertools import product

import pytest

from dualcost.kinds.kinds import KINDS
from dualcost.network.network import Op, TensorSpec
from dualcost.network.site import ConvSite
from dualcost.nn.layers.kinds import MODULES
from dualcost.nn.trace.trace import trace
from dualcost.rewrite.lowering import recipe_ops

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
