"""Models in `.pt2` files cost what the model costs, and reading one runs no code of its author."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from support.commands import Command
from support.models import Forward, floats, weight
from torch import Tensor, nn
from torch.nn import functional as F

from dualcost.errors import ExitCode, ModelError
from dualcost.library import networks as library
from dualcost.network.network import Network
from dualcost.nn.convert.convert import convert
from dualcost.nn.sources import exported
from dualcost.nn.sources.sources import find
from dualcost.nn.trace.trace import trace
from dualcost.rewrite.request import Request

pytestmark = pytest.mark.usefixtures("warm_python")


class Shares(nn.Module):
    """A layer that runs twice, one that shares its weight, and a parameter that never runs."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(4, 8, 3, stride=2, padding=1, bias=False)
        self.twice = nn.Conv2d(8, 8, (1, 3), padding="same", dilation=2)
        self.twin = nn.Conv2d(8, 8, (1, 3), groups=1)
        self.twin.weight = self.twice.weight
        self.spare = nn.Linear(3, 2)
        self.scale: Tensor
        self.register_buffer("scale", torch.rand(8, 1, 1))

    def forward(self, image: Tensor) -> Tensor:
        made = self.twice(self.twice(self.first(image)))
        return F.relu(self.twin(made) * self.scale)


def separable() -> nn.Module:
    return nn.Sequential(
        nn.Sequential(nn.Conv2d(8, 8, 3, padding=1, groups=8), nn.BatchNorm2d(8), nn.ReLU6()),
        nn.Conv2d(8, 16, 1),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(16, 5),
    ).eval()


def bare() -> nn.Module:
    return Forward(lambda self, x: F.conv2d(x, self.w).softmax(1), w=weight(4, 3, 2, 2))


MODELS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "shares": (Shares, (2, 4, 9, 9)),
    "separable": (separable, (1, 8, 6, 6)),
    "bare": (bare, (1, 3, 5, 5)),
    "attention": (lambda: nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), (1, 5, 8)),
    "alone": (lambda: nn.Conv2d(4, 4, 3), (1, 4, 6, 6)),
}


def save(model: nn.Module, path: Path, *args: Any, **kwargs: Any) -> Path:
    training = {id(module): module.training for module in model.modules()}
    for module in model.modules():
        module.training = False
    torch.export.save(torch.export.export(model, args, kwargs), path)
    for module in model.modules():
        module.training = training[id(module)]
    return path


def costs(network: Network) -> dict[str, Any]:
    """All that a profile is made of, layer by layer, but for views, which an export may merge."""
    worked = [op for op in network.ops if op.macs or op.parameters]
    return {
        "ops": [(op.name, op.group, op.macs, op.in_shapes, op.out_shapes) for op in worked],
        "macs": network.macs,
        "params": network.params,
        "buffers": sorted((b.name, b.shape) for b in network.buffers),
        "inputs": network.inputs,
    }


@pytest.mark.parametrize("name", MODELS)
def test_an_exported_model_costs_what_the_model_costs(name: str, tmp_path: Path) -> None:
    factory, shape = MODELS[name]
    model = factory()
    original = trace(model, [floats(*shape)])
    path = save(model, tmp_path / f"{name}.pt2", torch.rand(shape))
    loaded = find(str(path))
    assert costs(loaded.trace()) == costs(original)
    image = torch.rand(shape)
    model.eval()
    torch.testing.assert_close(loaded.factory()(image), model(image))


def test_its_layers_have_their_paths_and_the_names_of_their_classes(tmp_path: Path) -> None:
    path = save(separable(), tmp_path / "a.pt2", torch.rand(1, 8, 6, 6))
    layers = [(op.path, op.module) for op in find(str(path)).trace().ops if op.parameters]
    assert layers == [
        ("0.0", "Conv2d"), ("0.1", "BatchNorm2d"), ("1", "Conv2d"), ("4", "Linear")
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "where"),
    [("shares", "kernel>1"), ("separable", "separable"), ("separable", "groups>0 path=1")],
)
def test_it_converts_to_what_the_model_converts_to(name: str, where: str, tmp_path: Path) -> None:
    factory, shape = MODELS[name]
    model, asked = factory(), Request.parse("dual", G=2, where=where)
    path = save(model, tmp_path / "a.pt2", torch.rand(shape))
    original = trace(convert(model, asked, [floats(*shape)]), [floats(*shape)])
    converted = convert(find(str(path)).factory(), asked, [floats(*shape)])
    assert costs(trace(converted, [floats(*shape)])) == costs(original)
    again = save(converted, tmp_path / "b.pt2", torch.rand(shape))
    assert costs(find(str(again)).trace()) == costs(original)


class Named(nn.Module):
    def forward(self, image: Tensor, *, mask: Tensor) -> Tensor:
        return image @ mask


class Nested(nn.Module):
    def forward(self, pair: dict[str, Tensor], power: int) -> Tensor:
        return (pair["left"] @ pair["right"]) ** power


def test_inputs_come_from_the_file_by_name_or_nested(tmp_path: Path) -> None:
    path = save(Named(), tmp_path / "named.pt2", torch.rand(2, 3), mask=torch.rand(3, 4))
    network = library.load(str(path))
    assert network.inputs == (floats(2, 3), floats(3, 4, name="mask"))
    assert network.macs == 2 * 3 * 4
    pair = {"left": torch.rand(2, 5), "right": torch.rand(5, 4)}
    path = save(Nested(), tmp_path / "nested.pt2", pair, 2)
    assert library.load(str(path)).macs == 2 * 5 * 4


def test_a_file_is_known_by_its_content(command: Command, tmp_path: Path) -> None:
    save(nn.Conv2d(4, 4, 3), tmp_path / "a.pt2", torch.rand(1, 4, 6, 6))
    words = ("--format", "json", "--depth", "0")
    code, out, err = command("profile", "a.pt2", *words)
    assert code == ExitCode.OK
    assert "tracing a.pt2" in err
    (tmp_path / "b.pt2").write_bytes((tmp_path / "a.pt2").read_bytes())
    code, again, err = command("profile", "b.pt2", *words)
    assert err == ""  # from the cache
    assert json.loads(again)["network"] == "b.pt2"
    assert json.loads(again)["total"] == json.loads(out)["total"]
    save(nn.Conv2d(4, 8, 3), tmp_path / "b.pt2", torch.rand(1, 4, 6, 6))
    code, changed, err = command("profile", "b.pt2", *words)
    assert "tracing b.pt2" in err
    assert json.loads(changed)["total"]["before"]["macs"] == 4 * 4 * 3 * 3 * 4 * 8


def test_it_is_listed_and_verified_as_any_network(command: Command, tmp_path: Path) -> None:
    save(separable(), tmp_path / "a.pt2", torch.rand(1, 8, 6, 6))
    code, out, _ = command("list", "a.pt2", "--json")
    [entry] = json.loads(out)["networks"]
    # 6*6 positions · (3*3*8 + 8*16), and 16*5
    assert (code, entry["name"], entry["macs"]) == (ExitCode.OK, "a.pt2", 36 * (72 + 128) + 80)
    code, out, _ = command("verify", "a.pt2", "--json")
    assert code == ExitCode.OK
    assert json.loads(out)["failures"] == {}


def test_another_batch_than_it_was_exported_with_is_refused(
    command: Command, tmp_path: Path
) -> None:
    save(nn.Conv2d(4, 4, 3), tmp_path / "a.pt2", torch.rand(1, 4, 6, 6))
    code, _, err = command("profile", "a.pt2", "--batch", "2")
    assert code == ExitCode.USAGE
    assert "equal to 1, but got 2" in err


def whole(tmp_path: Path) -> bytes:
    return save(nn.Conv2d(4, 4, 3), tmp_path / "whole.pt2", torch.rand(1, 4, 6, 6)).read_bytes()


def archive(**records: bytes) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as file:
        for name, content in records.items():
            file.writestr(name, content)
    return made.getvalue()


def changed(content: bytes, ending: str, change: Callable[[bytes], bytes]) -> bytes:
    """An archive with the record whose name ends so in another form."""
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        records = {name: file.read(name) for name in file.namelist()}
    [name] = [name for name in records if name.endswith(ending)]
    return archive(**{**records, name: change(records[name])})


def a_state(content: bytes) -> bytes:
    made = io.BytesIO()
    torch.save(nn.Conv2d(1, 1, 1).state_dict(), made)
    return made.getvalue()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda content: content[: len(content) // 2], "damaged"),
        (lambda content: content[:100], "damaged"),
        (lambda content: b"", "damaged"),
        (lambda content: b"hello", "damaged"),
        (lambda content: archive(a=b"b"), "no exported program"),
        (a_state, "no exported program"),
        (lambda content: changed(content, "models/model.json", lambda text: text[:500]),
         "cannot be read by torch"),
        (lambda content: changed(content, "weights_config.json", lambda text: b"[1]"), "damaged"),
    ],
    ids=["half", "start", "empty", "text", "zip", "state", "graph cut", "weights' list"],
)  # fmt: skip
def test_a_damaged_or_foreign_file_is_one_clear_line(
    command: Command, tmp_path: Path, damage: Callable[[bytes], bytes], message: str
) -> None:
    (tmp_path / "a.pt2").write_bytes(damage(whole(tmp_path)))
    code, out, err = command("profile", "a.pt2")
    lines = [line for line in err.splitlines() if not line.startswith("dualcost: ")]
    assert (code, out) == (ExitCode.USAGE, "")
    assert [line.partition(":")[0] for line in lines] == ["error", "hint"]
    assert "a.pt2" in lines[0]
    assert message in lines[0]


def test_a_missing_file_is_one_clear_line(command: Command) -> None:
    code, _, err = command("profile", "missing.pt2")
    assert code == ExitCode.USAGE
    assert "cannot read missing.pt2" in err
    with pytest.raises(ModelError, match=r"no file missing\.pt2"):
        exported.load(Path("missing.pt2"))


class Hostile:
    """Unpickled, it makes a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.mkdir, (self.folder,)


def test_a_file_that_would_run_code_is_refused_unread(tmp_path: Path) -> None:
    made = io.BytesIO()
    torch.save(Hostile(tmp_path / "made"), made)
    content = changed(whole(tmp_path), "sample_inputs/model.pt", lambda _: made.getvalue())
    (tmp_path / "a.pt2").write_bytes(content)
    with pytest.raises(ModelError, match="pickled objects"):
        exported.load(tmp_path / "a.pt2")
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    "payload",
    [
        {"path_name": "weight_0", "use_pickle": True},
        {"path_name": "custom_obj_0", "use_pickle": False},
        {"path_name": "opaque_obj_0", "use_pickle": False},
    ],
)
def test_payloads_that_torch_would_unpickle_are_refused(
    tmp_path: Path, payload: dict[str, Any]
) -> None:
    listed = json.dumps({"config": {"one": payload}}).encode()
    content = changed(whole(tmp_path), "constants_config.json", lambda _: listed)
    (tmp_path / "a.pt2").write_bytes(content)
    with pytest.raises(ModelError, match="pickled objects"):
        exported.load(tmp_path / "a.pt2")
