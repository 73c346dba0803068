"""The tables of ops name ops that torch has, each once, and every formula has its case."""

from __future__ import annotations

from collections.abc import Collection
from itertools import combinations
from typing import Any

import pytest
import torch
import torchvision  # noqa: F401  # registers its ops
from support.ops import CASES

from dualcost.nn.trace import operations, ops
from dualcost.nn.trace.trace import trace

Names = Collection[str]
KINDS_OF_OP: dict[str, Names] = {
    "groups": ops.GROUP_OF,
    "convolutions": ops._CONVOLUTIONS,
    "products": ops._PRODUCTS,
    "other products": ops._OTHERS,
}
OTHER_OPERATIONS: dict[str, Names] = {
    "per element": operations._PER_ELEMENT,
    "per input": operations._PER_INPUT,
    "reductions": operations._REDUCTIONS,
    "sorts": operations._SORTS,
    "special": operations._SPECIAL,
}

Shape = tuple[int, ...]
Shapes = dict[str, Shape]
FILTERS: Shapes = {"input": (1, 3, 8, 8), "weight": (5, 3, 3, 3)}
CONVOLUTION = FILTERS, (1, 5, 6, 6), 6 * 6 * 27 * 5
QUERY: Shapes = {"query": (2, 3, 5, 8), "key": (2, 3, 7, 8), "value": (2, 3, 7, 6)}
ATTENTION = QUERY, (2, 3, 5, 6), 2 * 3 * 5 * 7 * (8 + 6)
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
    elif name in ops._PRODUCTS:
        found = ops._PRODUCTS[name](arguments, result)
    else:
        found = ops._OTHERS[name][1](arguments, result)
    assert found == macs


def test_every_op_with_macs_has_a_case() -> None:
    ran = {
        op.name.rstrip("_")
        for case in CASES.values()
        for op in trace(case.make(), case.inputs).ops
        if op.macs
    }
    tables = (ops._CONVOLUTIONS, ops._PRODUCTS, ops._OTHERS)
    assert {name for table in tables for name in table} - ran == set(ELSEWHERE)


@pytest.mark.parametrize("table", [*KINDS_OF_OP, *OTHER_OPERATIONS])
def test_every_op_of_a_table_is_one_of_torchs(table: str) -> None:
    schemas = (schema.name for schema in torch._C._jit_get_all_schemas())
    known = {name.removeprefix("aten::").rstrip("_") for name in schemas}
    assert [name for name in (KINDS_OF_OP | OTHER_OPERATIONS)[table] if name not in known] == []


@pytest.mark.parametrize("tables", [KINDS_OF_OP, OTHER_OPERATIONS])
def test_no_op_is_in_two_tables(tables: dict[str, Names]) -> None:
    for one, other in combinations(tables, 2):
        assert set(tables[one]) & set(tables[other]) == set(), (one, other)


def test_no_op_is_in_two_groups() -> None:
    named = [name for names in ops._GROUPS.values() for name in names.split()]
    assert sorted(named) == sorted(ops.GROUP_OF)


def test_what_has_other_operations_is_in_a_table_of_ops() -> None:
    known = {name for table in KINDS_OF_OP.values() for name in table}
    assert {name for table in OTHER_OPERATIONS.values() for name in table} <= known
