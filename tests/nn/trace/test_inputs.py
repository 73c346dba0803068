"""Inputs of any form: several, by name, nested, made by a user's factory."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from support.commands import Command
from torch import nn

import dualcost
from dualcost.errors import ExitCode, ModelError, UnmeasuredError
from dualcost.network.network import TensorSpec
from dualcost.nn.trace.inputs import example_of, make_inputs, specs_of
from dualcost.nn.trace.trace import trace

CODE = """
import torch

class Nested(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = torch.nn.Linear(4, 8), torch.nn.Linear(5, 8)
    def forward(self, batch, scale=1.0, flag=False):
        assert flag
        batch["left"] += 1  # a forward may write to its inputs
        return self.a(batch["left"]) + self.b(batch["right"][0]) * scale

def by_name():
    return {"batch": {"left": torch.zeros(2, 4), "right": [torch.zeros(2, 5)]}, "flag": True}

def in_order():
    return ({"left": torch.zeros(3, 4), "right": [torch.zeros(3, 5)]}, 2.0, True)

def image():
    return torch.zeros(1, 3, 64, 64)

def nothing():
    return {"batch": 1}

def broken():
    return 1 / 0
"""


@pytest.fixture
def code(command: Command, tmp_path: Path) -> Command:
    (tmp_path / "code.py").write_text(CODE)
    return command


@pytest.mark.parametrize(("factory", "rows"), [("by_name", 2), ("in_order", 3)])
def test_a_factory_makes_nested_inputs(code: Command, factory: str, rows: int) -> None:
    words = ("profile", "code.py:Nested", "--inputs", f"code.py:{factory}", "--format", "json")
    exit_code, out, _ = code(*words)
    assert exit_code == ExitCode.OK
    result = json.loads(out)
    assert result["total"]["before"]["macs"] == rows * 4 * 8 + rows * 5 * 8  # rows * M * N
    assert [spec["shape"] for spec in result["inputs"]] == [[rows, 4], [rows, 5]]


def test_a_factory_makes_the_input_of_a_named_network(code: Command) -> None:
    exit_code, out, _ = code("profile", "resnet18", "--inputs", "code.py:image", "--depth", "0")
    assert exit_code == ExitCode.OK
    assert "input 1×3×64×64" in " ".join(out.split())


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (["--inputs", "code.py:nothing"], "without tensors", "a tensor, a tuple"),
        (["--inputs", "code.py:broken"], "ZeroDivisionError", "without arguments"),
        (["--inputs", "code.py:imag"], "'imag'", "image"),
        (["--inputs", "missing.py:make"], "no file missing.py", "path/to/file.py"),
        (["--inputs", "code.py:image", "--batch", "2"], "--inputs", "--batch"),
        (["--inputs", "code.py:image"], "does not run on 1×3×64×64", "forward takes (batch"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_wrong_factory_ends_in_a_message_with_a_hint(
    code: Command, arguments: list[str], message: str, hint: str
) -> None:
    exit_code, out, err = code("profile", "code.py:Nested", *arguments)
    assert (exit_code, out) == (ExitCode.USAGE, "")
    errors = [line for line in err.splitlines() if not line.startswith("dualcost: ")]
    assert message in errors[0]
    assert hint in errors[1]


def test_an_example_is_not_written_to() -> None:
    from dualcost.nn.trace.trace import trace

    class Writes(torch.nn.Module):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            return image.add_(1)

    given = torch.zeros(2, 3)
    example = example_of(given)
    trace(Writes(), specs_of(example), example=example)
    assert given.tolist() == [[0.0] * 3] * 2


def test_specs_name_what_is_not_an_argument_of_its_own() -> None:
    example = example_of({"ids": torch.zeros(1, 7, dtype=torch.int64)})
    assert [str(spec) for spec in specs_of(example)] == ["ids=1×7 int64"]
    with pytest.raises(ModelError):
        example_of([])


def test_an_input_that_a_gpu_has_no_memory_for_is_not_measured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(*size: object, **words: object) -> torch.Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    monkeypatch.setattr(torch, "rand", full)
    with pytest.raises(UnmeasuredError, match="8×3×64×64 does not fit into the memory of cpu"):
        make_inputs([TensorSpec((8, 3, 64, 64))], torch.device("cpu"), listed=False)


def test_an_image_gets_a_batch_of_one_where_the_first_layer_reads_its_channels() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    alone, whole = (trace(model, [TensorSpec(shape)]) for shape in ((3, 8, 9), (1, 3, 8, 9)))
    assert alone.notes == ("a batch of 1 is added to 3×8×9",)
    assert replace(alone, notes=()) == whole


@pytest.mark.parametrize(
    ("model", "shape"),
    [
        (nn.Linear(768, 8), (3, 77, 768)),
        (nn.Conv1d(3, 4, 3), (2, 3, 9)),
        (nn.Sequential(nn.Unflatten(0, (-1, 1)), nn.Conv2d(1, 4, 3)), (1, 80, 96)),
        (nn.ReLU(), (3, 8, 8)),
    ],
)
def test_other_inputs_of_three_sizes_stay(model: nn.Module, shape: tuple[int, ...]) -> None:
    found = trace(model, [TensorSpec(shape)])
    assert found.inputs == (TensorSpec(shape),)
    assert found.notes == ()


def test_the_python_interface_and_shapes_say_the_same() -> None:
    by_shape = dualcost.profile("resnet18", "1x3x96x64")
    assert dualcost.profile("resnet18", imgsz="96x64").after == by_shape.after
    assert dualcost.profile("resnet18", imgsz=(96, 64)).after == by_shape.after
    assert dualcost.profile("resnet18+dual:4", imgsz=(96, 64)).before == by_shape.before
