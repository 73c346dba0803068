"""The fast path imports nothing heavy; and this test would notice if it did."""

from __future__ import annotations

import pytest
from support.imports import heavy_imports_of, running


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ("--help", 0),
        ("--version", 0),
        ("profile --help", 0),
        ("equations --help", 0),
        ("bench --help", 0),
        ("bench resnt50", 2),
        ("bench resnet50 --conv dual:3", 2),
        ("profile", 2),
        ("profile resnt50", 2),
        ("profile resnet50 --covn dual", 2),
        ("profile resnet50 --conv dual", 2),
        ("profile resnet50 --conv dual --G 4", 0),
        ("profile yolov3-voc --conv dual --G 4 --where stride-1 --format json", 0),
        ("profile mobilenet_v2 --conv het --P 2 --where separable --format csv", 0),
        ("profile vgg16 --conv dsc --sites", 0),
        ("list", 0),
        ("report resnt50", 2),
        ("report resnet50 --no-latency -o /dev/null", 0),
        ("report resnet50 vgg16+dual:G=4 -o /dev/null", 0),
        ("paper", 0),
        ("paper V", 0),
        ("paper claims --json", 0),
        ("draw --conv dual --M 8 --N 8 --G 2", 0),
    ],
)
def test_a_named_network_needs_nothing_heavy(arguments: str, code: int) -> None:
    assert heavy_imports_of(running(arguments)) == (code, "[]")


def test_the_python_interface_needs_nothing_heavy_for_a_named_network() -> None:
    code = "import dualcost; dualcost.profile('resnet50', conv='dual', G=4)"
    assert heavy_imports_of(code) == (0, "[]")


@pytest.mark.parametrize("module", ["sympy", "torch"])
def test_a_heavy_import_would_be_noticed(module: str) -> None:
    code, found = heavy_imports_of(f"import {module}")
    assert code == 0
    assert module in found


@pytest.mark.parametrize(
    "arguments",
    [
        "equations 4",
        "formula resnet50 --conv dual",
        "formula resnet50 --conv het --format python",
        "report resnet50 --conv dual --G 4 --no-latency -o /dev/null",
        "solve resnet50 macs<=3G params<=20M --conv dual",
    ],
)
def test_what_is_made_of_equations_imports_sympy_and_not_torch(arguments: str) -> None:
    code, found = heavy_imports_of(running(arguments))
    assert code == 0
    assert "sympy" in found
    assert "torch" not in found
