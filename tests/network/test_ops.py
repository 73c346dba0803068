"""What each op is stands in one place, and nowhere else."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import dualcost
from dualcost.network.network import ELEMENTWISE, GROUPS, Op
from dualcost.network.ops import _OPERATORS, OPERATORS, VIEW, WITHIN, family_of, operator

PACKAGE = Path(dualcost.__file__).parent
RECORDS = "network/ops.py"
# Names that are words besides: of groups, of arguments, of what a user writes, of other programs.
WORDS = frozenset(
    """add all contiguous convolution copy dot embedding equal linear max mean median min norm
    resize set sum take transpose uniform where zeros""".split()  # noqa: SIM905  # a list of words
)
# Where ops are named for another reason than to say what they are.
PLACES: dict[str, tuple[str, str]] = {
    "nn/trace/ops.py": ("formulas of products", ""),
    "nn/trace/recorder.py": ("the cast of a parameter is a parameter", "_to_copy"),
    "nn/trace/trace.py": ("what a user wrote who asked for a value", "_local_scalar_dense"),
    "nn/verify/witnesses.py": (
        "how other counters name products",
        "_convolution addmm mm bmm baddbmm _scaled_dot_product_flash_attention "
        "_scaled_dot_product_flash_attention_for_cpu",
    ),
    "network/blocks.py": ("what a gate does", "mul mul_"),
    "rewrite/lowering.py": ("which ops a recipe runs", "add_ cat channel_shuffle constant_pad_nd"),
    "lab/child/probes.py": ("a linear layer's op, which is made from sizes", "addmm"),
    "nn/zoo/vgg.py": ("the names of its layers", "relu"),
    "latency/workload.py": ("families", "add_ silu_"),
    "latency/calibration.py": ("families", "add_ relu relu_ silu_ hardswish_"),
    "lab/calibrate.py": ("families", "relu_"),
}


def named(source: str) -> set[str]:
    """The ops that a program names in strings that hold nothing else, words apart."""
    texts = [
        node.value.split()
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    return {name for names in texts if all(map(operator, names)) for name in names} - WORDS


def elsewhere() -> dict[str, set[str]]:
    """The ops that each file of the package names, except the one with the records."""
    names = {
        path.relative_to(PACKAGE).as_posix(): named(path.read_text(encoding="utf-8"))
        for path in PACKAGE.rglob("*.py")
    }
    return {file: found for file, found in names.items() if found and file != RECORDS}


def test_an_op_is_named_where_its_record_stands_and_where_a_reason_is_given() -> None:
    found = elsewhere()
    formulas = found["nn/trace/ops.py"]
    assert {OPERATORS[name].group for name in formulas} <= {"convolution", "linear", "matmul"}
    expected = {file: set(names.split()) for file, (_, names) in PLACES.items()}
    assert found == expected | {"nn/trace/ops.py": formulas}


def test_a_second_table_would_be_noticed() -> None:
    assert named('COUNTS = {"upsample_bilinear2d": 4}') == {"upsample_bilinear2d"}
    assert named('NAMES = "silu mish_".split()') == {"silu", "mish_"}
    assert named('if name in ("relu6_", "bilinear"): pass') == {"relu6_"}
    assert named('def f(where="all"): return torch.ops.aten.gelu') == set()


def test_every_word_is_one_that_the_package_uses() -> None:
    texts = " ".join(path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py"))
    assert [word for word in WORDS if operator(word) is None or f'"{word}"' not in texts] == []


def test_no_op_has_two_records() -> None:
    names = [name for names in _OPERATORS for name in names.split()]
    assert len(names) == len(set(names)) == len(OPERATORS)


def test_a_record_has_a_group_and_of_products_two_at_most() -> None:
    for name, its in OPERATORS.items():
        assert its.group in GROUPS, name
        assert (its.group, its.learnt) in ((its.group, ""), ("matmul", "linear")), name


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("relu", "relu"),
        ("relu_", "relu_"),  # a kernel that writes where it reads
        ("sigmoid", "sigmoid"),
        ("sigmoid_", "sigmoid"),
        ("gelu_", ""),  # not measured: it is taken for the family of its group
        ("as_strided_", VIEW),
        ("transpose", VIEW),
        ("t", WITHIN),
        ("mylib::attend", ""),
    ],
)
def test_an_op_in_place_may_run_another_kernel(name: str, family: str) -> None:
    assert family_of(name) == family


def test_fvcore_counts_what_the_record_says() -> None:
    def op(name: str, module: str = "", parameters: tuple[str, ...] = ()) -> Op:
        shapes = ((2, 8, 6, 6),), ((2, 8, 1, 1),)
        return Op(name, "", module, ELEMENTWISE, (-1,), *shapes, parameters=parameters)

    def count(op: Op) -> int:
        return OPERATORS[op.name].fvcore.count(op)

    read, made = 2 * 8 * 6 * 6, 2 * 8
    assert count(op("native_batch_norm", "BatchNorm2d", ("weight",))) == 2 * read
    assert count(op("native_batch_norm", "InstanceNorm2d", ("weight",))) == 5 * read
    assert count(op("native_layer_norm", "LayerNorm")) == 4 * read
    assert count(op("mean", "AdaptiveAvgPool2d")) == read
    assert count(op("_adaptive_avg_pool2d", "AdaptiveAvgPool1d")) == 0
    assert count(op("upsample_bilinear2d")) == 4 * made
    assert count(op("gelu")) == 0
