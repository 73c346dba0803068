"""The records of ops name ops that torch has, and agree with it; every formula has its case."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torchvision  # noqa: F401  # registers its ops
from support.ops import CASES

from dualcost.network.cost import PRODUCTS
from dualcost.network.network import FREE
from dualcost.network.ops import OPERATORS, VIEW, WITHIN
from dualcost.nn.trace import ops
from dualcost.nn.trace.trace import trace

Shape = tuple[int, ...]
Shapes = dict[str, Shape]
FILTERS: Shapes = {"input": (1, 3, 8, 8), "weight": (5, 3, 3, 3)}
CONVOLUTION = FILTERS, (1, 5, 6, 6), 6 * 6 * 27 * 5
QUERY: Shapes = {"query": (2, 3, 5, 8), "key": (2, 3, 7, 8), "value": (2, 3, 7, 6)}
ATTENTION = QUERY, (2, 3, 5, 6), 2 * 3 * 5 * 7 * (8 + 6)
FORMULAS = ops._CONVOLUTIONS.keys() | ops._PRODUCTS.keys()
# Ops of other devices and modes: the shapes of their arguments and of the result, and MACs.
ELSEWHERE: dict[str, tuple[Shapes, Shape, int]] = {
    "_addmm_activation": ({"mat1": (2, 3)}, (2, 5), 2 * 5 * 3),
    "addmv": ({"mat": (4, 3)}, (4,), 4 * 3),
    "linear": ({"input": (2, 7, 3)}, (2, 7, 5), 2 * 7 * 5 * 3),
    "_convolution": CONVOLUTION,
    "convolution_overrideable": CONVOLUTION,
    "scaled_dot_product_attention": ATTENTION,
    "_scaled_dot_product_flash_attention": ATTENTION,
    "_scaled_dot_product_cudnn_attention": ATTENTION,
    "_scaled_dot_product_fused_attention_overrideable": ATTENTION,
}


@pytest.mark.parametrize("name", ELSEWHERE)
def test_the_formula_of_an_op_of_other_devices_is_that_of_its_kind(name: str) -> None:
    shapes, out, macs = ELSEWHERE[name]
    arguments: dict[str, Any] = {key: torch.empty(shape) for key, shape in shapes.items()}
    words = {"stride": [1], "padding": [0], "dilation": [1], "groups": 1}
    result = torch.empty(out)
    if name in ops._CONVOLUTIONS:
        found = ops._CONVOLUTIONS[name](arguments | words, result).macs
    else:
        found = ops._PRODUCTS[name](arguments, result)
    assert found == macs


def test_every_op_with_macs_has_a_case() -> None:
    ran = {
        op.name.rstrip("_")
        for case in CASES.values()
        for op in trace(case.make(), case.inputs).ops
        if op.macs
    }
    assert FORMULAS - ran == set(ELSEWHERE)


def test_every_op_with_macs_has_a_record_in_a_group_of_products() -> None:
    assert not ops._CONVOLUTIONS.keys() & ops._PRODUCTS.keys()
    of_products = {name for name, operator in OPERATORS.items() if operator.group in PRODUCTS}
    assert of_products == FORMULAS


def test_every_record_is_of_one_of_torchs_ops() -> None:
    schemas = (schema.name for schema in torch._C._jit_get_all_schemas())
    known = {name.removeprefix("aten::").rstrip("_") for name in schemas}
    assert [name for name in OPERATORS if name not in known] == []


def test_what_a_machine_calls_for_a_shape_is_a_view_to_torch_too() -> None:
    views = {name for name, operator in OPERATORS.items() if operator.family in (VIEW, WITHIN)}
    assert {OPERATORS[name].group for name in views} == {FREE}
    # it makes a view, and says that it does not
    for name in views - {"_unsafe_view"}:
        packet = getattr(torch.ops.aten, name)
        assert any(ops.is_view(getattr(packet, overload)) for overload in packet.overloads()), name
