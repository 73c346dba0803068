"""The tables of ops name ops that torch has, each once."""

from __future__ import annotations

from itertools import combinations

import pytest
import torch
import torchvision  # noqa: F401  # registers its ops

from dualcost.nn import operations, ops

KINDS_OF_OP = {
    "groups": ops.GROUP_OF,
    "convolutions": ops._CONVOLUTIONS,
    "products": ops._PRODUCTS,
    "other products": ops._OTHERS,
}
OTHER_OPERATIONS = {
    "per element": operations._PER_ELEMENT,
    "per input": operations._PER_INPUT,
    "reductions": operations._REDUCTIONS,
    "sorts": operations._SORTS,
    "special": operations._SPECIAL,
}


@pytest.mark.parametrize("table", [*KINDS_OF_OP, *OTHER_OPERATIONS])
def test_every_op_of_a_table_is_one_of_torchs(table: str) -> None:
    schemas = (schema.name for schema in torch._C._jit_get_all_schemas())
    known = {name.removeprefix("aten::").rstrip("_") for name in schemas}
    assert [name for name in (KINDS_OF_OP | OTHER_OPERATIONS)[table] if name not in known] == []


@pytest.mark.parametrize("tables", [KINDS_OF_OP, OTHER_OPERATIONS])
def test_no_op_is_in_two_tables(tables: dict[str, dict[str, object]]) -> None:
    for one, other in combinations(tables, 2):
        assert set(tables[one]) & set(tables[other]) == set(), (one, other)


def test_no_op_is_in_two_groups() -> None:
    named = [name for names in ops._GROUPS.values() for name in names.split()]
    assert sorted(named) == sorted(ops.GROUP_OF)


def test_what_has_other_operations_is_in_a_table_of_ops() -> None:
    known = set().union(*KINDS_OF_OP.values())
    assert set().union(*OTHER_OPERATIONS.values()) <= known
