"""A user's own file on the first day: no factory is named, or no input, or arguments are."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from support.commands import Command
from support.imports import heavy_imports_of, running
from torch import nn

from dualcost.errors import ExitCode, ModelError, UsageError
from dualcost.library import networks as library
from dualcost.network.network import TensorSpec
from dualcost.nn.sources import sources
from dualcost.nn.sources.proposal import Proposal, proposal
from dualcost.nn.sources.source import Source

pytestmark = pytest.mark.usefixtures("warm_python")

MODEL = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, width=4, note=""):
        super().__init__()
        self.conv = nn.Conv2d(3, width, 3)
    def forward(self, x):
        return self.conv(x)
"""


def macs(width: int, side: int = 8, batch: int = 1) -> int:
    """Of the model above: a 3×3 convolution from 3 channels to `width`, without padding."""
    return batch * (side - 2) ** 2 * 3 * 3 * 3 * width


@pytest.fixture
def file(command: Command) -> Path:
    """The model, in the folder of the command."""
    path = Path("net.py")
    path.write_text(MODEL)
    return path


def traced(text: str, *shape: int, batch: int | None = None) -> int:
    specs = (TensorSpec(shape),) if shape else ()
    return library.load(text, specs, batch).macs


def test_a_file_with_one_model_needs_no_name(file: Path) -> None:
    said: list[str] = []
    network = library.load("net.py", (TensorSpec((1, 3, 8, 8)),), announce=said.append)
    assert (network.name, network.macs) == ("net.py:Net", macs(4))
    assert said == ["tracing net.py:Net"]
    assert traced("net.py:", 1, 3, 8, 8) == macs(4)
    assert sources.find("net.py").name == "net.py:Net"
    assert not library.at_hand("net.py")


def test_several_models_are_named_at_once_and_without_torch(file: Path) -> None:
    file.write_text(MODEL + "def small(): return nn.Conv2d(3, 4, 3)")
    started = time.perf_counter()
    code, heavy = heavy_imports_of(running("profile net.py"))
    assert time.perf_counter() - started < 2  # half a second on a quiet machine
    assert (code, heavy) == (ExitCode.USAGE, "[]")
    with pytest.raises(ModelError) as caught:
        library.load("net.py")
    assert caught.value.hint == "write net.py:Net or net.py:small"


@pytest.mark.parametrize("place", ["net.py", "net"])
@pytest.mark.parametrize("arguments", ["(6)", "(width=6)", "(6, note='x:1+b@c')"])
def test_arguments_stand_behind_the_factory(place: str, arguments: str, file: Path) -> None:
    assert traced(f"{place}:Net{arguments}", 1, 3, 8, 8) == macs(6)


def test_what_cannot_be_said_is_refused_before_anything_is_imported(file: Path) -> None:
    file.write_text("1 / 0")
    with pytest.raises(UsageError, match=r"int\(3\) is not a literal"):
        library.load("net.py:Net(width=int(3))")


def test_a_wrong_argument_is_told_with_the_signature(file: Path, command: Command) -> None:
    code, out, err = command("profile", "net.py:Net(widht=6)", "--input", "1x3x8x8")
    assert (code, out) == (ExitCode.USAGE, "")
    assert err.splitlines()[1:] == [
        "error: net.py:Net(widht=6) cannot be called so: got an unexpected keyword argument "
        "'widht'",
        "hint: its signature is Net(width=4, note='')",
    ]


def test_a_model_that_stands_ready_takes_no_arguments(file: Path) -> None:
    file.write_text(MODEL + "ready = Net(5)")
    assert traced("net.py", 1, 3, 8, 8) == macs(5)
    with pytest.raises(ModelError, match="ready is a model, and takes no arguments"):
        library.load("net.py:ready(3)", (TensorSpec((1, 3, 8, 8)),))


@pytest.mark.parametrize("model", ["net.py:Net(width=8)", "net:Net(8, note='a:b')"])
def test_arguments_reach_other_processes_and_files(
    model: str, file: Path, command: Command
) -> None:
    file.write_text(MODEL.replace("Conv2d(3,", "Conv2d(4,"))
    rewrite = ("--conv", "group", "--G", "4", "--where", "first=yes")
    words = (model, "--input", "1x4x8x8", *rewrite)
    for more in (("verify", *words), ("convert", *words, "-o", "made.py")):
        code, out, err = command(*more)
        assert code == ExitCode.OK, err
    code, out, _ = command("profile", "made.py", "--format", "json")
    assert code == ExitCode.OK
    expected = 6 * 6 * 3 * 3 * 4 * 8 // 4  # positions * K*K * M * N / G
    assert json.loads(out)["total"]["before"]["macs"] == expected


INPUTS = {
    "a text": ('INPUT = "1x3x8x8"', 1),
    "a shape": ("INPUT = (1, 3, 8, 8)", 1),
    "a shape in a list": ("INPUT = [(1, 3, 8, 8)]", 1),
    "a list of texts": ('INPUT = ["x=2x3x8x8"]', 2),
    "numbers in a list": ("INPUT = [1, 3, 8, 8]", 1),
    "a function": ("def inputs(): return torch.zeros(2, 3, 8, 8)", 2),
    "a tuple": ("def inputs(batch=2): return (torch.zeros(batch, 3, 8, 8),)", 2),
    "a dict": ('def inputs(): return {"x": torch.zeros(2, 3, 8, 8)}', 2),
    "both": ('INPUT = "1x3x8x8"\ndef inputs(): 1 / 0', 1),
}


@pytest.mark.parametrize("case", INPUTS)
def test_a_file_says_the_input_of_its_models(case: str, file: Path) -> None:
    text, batch = INPUTS[case]
    file.write_text(f"{MODEL}\n{text}\n")
    assert traced("net.py") == macs(4, batch=batch)
    assert traced("net.py", batch=5) == macs(4, batch=5)
    assert traced("net.py", 1, 3, 9, 9) == macs(4, side=9)


NESTED = """
class Nested(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(4, 8)
    def forward(self, batch):
        return self.inner(batch["image"])

def inputs():
    return ({"image": torch.zeros(2, 4)},)
"""


def test_a_nested_input_is_used_as_the_function_makes_it(file: Path) -> None:
    file.write_text(f"import torch\nfrom torch import nn\n{NESTED}")
    assert traced("net.py") == 2 * 4 * 8  # rows * M * N
    assert library.load("net.py", example="net.py").macs == 2 * 4 * 8
    with pytest.raises(UsageError, match="is nested"):
        library.load("net.py", batch=3)


def test_what_makes_the_input_runs_only_where_it_is_needed(file: Path) -> None:
    file.write_text(f"{MODEL}\ndef inputs(): raise LookupError('the data')")
    assert traced("net.py", 1, 3, 8, 8) == macs(4)
    with pytest.raises(ModelError, match=r"net\.py:inputs makes no inputs: LookupError: the data"):
        library.load("net.py")


@pytest.mark.parametrize("text", ["INPUT = 7", "INPUT = 'fast'", "def inputs(path): ..."])
def test_what_means_something_else_is_no_input(text: str, file: Path) -> None:
    file.write_text(f"{MODEL}\n{text}")
    with pytest.raises(ModelError, match="nothing is known about the input"):
        library.load("net.py")


class Lenet(nn.Module):
    """It takes 28×28 only."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 5)
        self.head = nn.Linear(4 * 24 * 24, 10)

    def forward(self, image: Any) -> Any:
        return self.head(self.conv(image).flatten(1))


class Odd(Lenet):
    """It takes 25×25 only, which is not tried."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(4 * 21 * 21, 10)


PROPOSALS = {
    "images": (nn.Sequential(nn.Conv2d(3, 4, 3)), "1x3x224x224", "0 (Conv2d)", "3 channels"),
    "of one size": (Lenet(), "1x1x28x28", "conv (Conv2d)", "1 channel"),
    "a signal": (nn.Conv1d(2, 4, 3), "1x2x1024", "Conv1d", "2 channels"),
    "a volume": (nn.Conv3d(2, 4, 3), "1x2x16x112x112", "Conv3d", "2 channels"),
    "features": (nn.Linear(7, 2), "1x7", "Linear", "7 features"),
    "a sequence": (nn.LSTM(5, 2), "1x16x5", "LSTM", "5 features"),
    "a text": (nn.Embedding(9, 2), "1x16:int64", "Embedding", "integers"),
}


@pytest.mark.parametrize("case", PROPOSALS)
def test_the_first_layer_proposes_an_input_that_runs(case: str) -> None:
    model, word, layer, takes = PROPOSALS[case]
    assert proposal(model) == Proposal(TensorSpec.parse(word), layer, takes)


def test_no_input_is_proposed_that_does_not_run() -> None:
    assert proposal(Odd()) == Proposal(None, "conv (Conv2d)", "1 channel")
    assert proposal(nn.ReLU()) is None
    assert proposal(nn.Bilinear(2, 3, 4)) is None


@pytest.mark.parametrize(
    ("model", "hint"),
    [
        (
            Lenet(),
            'try --input 1x1x28x28, or write INPUT = "1x1x28x28" into its file; its first layer, '
            "conv (Conv2d), takes 1 channel",
        ),
        (
            Odd(),
            "its first layer, conv (Conv2d), takes 1 channel: say the whole with --input, such as "
            "1x3x224x224",
        ),
        (
            nn.Bilinear(2, 3, 4),
            "its forward takes input1, input2: say --input input1=SHAPE --input input2=SHAPE, or "
            "--inputs file.py:factory",
        ),
        (nn.ReLU(), "say it with --input 1x3x224x224, or --inputs file.py:factory"),
    ],
)
def test_a_missing_input_is_refused_with_one_to_try(model: nn.Module, hint: str) -> None:
    with pytest.raises(ModelError, match="nothing is known about the input of it") as caught:
        Source("it", lambda: model).trace()
    assert caught.value.hint == hint
    assert torch.is_grad_enabled()
