"""Rules of a user's own for ops and modules, without touching the package."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from support.commands import Command
from support.models import floats
from torch import Tensor, nn

from dualcost.errors import ExitCode, UnknownNameError
from dualcost.nn import count_module, count_op
from dualcost.nn.trace.rules import MODULE_RULES, OP_RULES
from dualcost.nn.trace.trace import trace


@pytest.fixture(autouse=True)
def no_rule_outlives_a_test() -> Iterator[None]:
    yield
    OP_RULES.clear()
    MODULE_RULES.clear()


class Inner(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 6)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x).relu()  # type: ignore[no-any-return]  # torch's layers return Any


class Outer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = Inner()
        self.last = nn.Linear(6, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.inner(x))  # type: ignore[no-any-return]  # as above


def test_a_module_with_a_rule_is_one_op_and_what_runs_inside_is_not_counted() -> None:
    @count_module(Inner, group="matmul")
    def inner(module: nn.Module, inputs: tuple[Any, ...], result: Any) -> int:
        return 1000 * int(inputs[0].shape[0])

    network = trace(Outer(), [floats(3, 4)])
    first = network.ops[0]
    assert (first.name, first.path, first.group, first.macs) == ("Inner", "inner", "matmul", 3000)
    assert first.parameters == ("inner.linear.weight", "inner.linear.bias")
    assert (first.in_shapes, first.out_shapes) == (((3, 4),), ((3, 6),))
    assert first.allocated >= 3 * 6 * 4  # its result, and what it made on the way
    assert network.macs == 3000 + 3 * 6 * 2
    assert network.ops[-1].inputs == (0,)
    assert network.params == 4 * 6 + 6 + 6 * 2 + 2


def test_a_rule_of_an_op_stands_before_dualcosts_own() -> None:
    @count_op("relu", group="linear")
    def relu(arguments: dict[str, Any], result: Any) -> int:
        return int(arguments["self"].numel()) * 7

    network = trace(Inner(), [floats(3, 4)])
    assert [op.macs for op in network.ops if op.name == "relu"] == [3 * 6 * 7]
    assert network.macs == 3 * 4 * 6 + 3 * 6 * 7


def test_an_unknown_group_is_refused_with_what_is_close() -> None:
    with pytest.raises(UnknownNameError) as raised:
        count_op("relu", group="lineer")
    assert "linear" in raised.value.hint
    with pytest.raises(UnknownNameError):  # no convention counts the MACs of norms
        count_module(Inner, group="norm")


def test_a_module_that_raises_leaves_no_half_counted_op() -> None:
    @count_module(Inner)
    def inner(module: nn.Module, inputs: tuple[Any, ...], result: Any) -> int:
        return 1

    with pytest.raises(Exception, match="does not run"):
        trace(Outer(), [floats(3, 5)])
    assert trace(Outer(), [floats(3, 4)]).ops[0].macs == 1


RULES = """
import torch
from dualcost.nn import count_module

@count_module(torch.nn.ReLU)
def relu(module, inputs, result):
    return inputs[0].numel()
"""


def test_a_file_of_rules_is_used_for_a_named_network(command: Command, tmp_path: Path) -> None:
    (tmp_path / "rules.py").write_text(RULES)
    plain = json.loads(command("profile", "alexnet", "--format", "json")[1])
    words = ("profile", "alexnet", "--rules", "rules.py", "--batch", "2", "--format", "json")
    code, out, _ = command(*words)
    assert code == ExitCode.OK
    ruled = json.loads(out)
    relus = 64 * 55 * 55 + 192 * 27 * 27 + (384 + 256 + 256) * 13 * 13 + 2 * 4096
    macs = [report["total"]["before"]["macs"] for report in (plain, ruled)]
    assert macs[1] == 2 * (macs[0] + relus)
    assert command("profile", "alexnet", "--rules", "gone.py")[0] == ExitCode.USAGE


def test_without_a_rule_an_op_that_nobody_knows_is_unknown() -> None:
    class Spectrum(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            spectrum: Tensor = torch.fft.rfft(x)
            return spectrum.abs()

    names = {op.name for op in trace(Spectrum(), [floats(2, 8)]).ops if op.group == "unknown"}
    assert names == {"_fft_r2c"}

    @count_op("_fft_r2c")
    def spectrum(arguments: dict[str, Any], result: Any) -> int:
        return int(result.numel())

    network = trace(Spectrum(), [floats(2, 8)])
    assert not [op for op in network.ops if op.group == "unknown"]
    assert network.macs == 2 * (8 // 2 + 1)
