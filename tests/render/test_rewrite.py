"""Every reason and every change has a text, and `render/rewrite.py` alone makes it."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import get_args

import pytest

import dualcost
from dualcost.costs.profile import REMOVED, Becomes, Row, Several
from dualcost.kinds.choice import Choice
from dualcost.kinds.kinds import KINDS
from dualcost.kinds.recipe import Misfit
from dualcost.network.cost import Cost
from dualcost.network.form import Form
from dualcost.render.rewrite import becomes, why
from dualcost.rewrite.decision import (
    ComputedWeight,
    FailedTerm,
    Indivisibility,
    Outcome,
    Overlap,
    Reason,
)
from dualcost.rewrite.exemption import Exemption
from dualcost.rewrite.rule import Rule

MISFIT = Misfit("G", 16, M=32, N=24)
(STRIDE,) = Rule.parse("stride=1").terms
WHYS: list[tuple[Outcome, Reason | None, str]] = [
    (Outcome.REPLACED, None, ""),
    (Outcome.KEPT, FailedTerm(STRIDE, (2, 2)), "stride=1 wanted, is 2×2"),
    (Outcome.KEPT, Overlap(), "overlaps a block that is replaced already"),
    (Outcome.KEPT, ComputedWeight(), "its weight is computed, not a parameter"),
    (
        Outcome.KEPT,
        Exemption.parse("M<=32: keep", KINDS["dual"]),
        "kept by “M<=32: keep”",
    ),
    (
        Outcome.REPLACED,
        Exemption.parse("M<=32: het P=4", KINDS["dual"]),
        "het P=4 by “M<=32: het P=4”",
    ),
    (Outcome.KEPT, Indivisibility(MISFIT), "kept: N=24 is not divisible by G=16"),
    (Outcome.REPLACED, Indivisibility(MISFIT, 8), "G=8: N=24 is not divisible by G=16"),
    (
        Outcome.REFUSED,
        Indivisibility(MISFIT, fallback=5),
        "N=24 is not divisible by G=16, nor is M=32, N=24 by the fallback 5",
    ),
]
DUAL, HET = Choice(KINDS["dual"], 4), Choice(KINDS["het"], 2)
CHANGES: list[tuple[Becomes | None, str]] = [
    (None, ""),
    (DUAL, "dual G=4"),
    (Choice(KINDS["dsc"]), "dsc"),
    (REMOVED, "removed"),
    (Several(3, (DUAL, HET)), "3 × dual G=4, het P=2"),
]


@pytest.mark.parametrize(("outcome", "reason", "text"), WHYS)
def test_a_reason_has_a_text(outcome: Outcome, reason: Reason | None, text: str) -> None:
    assert why(outcome, reason) == text


@pytest.mark.parametrize(("change", "text"), CHANGES)
def test_what_a_row_becomes_has_a_text(change: Becomes | None, text: str) -> None:
    assert becomes(change) == text


def test_no_reason_and_no_change_is_left_out_above() -> None:
    assert {type(reason) for _, reason, _ in WHYS} == {*get_args(Reason), type(None)}
    assert {type(change) for change, _ in CHANGES} == {*get_args(Becomes), type(None)}


def test_what_rows_become_adds_up_in_sums_of_sums_too() -> None:
    def row(change: Becomes | None) -> Row:
        return Row("", "", "", "convolution", Cost(), Cost(), becomes=change)

    two = Several.of([row(DUAL), row(HET), row(None)])
    assert two == Several(2, (DUAL, HET))
    assert Several.of([row(two), row(DUAL), row(REMOVED)]) == Several(3, (DUAL, HET))
    assert Several.of([row(None), row(REMOVED)]) is None


@pytest.mark.parametrize(
    ("form", "text"),
    [
        (Form("standard"), "standard"),
        (Form("group", "G", 4, transposed=True), "transposed group G=4"),
        (Form("het", "P", 8), "het P=8"),
        (Form("inverted-residual"), "inverted-residual"),
    ],
)
def test_what_a_layer_is_called_reads_as_it_is_written(form: Form, text: str) -> None:
    assert str(form) == text
    assert Form.parse(text) == form


def test_what_no_layer_is_called_is_refused() -> None:
    with pytest.raises(ValueError, match="'dual Q=4' is not what a layer is called"):
        Form.parse("dual Q=4")


# --- nobody reads a text back

FACTS = ("message", "reason", "becomes", "note")
READERS = (
    "startswith", "endswith", "removeprefix", "removesuffix", "partition", "rpartition", "split",
)  # fmt: skip


def read_back(source: str) -> list[int]:
    """The lines on which a program looks into the text of a fact: an error's, or a reason's."""
    lines = []
    for node in ast.walk(ast.parse(source)):
        match node:
            # `message.split()` without a separator only joins lines
            case ast.Call(
                func=ast.Attribute(value=ast.Attribute(attr=fact), attr=reader), args=[_, *_]
            ) if fact in FACTS and reader in READERS:
                lines.append(node.lineno)
            case ast.Compare(
                ops=[ast.In() | ast.NotIn()], comparators=[ast.Attribute(attr=fact)]
            ) if fact in FACTS:
                lines.append(node.lineno)
            case ast.Compare(
                left=ast.Attribute(attr="message" | "becomes" | "note"),
                ops=[ast.Eq() | ast.NotEq()],
                comparators=[ast.Constant(value=str())],
            ):
                lines.append(node.lineno)
    return lines


def test_nobody_reads_the_text_of_a_fact_back() -> None:
    root = Path(dualcost.__file__).parent
    found = {
        f"{path.relative_to(root)}:{line}"
        for path in root.rglob("*.py")
        for line in read_back(path.read_text(encoding="utf-8"))
    }
    assert found == set()


@pytest.mark.parametrize(
    "line",
    [
        'd.reason.startswith("kept: ")',
        'row.becomes.partition(" ")[0]',
        '"no budgets" in error.message',
        'row.becomes == "removed"',
    ],
)
def test_who_does_is_seen(line: str) -> None:
    assert read_back(f"x = 1\n{line}\n") == [2]
