"""Costs add up, and a convention counts what it says, op by op."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.networks import plain

from dualcost.errors import UnknownNameError
from dualcost.network.cost import CONVENTIONS, Cost, convention, ratio
from dualcost.network.network import NORM, POOLING, RESIZE, Op

MAP = (2, 8, 5, 5)
ELEMENTS = 2 * 8 * 5 * 5


def test_costs_add_and_divide() -> None:
    one, ten = Cost(1, 2, 3, 4, 5, 6), Cost(10, 20, 30, 40, 50, 60)
    assert one + ten == Cost(11, 22, 33, 44, 55, 66)
    assert Cost(21).flops == 42
    assert Cost(21, operations=7).flops == 2 * 21 + 7
    assert Cost(21, traffic=10, operations=8).intensity == 5.0
    assert Cost(21).intensity is None
    assert ratio(1, 4) == 0.25
    assert ratio(0, 4) == 0.0
    assert ratio(4, 0) is None


def test_conventions_are_known_by_name() -> None:
    assert list(CONVENTIONS) == ["paper", "torch", "fvcore", "all"]
    assert all(convention(name) is CONVENTIONS[name] for name in CONVENTIONS)
    with pytest.raises(UnknownNameError, match="no convention is called 'papre'") as refused:
        convention("papre")
    assert refused.value.hint == "did you mean paper?"


def with_weights(op: Op, module: str = "") -> Op:
    return replace(op, parameters=("weight", "bias"), module=module)


def shrinking(name: str, out: tuple[int, ...], read: tuple[int, ...] = MAP, module: str = "") -> Op:
    return Op(name, "", module, POOLING, (-1,), (read,), (out,))


# tests/nn/trace/test_conventions.py asks fvcore itself; here is what it says, by hand
@pytest.mark.parametrize(
    ("op", "operations"),
    [
        (plain("native_batch_norm", NORM, MAP, -1), ELEMENTS),
        (with_weights(plain("native_batch_norm", NORM, MAP, -1)), 2 * ELEMENTS),
        # an instance norm runs as a batch norm, and is estimated as the other norms
        (with_weights(plain("native_batch_norm", NORM, MAP, -1), "InstanceNorm2d"), 5 * ELEMENTS),
        (replace(plain("native_batch_norm", NORM, MAP, -1), module="InstanceNorm2d"), 4 * ELEMENTS),
        (with_weights(plain("native_layer_norm", NORM, MAP, -1)), 5 * ELEMENTS),
        (plain("native_layer_norm", NORM, MAP, -1), 4 * ELEMENTS),
        (with_weights(plain("native_group_norm", NORM, MAP, -1)), 5 * ELEMENTS),
        (plain("native_group_norm", NORM, MAP, -1), 4 * ELEMENTS),
        (shrinking("_adaptive_avg_pool2d", (2, 8, 3, 3)), ELEMENTS),
        (shrinking("mean", (2, 8, 1, 1)), ELEMENTS),  # an adaptive pool to 1×1
        (shrinking("mean", (2, 8, 1, 5)), 0),  # one side alone is a plain mean
        (shrinking("mean", (2, 8)), 0),
        (shrinking("mean", (2, 8, 1, 1), (2, 8, 4)), 0),
        (shrinking("sum", (2, 8, 1, 1)), 0),
        (shrinking("mean", (2, 8, 1, 1), module="AdaptiveAvgPool1d"), 0),
        (shrinking("_adaptive_avg_pool2d", (2, 8, 1), module="AdaptiveAvgPool1d"), 0),
        (plain("upsample_nearest2d", RESIZE, MAP, -1), ELEMENTS),
        (plain("upsample_bilinear2d", RESIZE, MAP, -1), 4 * ELEMENTS),
        (plain("grid_sampler_2d", RESIZE, MAP, -1), 4 * ELEMENTS),
        (plain("upsample_bicubic2d", RESIZE, MAP, -1), 0),
        (Op("native_batch_norm", "", "", NORM, (), (), ()), 1),  # a scalar, read from nowhere
        (Op("upsample_nearest2d", "", "", RESIZE, (), (), ()), 1),
    ],
    ids=lambda value: getattr(value, "name", str(value)),
)
def test_fvcores_estimates_by_hand(op: Op, operations: int) -> None:
    counts = convention("fvcore").operations
    assert counts is not None
    assert counts(op) == operations


def test_all_other_operations_are_those_that_the_op_did() -> None:
    counts = convention("all").operations
    assert counts is not None
    assert counts(replace(plain("relu", NORM, MAP, -1), operations=7)) == 7
    assert convention("torch").operations is convention("paper").operations is None
