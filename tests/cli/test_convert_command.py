"""`dualcost convert` and `dualcost.convert`: what is in the files, by witnesses of their own."""

from __future__ import annotations

import copy
import json
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.commands import Command
from support.models import counted, floats, numel
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

import dualcost
from dualcost.errors import ExitCode, UsageError
from dualcost.nn import formats
from dualcost.nn.convert import artefact
from dualcost.nn.layers.kinds import DualConv2d

NET = """
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.depthwise = nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False)
        self.pointwise = nn.Conv2d(8, 16, 1)
        self.norm = nn.BatchNorm2d(16)
        self.grouped = nn.Conv2d(16, 16, 3, padding=1, groups=4)
        self.head = nn.Linear(16, 4)
        self.spare = nn.Linear(3, 3)

    def forward(self, image):
        image = self.norm(self.pointwise(self.depthwise(self.stem(image)))).relu()
        return self.head(self.grouped(image).mean((2, 3)))

class Asks(Net):
    def forward(self, image):
        return super().forward(image if image.sum() > 0 else -image)

ready = Net()
"""
SPARE = 3 * 3 + 3  # a linear layer that never runs
INPUT = ("--input", "1x3x8x8")
DUAL = ("--conv", "dual", "--G", "4", "--where", "kernel>0 path=grouped")


@pytest.fixture
def net(tmp_path: Path) -> Any:
    """The module of the network's file."""
    (tmp_path / "net.py").write_text(NET)
    return runpy.run_path(str(tmp_path / "net.py"))


def made(command: Command, *words: str) -> dict[str, Any]:
    code, out, err = command("convert", *words, "--json")
    assert code == ExitCode.OK, err
    result: dict[str, Any] = json.loads(out)
    return result


def promised(command: Command, *words: str) -> dict[str, Any]:
    code, out, _ = command("profile", *words, "--format", "json")
    assert code == ExitCode.OK
    total: dict[str, Any] = json.loads(out)["total"]["after"]
    return {name: total[name] for name in ("macs", "params")}


def test_an_exported_program_has_the_integers_of_the_profile(command: Command, net: Any) -> None:
    words = ("net.py:Net", *INPUT, *DUAL)
    done = made(command, *words, "-o", "a.pt2")
    assert done["after"] == promised(command, *words)
    program = torch.export.load("a.pt2")
    with FlopCounterMode(display=False) as counter:
        program.module()(torch.rand(1, 3, 8, 8))
    assert counter.get_total_flops() == 2 * done["after"]["macs"]
    # 16 filters that see 16/4 channels with 3*3 taps and all 16 with one, for 4 channels of 3*3
    more = 16 * 16
    assert done["after"]["params"] == numel(net["Net"]()) + more
    assert sum(p.numel() for p in program.parameters()) == done["after"]["params"]
    assert done["file"] == {
        "path": "a.pt2", "bytes": Path("a.pt2").stat().st_size, **done["after"]
    }  # fmt: skip
    assert promised(command, "a.pt2") == done["after"]


def test_an_onnx_file_computes_what_the_model_does(command: Command, net: Any) -> None:
    onnx = pytest.importorskip("onnx")
    from onnx.reference import ReferenceEvaluator

    asked = ("net.py:Net", *INPUT, *DUAL)
    words = (*asked, "--seed", "4")
    done = made(command, *words, "-o", "a.onnx")
    assert done["file"]["macs"] == promised(command, *asked)["macs"]
    assert done["file"]["params"] == promised(command, *asked)["params"] - SPARE
    made(command, *words, "-o", "a.pt2")
    model = onnx.load("a.onnx")
    image = torch.rand(1, 3, 8, 8)
    [name] = [value.name for value in model.graph.input]
    [found] = ReferenceEvaluator(model).run(None, {name: image.numpy()})
    with torch.no_grad():
        expected = torch.export.load("a.pt2").module()(image)
    np.testing.assert_allclose(np.asarray(found), expected.numpy(), rtol=1e-4, atol=1e-5)
    _, out, _ = command("convert", *words, "-o", "a.onnx")
    assert f"{SPARE} parameters that never run are not in the file" in out


@pytest.mark.parametrize("model", ["net.py:Net", "net.py:ready", "net:Net", "first.pt2"])
@pytest.mark.parametrize("folder", [".", "deeper/down"])
def test_a_python_file_recreates_the_conversion(
    command: Command, net: Any, model: str, folder: str
) -> None:
    if model == "net:Net" and folder != ".":
        return  # a package is imported from where one works
    Path(folder).mkdir(parents=True, exist_ok=True)
    given: tuple[str, ...] = INPUT
    if model == "first.pt2":
        made(command, "net.py:Net", *INPUT, *DUAL, "-o", model)
        given = ()
    words = (model, *given, "--conv", "het", "--P", "2", "--where", "kernel>0 path=stem path!=x",
             "--indivisible", "gcd", "--but", "M<=2: keep", "--init", "copy")  # fmt: skip
    done = made(command, *words, "-o", f"{folder}/a.py")
    text = Path(f"{folder}/a.py").read_text()
    assert "dualcost convert" in text
    assert f"{done['after']['macs']:,} MACs and {done['after']['params']:,} parameters" in text
    assert max(map(len, text.splitlines()[6:])) <= 100
    assert promised(command, f"{folder}/a.py:make") == done["after"]
    assert {path.name for path in Path(folder).iterdir()} >= {"a.py"}
    assert not list(Path(folder).glob(".*"))


def test_all_forms_of_one_seed_hold_the_same_weights(command: Command, net: Any) -> None:
    words = ("net.py:Net", *INPUT, *DUAL, "--seed", "7")
    for name in ("a.pt2", "b.pt2", "a.py"):
        made(command, *words, "-o", name)
    made(command, *words[:-1], "8", "-o", "c.pt2")
    first, second, other = (torch.export.load(f"{n}.pt2").state_dict for n in "abc")
    network = runpy.run_path("a.py")["make"]()
    for key, value in network.state_dict().items():
        assert torch.equal(first[key], value)
        assert torch.equal(second[key], value)
    assert not torch.equal(first["stem.weight"], other["stem.weight"])
    assert not torch.equal(first["grouped.spatial"], other["grouped.spatial"])


def test_the_random_state_is_left_as_it_was(command: Command, net: Any) -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    made(command, "net.py:Net", *INPUT, *DUAL, "-o", "a.pt2")
    assert torch.equal(torch.get_rng_state(), before)


def test_weights_of_a_file_stay_where_nothing_is_replaced(command: Command, net: Any) -> None:
    trained = net["Net"]()
    torch.save(trained.state_dict(), "trained.pt")
    words = ("net.py:Net", *INPUT, *DUAL, "--weights", "trained.pt", "--init", "copy")
    done = made(command, *words, "-o", "a.pt2")
    state = torch.export.load("a.pt2").state_dict
    for key, value in trained.state_dict().items():
        if not key.startswith(("grouped", "norm.num")):
            assert torch.equal(state[key], value)
    # 4 groups of dual can hold all that 4 groups were
    assert done["relative_distance"] == pytest.approx(0, abs=1e-6)
    image = torch.rand(1, 3, 8, 8)
    with torch.no_grad():
        found = torch.export.load("a.pt2").module()(image)
        torch.testing.assert_close(found, trained.eval()(image))
    made(command, *words, "-o", "a.py")
    again = runpy.run_path("a.py")["make"]().eval()
    with torch.no_grad():
        torch.testing.assert_close(again(image), trained(image))


def test_the_summary_fits_the_terminal_and_names_what_starts_fresh(
    command: Command, net: Any
) -> None:
    words = ("net.py:Net", *INPUT, "--conv", "dual", "--G", "2", "--init", "copy")
    code, out, err = command("convert", *words, "--where", "separable", "-o", "a.pt2")
    assert code == ExitCode.OK
    assert "1 of 1 separable block" in out
    assert "0 of 1 new layer copied by least squares" in out
    assert "fresh    the network itself (a separable block has no one kernel)" in out
    assert "parameters, from the file" in out
    assert max(len(line) for line in out.splitlines()) <= 80
    assert [line.partition(":")[0] for line in err.splitlines()] == ["dualcost"] * 2


def test_the_distance_is_that_of_all_copied_kernels_together(command: Command, net: Any) -> None:
    words = ("net.py:ready", *INPUT, "--conv", "dsc", "--where", "kernel=3", "--init", "copy")
    done = made(command, *words, "-o", "a.py")
    lost = sum(start["distance"] ** 2 for start in done["starts"])
    norm = sum(start["norm"] ** 2 for start in done["starts"])
    assert {start["path"] for start in done["starts"]} == {"stem", "depthwise", "grouped"}
    assert 0 < done["relative_distance"] == pytest.approx((lost / norm) ** 0.5)
    _, out, _ = command("convert", *words, "-o", "a.py")
    worst = max(done["starts"], key=lambda start: start["distance"] / start["norm"])
    assert f"most in {worst['path']}" in out


def folder() -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in Path().iterdir() if p.is_file()}


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        ([*DUAL, "-o", "a.tar"], "a.tar does not say what to write", ".pt2, .onnx, .py"),
        ([*DUAL, "-o", "no/a.pt2"], "cannot write no/a.pt2", "choose another"),
        ([*DUAL], "nothing says where the model goes", "-o model.pt2"),
        (["-o", "a.pt2"], "nothing says what to convert to", "--conv dual"),
        (["--G", "4", "-o", "a.pt2"], "--G says how", "--conv dual"),
        (["--conv", "dual", "--G", "3", "--where", "kernel>0 path=grouped", "-o", "a.pt2"],
         "M=16 is not divisible by G=3", "--indivisible"),
        (["--conv", "dual", "--G", "4", "--where", "path=nothing", "-o", "a.pt2"],
         "nothing in net.py:Net", "--sites"),
        ([*DUAL, "--init", "cpoy", "-o", "a.pt2"], "'cpoy'", "--help"),
        ([*DUAL, "--weights", "none.pt", "-o", "a.pt2"], "no file none.pt", "torch.save"),
        ([*DUAL, "--weights", "cut.pt", "-o", "a.pt2"], "cut.pt is damaged", "torch.save"),
        ([*DUAL, "--weights", "model.pt", "-o", "a.pt2"], "more than weights", "torch.save"),
        ([*DUAL, "--weights", "nested.pt", "-o", "a.pt2"], "holds state_dict", "torch.save"),
        ([*DUAL, "--weights", "other.pt", "-o", "a.pt2"],
         "lacks stem.weight, stem.bias, depthwise.weight and 13 more; also has weight", "weights"),
        ([*DUAL, "--weights", "wide.pt", "-o", "a.pt2"],
         "head.weight ((5, 16) instead of (4, 16))", "weights"),
    ],
    ids=lambda value: " ".join(value[-3:]) if isinstance(value, list) else "",
)  # fmt: skip
def test_bad_input_is_one_line_and_nothing_is_written(
    command: Command, net: Any, words: list[str], message: str, hint: str
) -> None:
    model = net["Net"]()
    torch.save(model.state_dict(), "whole.pt")
    Path("cut.pt").write_bytes(Path("whole.pt").read_bytes()[:900])
    torch.save(nn.Linear(2, 2), "model.pt")
    torch.save({"state_dict": model.state_dict()}, "nested.pt")
    torch.save({"weight": torch.ones(2)}, "other.pt")
    torch.save({**model.state_dict(), "head.weight": torch.ones(5, 16)}, "wide.pt")
    Path("a.pt2").write_text("what was there")
    before = folder()
    code, out, err = command("convert", "net.py:Net", *INPUT, *words)
    lines = [line for line in err.splitlines() if not line.startswith("dualcost: ")]
    assert (code, out) == (ExitCode.USAGE, "")
    assert [line.partition(":")[0] for line in lines] == ["error", "hint"], err
    assert message in lines[0]
    assert hint in lines[1]
    assert folder() == before


def test_what_cannot_be_exported_can_be_python(command: Command, net: Any) -> None:
    words = ("net.py:Asks", *INPUT, *DUAL)
    code, _, err = command("convert", *words, "-o", "a.pt2")
    assert code == ExitCode.USAGE
    assert "net.py:Asks cannot be written as .pt2" in err
    assert "a .py file can hold any model" in err
    assert not Path("a.pt2").exists()
    done = made(command, *words, "-o", "a.py")
    assert done["file"]["params"] == numel(net["Net"]()) + 16 * 16
    assert done["file"]["macs"] is None  # values decide what runs


@pytest.mark.parametrize(("macs", "params"), [(1, 0), (0, 1)])
def test_a_file_that_holds_something_else_is_not_put_in_its_place(
    command: Command, net: Any, monkeypatch: pytest.MonkeyPatch, macs: int, params: int
) -> None:
    writer, reader = artefact.FORMATS[".py"]

    def wrong(*of: Any) -> tuple[int, int]:
        found = reader(*of)
        return found[0] + macs, found[1] + params

    monkeypatch.setitem(artefact.FORMATS, ".py", (writer, wrong))
    Path("a.py").write_text("what was there")
    before = folder()
    code, _, err = command("convert", "net.py:Net", *INPUT, *DUAL, "-o", "a.py")
    assert code == ExitCode.USAGE
    assert "instead of" in err
    assert folder() == before


def test_without_onnx_the_line_says_how_to_get_it(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(formats, "find_spec", lambda name: None)
    code, _, err = command("convert", "resnet18", "--conv", "dsc", "-o", "a.onnx")
    assert code == ExitCode.USAGE
    assert "pip install 'dualcost[onnx]'" in err


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("squeezenet1_1", ["--conv", "dual", "--G", "4"]),
        ("zoo:mobilenetv2-cifar", ["--conv", "dsc", "--where", "inverted-residual"]),
    ],
)
def test_a_named_network_becomes_python_that_builds_it(
    command: Command, name: str, words: list[str]
) -> None:
    done = made(command, name, *words, "-o", "a.py")
    assert done["after"] == promised(command, name, *words)
    network = runpy.run_path("a.py")["make"]()
    assert numel(network) == done["after"]["params"]
    shape = [int(size) for size in done["inputs"][0].split("×")]
    assert counted(network, floats(*shape), device="meta") == done["after"]["macs"]


def test_the_python_interface_converts_a_module_or_a_name(net: Any) -> None:
    model = net["Net"]()
    twin = copy.deepcopy(model)
    words: dict[str, Any] = {"conv": "dual", "G": 4, "where": "kernel>0 path=grouped"}
    converted = dualcost.convert(model, "1x3x8x8", **words, init="copy")
    assert isinstance(converted.get_submodule("grouped"), DualConv2d)
    for key, value in twin.state_dict().items():
        assert torch.equal(model.state_dict()[key], value)
    image = torch.rand(1, 3, 8, 8)
    torch.testing.assert_close(converted.eval()(image), model.eval()(image))
    # "mobilenet_v2" is torchvision's, as it is for `profile`
    short = dualcost.convert("mobilenet_v2", conv="dsc", where="inverted-residual")
    assert type(short).__module__.startswith("torchvision.")
    named = dualcost.convert("zoo:mobilenetv2-cifar", conv="dsc", where="inverted-residual")
    assert (
        numel(named)
        == dualcost.profile(
            "zoo:mobilenetv2-cifar", conv="dsc", where="inverted-residual"
        ).after.params
    )
    assert all(not parameter.is_meta for parameter in named.parameters())


def test_the_python_interface_refuses_what_does_not_fit(net: Any) -> None:
    with pytest.raises(UsageError, match="no start is called 'old'"):
        dualcost.convert(net["Net"](), "1x3x8x8", conv="dsc", init="old")
    with pytest.raises(UsageError, match=r"input of Net is missing"):
        dualcost.convert(net["Net"](), conv="dsc")
