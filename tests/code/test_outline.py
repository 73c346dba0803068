"""What a file of code offers is read from its text: its models, their parts, what to write."""

from __future__ import annotations

from pathlib import Path

import pytest

from dualcost.code.outline import outline
from dualcost.errors import ModelError

HEAD = "import torch\nfrom torch import nn\n1 / 0  # it is not run\n"
BLOCK = (
    "class Block(nn.Module):\n    def __init__(self, width): self.conv = nn.Conv2d(3, width, 3)\n"
)
NET = "class Net(nn.Module):\n    def __init__(self, base: int = 8): self.block = Block(base)\n"


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return Path("net.py")


def models(path: Path, text: str) -> list[str]:
    path.write_text(HEAD + text)
    return [one.name for one in outline(str(path)).models]


MODELS = {
    "a class": ("class Net(nn.Module): pass", ["Net"]),
    "a class of another name for torch.nn": (
        "import torch.nn as layers\nclass Net(layers.Sequential): pass",
        ["Net"],
    ),
    "what is called Module elsewhere": (
        "import lightning as L\nclass Net(L.LightningModule): pass",
        ["Net"],
    ),
    "a class by a base in the file": (
        "class _Base(nn.Module): pass\nclass Net(_Base): pass",
        ["Net"],
    ),
    "a base and what derives from it": (
        "class Net(nn.Module): pass\nclass Wide(Net): pass",
        ["Net", "Wide"],
    ),
    "a class with its parts": (BLOCK + NET, ["Net"]),
    "a function that returns a class of the file": (NET + "def make(): return Net(4)", ["make"]),
    "a function that says so": ("def make(width: int) -> nn.Module: ...", ["make"]),
    "a function that says so in a text": (NET + "def make() -> 'Net': ...", ["Net", "make"]),
    "layers that are called": ("def make(): return nn.Sequential(nn.ReLU())", ["make"]),
    "a model of another package": (
        "def make():\n    from torchvision import models\n    return models.resnet18()",
        ["make"],
    ),
    "a name on the way": (
        NET + "def make(small=True):\n    net = Net(2) if small else Net()\n    net = net.eval()\n"
        "    return net.to('cpu')",
        ["make"],
    ),
    "a model that stands ready": (NET + "ready = Net(4).eval()", ["ready"]),
    "functions that call each other": ("def a(): return b()\ndef b(): return a()", []),
    "classes that build each other": (
        "class A(nn.Module):\n    def f(self): return B()\n"
        "class B(nn.Module):\n    def f(self): return A()",
        ["A", "B"],
    ),
    "an input": ("def inputs(): return torch.zeros(1, 3)", []),
    "a batch of another package": (
        "import timm\ndef inputs(): return timm.data.batch()\ndef images(): return torch.rand(3)",
        [],
    ),
    "a use of a model": (NET + "def main():\n    net = Net()\n    return net(0).sum()", ["Net"]),
    "a loss": (NET + "def loss() -> float: return Net()", ["Net"]),
    "what takes a model": (NET + "def wrap(model: nn.Module) -> nn.Module: ...", ["Net"]),
    "what is private": ("class _Net(nn.Module): pass\n_ready = _Net()", []),
    "other classes": ("class Data(torch.utils.data.Dataset): pass\nclass Config: pass", []),
}


@pytest.mark.parametrize("case", MODELS)
def test_models_are_what_makes_a_module_and_is_no_part(case: str, path: Path) -> None:
    text, expected = MODELS[case]
    assert models(path, text) == expected


def test_all_public_definitions_are_offered_with_what_they_are(path: Path) -> None:
    path.write_text('def make(*, x=(1, 2)):\n    """A small\n    one."""\nclass Config: ...\n')
    offers = outline("net.py").offers
    assert [(one.name, one.signature, one.about, one.model) for one in offers] == [
        ("make", "make(*, x=(1, 2))", "A small", False),
        ("Config", "Config()", "", False),
    ]


def test_a_file_with_one_model_is_enough(path: Path) -> None:
    path.write_text(HEAD + BLOCK + NET)
    assert outline("net.py").address() == "net.py:Net"


REFUSALS = {
    "several": (
        NET + "def small(width=3): return nn.Conv2d(3, width, 3)",
        "net.py has 2 models: Net(base=8) and small(width=3)",
        "write net.py:Net or net.py:small",
    ),
    "arguments": (
        BLOCK + "class Net(nn.Module):\n    def __init__(self, a, b=2, *, c): Block(a)",
        "net.py has a model that takes arguments: Net(a, b=2, *, c); built of Block",
        "write 'net.py:Net(a=…, c=…)'",
    ),
    "arguments that the file itself says": (
        BLOCK + "def main():\n    for width in (3, 4): Block(width)\n    Block(width=7)",
        "net.py has a model that takes arguments: Block(width)",
        "write 'net.py:Block(width=7)'",
    ),
    "arguments of a base": (
        "class _Base(nn.Module):\n    def __init__(self, a): ...\nclass Net(_Base): ...",
        "net.py has a model that takes arguments: Net(a)",
        "write 'net.py:Net(a=…)'",
    ),
    "many": (
        "".join(f"class N{i}(nn.Module): ...\n" for i in range(9)),
        "net.py has 9 models: N0(), N1(), N2(), N3(), N4(), N5() and 3 more",
        "write net.py:N0, net.py:N1, net.py:N2, net.py:N3, net.py:N4, net.py:N5 or 3 more",
    ),
    "none": (
        "def train(net): ...",
        "net.py has no class of modules, and no function that returns a model",
        "write net.py:NAME for what makes one; it has train",
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_a_file_without_one_model_says_what_to_write(case: str, path: Path) -> None:
    text, message, hint = REFUSALS[case]
    path.write_text(HEAD + text)
    with pytest.raises(ModelError) as caught:
        outline("net.py").address()
    assert (caught.value.message, caught.value.hint) == (message, hint)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"import os\ndef make(:", "net.py, line 2 is no Python: invalid syntax"),
        (b"# coding: none", "net.py is no Python: unknown encoding: none"),
    ],
)
def test_what_is_no_python_is_said_with_its_line(content: bytes, message: str, path: Path) -> None:
    path.write_bytes(content)
    with pytest.raises(ModelError) as caught:
        outline("net.py")
    assert caught.value.message == message


def test_a_missing_file_is_said(path: Path) -> None:
    with pytest.raises(ModelError, match=r"there is no file net\.py"):
        outline("net.py")
    path.mkdir()
    with pytest.raises(ModelError, match=r"cannot read net\.py: Is a directory"):
        outline("net.py")
