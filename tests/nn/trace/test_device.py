"""Running a model on real tensors of a device, where fake ones are not wanted."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from support.commands import Command
from support.models import floats
from torch import nn

import dualcost
from dualcost.errors import ExitCode, ModelError, UsageError
from dualcost.library import networks as library
from dualcost.network.network import Network
from dualcost.nn.trace.trace import trace

NOTE = "run on real tensors on cpu with random inputs, because that was asked for"


def facts(network: Network) -> list[object]:
    """All that is counted. Memory is not: real kernels make intermediate results of their own."""
    return [(op.name, op.path, op.macs, op.operations, op.out_shapes) for op in network.ops]


@pytest.mark.parametrize("name", ["zoo:mobilenetv2-cifar", "torchvision:resnet18"])
def test_real_tensors_are_counted_as_fake_ones_are(name: str) -> None:
    real = library.load(name, device="cpu")
    assert real.notes == (NOTE,)
    assert facts(real) == facts(library.load(name))


def test_a_recurrent_layer_and_attention_are_counted_on_real_tensors_too() -> None:
    for model, spec in (
        (nn.LSTM(8, 16, 2), floats(5, 2, 8)),
        (nn.TransformerEncoderLayer(16, 4, 32, batch_first=True), floats(2, 7, 16)),
    ):
        real, fake = trace(model, [spec], device="cpu"), trace(model, [spec])
        assert real.macs == fake.macs > 0
        assert real.params == fake.params == sum(p.numel() for p in model.parameters())


def test_the_model_and_the_random_numbers_stay_as_they_were() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).train()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    random = torch.random.get_rng_state()
    assert dualcost.profile(model, "2x3x6x6", device="cpu").before.macs == 2 * 4 * 4 * 27 * 4
    assert torch.equal(random, torch.random.get_rng_state())
    assert model.training
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())


def test_a_device_that_is_not_here_is_one_message(command: Command, tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text("import torch\ndef make(): return torch.nn.Linear(2, 2)")
    for device, message in (
        ("tpu", "'tpu' is not a device"),
        ("cuda:99", "there is no cuda:99 here: torch sees no such GPU"),
    ):
        code, _, err = command("profile", "model.py:make", "--input", "1x2", "--device", device)
        assert code == ExitCode.USAGE
        assert f"error: {message}" in err


def test_a_model_without_weights_cannot_run() -> None:
    with pytest.raises(ModelError, match="has no weights"):
        trace(nn.Linear(2, 2, device="meta"), [floats(1, 2)], device="cpu")
    with pytest.raises(UsageError, match="is not a device"):
        trace(nn.Linear(2, 2), [floats(1, 2)], device="cpu:3")
