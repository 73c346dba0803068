"""A user's model is found, imported as Python would import it, and built; or it says why not."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from torch import nn

from dualcost.errors import ModelError, UnknownNameError
from dualcost.library import networks as library
from dualcost.network.network import TensorSpec
from dualcost.nn.sources.code import from_code
from dualcost.nn.sources.sources import from_torchvision, from_zoo

IMAGE = (TensorSpec((1, 3, 8, 8)),)
# what the models below cost: a 3x3 convolution of the image, from 3 channels to `width`
MACS = {width: 6 * 6 * 3 * 3 * 3 * width for width in (4, 5, 6, 7)}

MODEL = """
from torch import nn

class Net(nn.Module):
    def __init__(self, width=4):
        super().__init__()
        self.conv = nn.Conv2d(3, width, 3)
    def forward(self, x):
        return self.conv(x)

def make():
    return Net(5)

class Family:
    @staticmethod
    def large():
        return Net(6)

ready = Net(7)
number = 7
_private = make
"""


@pytest.fixture(autouse=True)
def imports_left_as_they_were(tmp_path: Path) -> Iterator[None]:
    path = list(sys.path)
    yield
    assert sys.path == path
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None)).startswith(f"{tmp_path}/"):
            del sys.modules[name]


def write(folder: Path, **files: str) -> None:
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)


def macs(text: str) -> int:
    return from_code(text).trace(IMAGE).macs


def test_a_factory_is_a_class_a_function_or_a_module_of_a_file(tmp_path: Path) -> None:
    write(tmp_path, net=MODEL)
    for factory, width in {
        "Net": 4,
        "make": 5,
        "Family.large": 6,
        "ready": 7,
        "_private": 5,
    }.items():
        source = from_code(f"{tmp_path}/net.py:{factory}")
        assert source.name == f"{tmp_path}/net.py:{factory}"
        assert source.trace(IMAGE).macs == MACS[width]


def test_a_factory_is_found_in_a_package_of_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "nets", __init__="", small=MODEL)
    monkeypatch.chdir(tmp_path)
    assert macs("nets.small:make") == MACS[5]


def test_a_file_is_found_from_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "deep", net=MODEL)
    monkeypatch.chdir(tmp_path)
    assert macs("deep/net.py:make") == MACS[5]


def test_a_factory_is_found_in_an_installed_package() -> None:
    source = from_code("torchvision.models:squeezenet1_1")
    traced = source.trace((TensorSpec((1, 3, 224, 224)),))
    assert traced.ops == library.load("torchvision:squeezenet1_1").ops


def test_the_library_takes_code_too(tmp_path: Path) -> None:
    write(tmp_path, net=MODEL)
    said: list[str] = []
    network = library.load(f"{tmp_path}/net.py:make", IMAGE, announce=said.append)
    assert network.macs == MACS[5]
    assert said == [f"tracing {tmp_path}/net.py:make"]


def test_a_file_imports_what_lies_beside_it(tmp_path: Path) -> None:
    write(tmp_path, net="from layers import make", layers=MODEL)
    assert macs(f"{tmp_path}/net.py:make") == MACS[5]


def test_a_factory_imports_what_lies_beside_it_when_it_is_called(tmp_path: Path) -> None:
    write(tmp_path, net="def make():\n    import layers\n    return layers.make()", layers=MODEL)
    assert macs(f"{tmp_path}/net.py:make") == MACS[5]


def test_two_folders_have_each_their_own_siblings(tmp_path: Path) -> None:
    """Two versions of a model, compared in one run: neither may get the other's layers."""
    late = (
        "from layers import make as early\ndef make():\n    import layers\n    return layers.make()"
    )
    write(tmp_path / "old", net=late, layers=MODEL)
    write(tmp_path / "new", net=late, layers=MODEL.replace("Net(5)", "Net(6)"))
    old, new = (from_code(f"{tmp_path}/{folder}/net.py:make") for folder in ("old", "new"))
    for _ in range(2):
        assert old.trace(IMAGE).macs == MACS[5]
        assert new.trace(IMAGE).macs == MACS[6]
    assert macs(f"{tmp_path}/old/net.py:early") == MACS[5]
    assert macs(f"{tmp_path}/new/net.py:early") == MACS[6]


def test_an_edited_file_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # within the second that a compiled file's date would be compared to
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    write(tmp_path, net="from layers import make", layers=MODEL)
    assert macs(f"{tmp_path}/net.py:make") == MACS[5]
    write(tmp_path, layers=MODEL.replace("Net(5)", "Net(7)"))
    assert macs(f"{tmp_path}/net.py:make") == MACS[7]


@pytest.mark.parametrize("name", ["json", "torch", "calendar", "timm", "time"])
def test_a_file_with_the_name_of_a_library_does_not_take_its_place(
    tmp_path: Path, name: str
) -> None:
    before = sys.modules.get(name)
    write(tmp_path, **{name: MODEL})
    assert macs(f"{tmp_path}/{name}.py:make") == MACS[5]
    assert sys.modules.get(name) is before
    assert sys.modules["json"] is json


def test_a_file_finds_itself_where_dataclasses_and_pickle_look(tmp_path: Path) -> None:
    text = """
from __future__ import annotations
import pickle
from dataclasses import dataclass
from typing import ClassVar

@dataclass
class Settings:
    width: int = 5
    kinds: ClassVar[int] = 3

assert pickle.loads(pickle.dumps(Settings())) == Settings()

def here():
    return make()
"""
    write(tmp_path, net=text + MODEL)
    assert macs(f"{tmp_path}/net.py:here") == MACS[5]


MISTAKES: dict[str, tuple[str, str, str]] = {
    "a syntax error": ("def make(:", "make", "cannot be imported: SyntaxError"),
    "a missing import": ("import no_such_thing", "make", "cannot be imported: ModuleNotFoundError"),
    "an exit": ("import sys; sys.exit(3)", "make", "cannot be imported: SystemExit: 3"),
    "an error": ("1 / 0", "make", "cannot be imported: ZeroDivisionError"),
    "a number": (MODEL, "number", "is a int, not a factory"),
    "a wrong type": ("def make(): return 7", "make", "makes a int, not a torch.nn.Module"),
    "a class of no model": ("class make: pass", "make", "makes a make, not a torch.nn.Module"),
    "a factory that raises": (
        "def make(): raise LookupError('the weights')",
        "make",
        "cannot be built: LookupError: the weights",
    ),
    "a factory that exits": (
        "def make(): raise SystemExit('usage: train.py')",
        "make",
        "cannot be built: SystemExit: usage: train.py",
    ),
    "an argument": ("def make(width): pass", "make", "missing a required argument: 'width'"),
    "an input that does not fit": (
        MODEL.replace("Conv2d(3,", "Conv2d(2,"),
        "make",
        "does not run on 1×3×8×8: in conv (Conv2d): ",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_what_is_wrong_with_the_code_is_said_with_its_place(mistake: str, tmp_path: Path) -> None:
    text, factory, message = MISTAKES[mistake]
    write(tmp_path, net=text)
    with pytest.raises(ModelError) as caught:
        macs(f"{tmp_path}/net.py:{factory}")
    assert caught.value.message.startswith(f"{tmp_path}/net.py")
    assert message in caught.value.message
    assert caught.value.hint


def test_a_missing_factory_is_told_with_those_that_are_there(tmp_path: Path) -> None:
    write(tmp_path, net=MODEL)
    with pytest.raises(UnknownNameError, match=r"no factory in .*net.py is called 'mak'") as close:
        from_code(f"{tmp_path}/net.py:mak")
    assert close.value.hint == "did you mean make?"
    with pytest.raises(UnknownNameError) as far:
        from_code(f"{tmp_path}/net.py:xyz")
    assert far.value.hint == "known: Family, Net, make, ready"
    with pytest.raises(UnknownNameError):
        from_code(f"{tmp_path}/net.py:Family.small")


def test_a_missing_file_and_a_missing_module_are_told(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"there is no file .*none\.py"):
        from_code(f"{tmp_path}/none.py:make")
    with pytest.raises(ModelError, match="no_such_package cannot be imported"):
        from_code("no_such_package:make")
    with pytest.raises(ModelError, match="cannot be imported: ValueError: Empty module name"):
        from_code(":make")


def test_an_interrupt_is_not_taken_for_a_mistake(tmp_path: Path) -> None:
    write(tmp_path, net="raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        from_code(f"{tmp_path}/net.py:make")


def test_a_file_that_failed_is_not_left_behind(tmp_path: Path) -> None:
    write(tmp_path, broken="import helper\n1 / 0", helper="")
    with pytest.raises(ModelError):
        from_code(f"{tmp_path}/broken.py:make")
    write(tmp_path, broken=MODEL)
    assert macs(f"{tmp_path}/broken.py:make") == MACS[5]


def test_code_that_changes_the_path_itself_keeps_what_it_added(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    added = tmp_path / "vendored"
    write(added, layers=MODEL)
    write(tmp_path, net=f"import sys\nsys.path.append({str(added)!r})\nfrom layers import make")
    assert macs(f"{tmp_path}/net.py:make") == MACS[5]
    assert sys.path.pop() == str(added)


def test_a_model_that_needs_values_is_built_with_its_weights(tmp_path: Path) -> None:
    asking = "return self.conv(x) if x.sum() > 0 else x"
    write(tmp_path, net=MODEL.replace("return self.conv(x)", asking))
    network = from_code(f"{tmp_path}/net.py:make").trace(IMAGE)
    assert network.macs == MACS[5]
    assert network.notes == ("run on real tensors with random inputs, because item() needs values",)


def test_a_model_of_unknown_input_asks_for_it(tmp_path: Path) -> None:
    write(tmp_path, net=MODEL)
    with pytest.raises(ModelError, match="nothing is known about the input") as caught:
        from_code(f"{tmp_path}/net.py:make").trace()
    assert "--input" in caught.value.hint


def test_the_versions_that_decide_are_recorded(tmp_path: Path) -> None:
    write(tmp_path, net=MODEL)
    assert set(from_code(f"{tmp_path}/net.py:make").trace(IMAGE).versions) == {"torch"}
    assert set(from_zoo("vgg16-cifar10").trace().versions) == {"torch"}
    assert set(from_torchvision("squeezenet1_1").trace().versions) == {"torch", "torchvision"}


def test_another_input_replaces_the_one_that_is_known() -> None:
    source = from_torchvision("squeezenet1_1")
    assert source.inputs == (TensorSpec((1, 3, 224, 224)),)
    (first, *_) = source.trace((TensorSpec((2, 3, 96, 96)),)).ops
    assert first.in_shapes == ((2, 3, 96, 96),)


@pytest.mark.parametrize("find", [from_zoo, from_torchvision])
def test_an_unknown_name_is_told(find: Any) -> None:
    with pytest.raises(UnknownNameError, match="is called 'resnet5O'"):
        find("resnet5O")


def test_a_live_module_needs_no_source() -> None:
    network = library.load(nn.Conv2d(3, 4, 3), IMAGE)
    assert (network.name, network.macs) == ("Conv2d", MACS[4])
