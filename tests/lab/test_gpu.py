"""What a GPU does: races by CUDA events and graphs, counting on its tensors, fusing for it.

Without a GPU nothing of this can run; what refuses one that is not there is tested elsewhere.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
import torch
from support.commands import Command
from torch import nn

import dualcost
import dualcost.paper.latency
from dualcost.errors import ExitCode
from dualcost.lab.race import EAGER, GRAPH
from dualcost.library import networks as library
from dualcost.network.network import TensorSpec
from dualcost.nn import DualConv2d
from dualcost.nn.convert.convert import convert
from dualcost.nn.fuse.fuse import fuse
from dualcost.paper.tables import printed_rows
from dualcost.rewrite.request import Request

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")

SCHEMA = json.loads((Path(dualcost.__file__).parent / "render" / "bench.schema.json").read_text())
MODELS = """
import torch
from torch import nn


def make():
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 16, 3, padding=1), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10),
    )


class Asking(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = make()

    def forward(self, image):
        scores = self.body(image)
        return scores if scores.isnan().any().item() else scores * 2


def asking():
    return Asking()
"""
IMAGE = "1x3x32x32"
RACE = ("--input", IMAGE, "--time", "2s", "--device", "cuda")


@pytest.fixture
def net(tmp_path: Path) -> str:
    """The path of MODELS as a file."""
    path = tmp_path / "nets.py"
    path.write_text(MODELS)
    return str(path)


@pytest.fixture
def exact(monkeypatch: pytest.MonkeyPatch) -> None:
    """Products in full single precision: with TF32, ten bits of the mantissa are left."""
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    monkeypatch.setattr(torch.backends.cuda.matmul, "allow_tf32", False)


@pytest.mark.parametrize(
    "words", [(), ("--dtype", "float16", "--channels-last"), ("--dtype", "bfloat16")]
)
def test_models_race_eagerly_and_from_graphs(
    command: Command, net: str, words: tuple[str, ...]
) -> None:
    code, out, _ = command("bench", f"{net}:make", "--conv", "dual:2", *RACE, "--json", *words)
    assert code == ExitCode.OK
    found = json.loads(out)
    jsonschema.validate(found, SCHEMA, cls=jsonschema.Draft202012Validator)
    assert [one["mode"] for one in found["contenders"]] == [EAGER] * 2 + [GRAPH] * 2
    assert found["machine"]["gpu"] == torch.cuda.get_device_name()
    assert "tf32_convolutions" in found["settings"]
    assert set(found["controls"]) == {EAGER, GRAPH}
    eager, dual, *replayed = (one["undisturbed_s"] for one in found["contenders"])
    assert 0 < min(replayed) <= max(replayed) < min(eager, dual)  # nothing waits for a launch


def test_the_table_names_the_gpu_and_both_modes(command: Command, net: str) -> None:
    code, out, _ = command("bench", f"{net}:make", "--conv", "dual:2", *RACE)
    assert code == ExitCode.OK
    for words in ("as it is, CUDA graph", "dual G=2, eager", torch.cuda.get_device_name()):
        assert words in out


def test_what_cannot_be_captured_still_runs_eagerly(command: Command, net: str) -> None:
    code, out, _ = command("bench", f"{net}:asking", *RACE, "--json")
    assert code == ExitCode.OK
    found = json.loads(out)
    assert {one["mode"] for one in found["contenders"]} == {EAGER}
    assert any("no CUDA graph" in note for note in found["notes"])


def test_compiled_models_race_too(command: Command, net: str) -> None:
    code, out, _ = command("bench", f"{net}:make", *RACE, "--compile", "--json")
    assert code == ExitCode.OK
    assert [one["mode"] for one in json.loads(out)["contenders"]] == ["compiled", GRAPH]


def test_what_does_not_fit_on_the_gpu_is_one_clear_line(command: Command, net: str) -> None:
    words = ("--input", "200000x3x256x256", "--device", "cuda", "--time", "1s")
    code, out, err = command("bench", f"{net}:make", *words)
    assert (code, out) == (ExitCode.UNMEASURED, "")
    assert "does not fit into the memory of cuda" in err
    assert "hint: try a smaller --batch" in err


def test_a_budget_of_gpu_time_holds_and_fails(command: Command, net: str, tmp_path: Path) -> None:
    for limit, code in (("10 s", ExitCode.OK), ("1 us", ExitCode.FAILED)):
        (tmp_path / "dualcost.toml").write_text(
            f'[models.small]\ntarget = "{net}:make"\ninput = "{IMAGE}"\n'
            f'rewrite = {{ conv = "dual", G = 2 }}\n'
            f'[models.small.budget]\nlatency.cuda = {{ max = "{limit}", level = "error" }}\n'
        )
        found, out, err = command("check")
        assert found == code, (out, err)
        assert "latency.cuda" in out


def test_the_papers_networks_are_raced_on_both_devices(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [f"table6-mobilenetv1-{name}" for name in ("original", "het-P4", "dual-G4")]
    rows = [replace(row, network="mobilenetv1-cifar10") for row in printed_rows() if row.id in ids]
    monkeypatch.setattr(dualcost.paper.latency, "printed_rows", lambda: rows)
    code, out, _ = command("paper", "latency", "VI", "--time", "2s", "--json")
    assert code == ExitCode.OK
    document = json.loads(out)
    assert [race["conditions"]["device"] for race in document["races"]] == ["cpu", "cuda"]
    assert {record["mode"] for record in document["rows"]} == {EAGER, GRAPH}


@pytest.mark.parametrize("name", ["zoo:mobilenetv2-cifar", "torchvision:resnet18"])
def test_real_tensors_on_a_gpu_are_counted_as_fake_ones_are(name: str) -> None:
    real, fake = library.load(name, device="cuda"), library.load(name)
    why = "run on real tensors on cuda with random inputs, because that was asked for"
    assert real.notes == (why,)
    assert (real.macs, real.params) == (fake.macs, fake.params)
    assert [(op.path, op.macs) for op in real.ops if op.macs] == [
        (op.path, op.macs) for op in fake.ops if op.macs
    ]


def test_a_model_that_lives_on_a_gpu_is_profiled_where_it_is() -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU()).cuda().train()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    random = torch.cuda.get_rng_state()
    memory = torch.cuda.memory_allocated()
    assert dualcost.profile(model, IMAGE).before.macs == 30 * 30 * 27 * 8
    assert torch.cuda.memory_allocated() == memory  # tensors without values take none
    assert dualcost.profile(model, IMAGE, device="cuda").before.macs == 30 * 30 * 27 * 8
    assert model.training
    assert torch.equal(random, torch.cuda.get_rng_state())
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())


@pytest.mark.usefixtures("exact")
def test_a_model_is_converted_and_fused_on_its_gpu() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
        nn.Conv2d(16, 32, 3, padding=1, bias=False), nn.BatchNorm2d(32), nn.ReLU(),
    ).cuda().eval()  # fmt: skip
    spec = TensorSpec.parse("2x3x24x24")
    converted = convert(model, Request.parse("dual", G=4), [spec])
    assert any(isinstance(module, DualConv2d) for module in converted.modules())
    image = torch.randn(spec.shape, device="cuda")
    for by in ("measured", "macs"):
        fused = fuse(converted, [spec], by=by).model
        assert not any(isinstance(module, nn.BatchNorm2d) for module in fused.modules())
        assert {tensor.device.type for tensor in fused.parameters()} == {"cuda"}
        with torch.no_grad():
            torch.testing.assert_close(fused(image), converted(image), rtol=1e-3, atol=1e-4)


@pytest.mark.usefixtures("exact")
def test_the_modules_compute_on_a_gpu_what_they_compute_on_the_processor() -> None:
    torch.manual_seed(0)
    layer = DualConv2d(16, 32, 3, G=4, stride=2, padding=1)
    image = torch.randn(2, 16, 15, 17)
    here = layer(image)
    here.sum().backward()
    gradients = [parameter.grad.clone() for parameter in layer.parameters()
                 if parameter.grad is not None]  # fmt: skip
    layer.zero_grad()
    there = layer.cuda()(image.cuda())
    there.sum().backward()
    torch.testing.assert_close(there.cpu(), here, rtol=1e-4, atol=1e-5)
    for parameter, gradient in zip(layer.parameters(), gradients, strict=True):
        assert parameter.grad is not None
        torch.testing.assert_close(parameter.grad.cpu(), gradient, rtol=1e-4, atol=1e-4)
