"""The rooms that do without torch are tested without it, here and in the three beside."""

from __future__ import annotations

from importlib import import_module

import pytest
from support.imports import TORCHLESS, heavy_imports_of


@pytest.mark.parametrize("module", ["torch", "torchvision", "dualcost.nn.trace.trace"])
def test_an_import_of_torch_would_be_noticed(module: str) -> None:
    with pytest.raises(ImportError):
        import_module(module)


def test_the_tests_are_collected_without_torch() -> None:
    words = ["--collect-only", "-p", "no:cacheprovider", *map(str, TORCHLESS)]
    code, heavy = heavy_imports_of(f"import sys, pytest; sys.exit(pytest.main({words!r}))")
    assert code == 0
    assert "torch" not in heavy
