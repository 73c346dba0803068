"""What shells offer: asked of a real bash, and in the form that zsh and fish ask in."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from math import gcd
from pathlib import Path

import pytest
from support.imports import heavy_imports_of
from support.terminals import completed

from dualcost.cli import COMMANDS, completion, run
from dualcost.costs.metrics import COMPARED
from dualcost.errors import ExitCode
from dualcost.kinds.kinds import KINDS
from dualcost.library import networks as library
from dualcost.network.cost import CONVENTIONS
from dualcost.rewrite.request import BIASES
from dualcost.rewrite.rule import NAMED_RULES, READERS
from dualcost.units import UNIT_NAMES
from dualcost.views.order import SORTS

# a line → the words that are offered for it, and what they mean
Ask = Callable[[str], dict[str, str]]
MODEL = (
    '"""Code that must not run."""\n1 / 0\ndef make():\n    """A small one."""\ndef _own(): ...\n'
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    (tmp_path / "model.py").write_text(MODEL)
    (tmp_path / "plan.toml").write_text("")
    (tmp_path / "before.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    yield tmp_path


@pytest.fixture
def fish(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ask:
    """What fish is offered for a line: words, and their meaning by word."""

    def ask(line: str) -> dict[str, str]:
        monkeypatch.setenv("_DUALCOST_COMPLETE", "complete_fish")
        monkeypatch.setenv("_TYPER_COMPLETE_FISH_ACTION", "get-args")
        monkeypatch.setenv("_TYPER_COMPLETE_ARGS", f"dualcost {line}")
        code = run([])
        captured = capsys.readouterr()
        assert captured.err == ""
        rows = (row.partition("\t") for row in captured.out.splitlines())
        found = {word: about for word, _, about in rows}
        assert code == (ExitCode.OK if found else ExitCode.FAILED)
        begun = completion.of_text(f"dualcost {line}")
        return {w: a for w, a in found.items() if w.startswith(begun.before + begun.begun)}

    return ask


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", list(COMMANDS)),
        ("pro", ["profile"]),
        ("profile resnet50 --conv ", list(KINDS)),
        ("profile resnet50 --conv d", ["dsc", "dual"]),
        ("profile resnet50 --conv=d", ["--conv=dsc", "--conv=dual"]),
        ("profile resnet50 --convention ", list(CONVENTIONS)),
        ("profile resnet50 --indivisible ", ["refuse", "keep", "gcd", "fallback:8"]),
        ("profile resnet50 --bias ", list(BIASES)),
        ("profile resnet50 --sort ", list(SORTS)),
        ("profile resnet50 --unit ", list(UNIT_NAMES)),
        ("profile resnet50 --format ", ["table", "json", "csv", "markdown", "html", "figure"]),
        ("profile resnet50 --device ", ["cpu", "cuda"]),
        ("profile resnet50 --where ", [*NAMED_RULES, *(f"{field}=" for field in READERS)]),
        ("profile resnet50 --where kern", ["kernel=1", "kernel=3", "kernel=7"]),
        ("profile resnet50 --where str", ["stride-1", "stride=1", "stride=2"]),
        ("profile resnet50 --where 'kernel=3 stride=", ["kernel=3 stride=1", "kernel=3 stride=2"]),
        ("profile resnet50 --where path=layer4.0.conv",
         [f"path=layer4.0.conv{n}" for n in (1, 2, 3)]),
        ("profile nonsense --where first", ["first=yes", "first=no"]),
        ("profile mobilenet_v2 --where block", ["block=separable", "block=inverted-residual"]),
        ("profile resnet50 --but 'kernel=3: d",
         ["kernel=3: dsc", *(f"kernel=3: dual G={n}" for n in (2, 4, 8, 16, 32, 64))]),
        ("profile zoo:yol", ["zoo:yolov3-voc"]),
        ("profile mod", ["model.py"]),
        ("profile model.py:", ["model.py:make"]),
        ("profile x --inputs model.py:", ["model.py:make"]),
        ("profile resnet50 --output ", []),  # any file, which shells know themselves
        ("profile resnet50 --plan ", []),
        ("sweep resnet50 --conv dual,h", ["dual,het"]),
        ("sweep resnet50 --x ", list(COMPARED)),
        ("bench resnet50 --conv dual:3", ["dual:32"]),
        ("compare mobilenet_v2+dual:G=4@sep", ["mobilenet_v2+dual:G=4@separable"]),
        ("compare resnet50+plan", ["resnet50+plan.toml"]),
        ("compare bef", ["before.json"]),
        ("compare a b --by w", ["weight-bytes"]),
        ("compare a b --sort pa", ["params", "path"]),
        ("fit resnet50 --objective l", ["layers", "latency"]),
        ("solve resnet50 --for re", ["resolution"]),
        ("paper ", ["claims", "plot", "latency", *(f"table{n}" for n in range(1, 8))]),
        ("lock --accept tr", ["traffic", "trainable-params"]),
        ("check --output j", ["json", "junit"]),
        ("list zoo:vgg16-i", ["zoo:vgg16-imagenet"]),
        ("no-such-command ", []),
        ("profile 'unclosed", []),
    ],
)  # fmt: skip
def test_each_place_offers_its_words(fish: Ask, line: str, words: list[str]) -> None:
    assert list(fish(line)) == words


def test_models_are_those_that_are_packaged(fish: Ask) -> None:
    offered = fish("profile ")
    bare = {name for origin in library.ORIGINS for name in library.names(origin)}
    assert set(offered) == {*bare, "model.py"}
    assert set(fish("profile torchvision:")) == {
        f"torchvision:{name}" for name in library.names("torchvision")
    }


def test_models_of_timm_are_read_without_importing_it(fish: Ask) -> None:
    import timm

    offered = {name.removeprefix("timm:") for name in fish("profile timm:")}
    assert offered <= set(timm.list_models())
    assert len(offered) > 0.9 * len(timm.list_models())


@pytest.mark.parametrize("model", ["resnet50", "vgg16", "zoo:mobilenetv1-imagenet"])
def test_offered_divisors_divide_what_would_be_replaced(fish: Ask, model: str) -> None:
    network = library.load(model)
    sites = [op.site for op in network.ops if op.site is not None][1:]
    spatial = [s for s in sites if max(s.kernel) > 1 and s.groups == 1]
    shared = gcd(*(n for s in spatial for n in (s.M, s.N))) if spatial else 0
    expected = [str(n) for n in range(2, shared + 1) if shared % n == 0]
    offered = list(fish(f"profile {model} --conv dual --G "))
    assert offered == (expected or ["2", "4", "8", "16", "32"])


def test_models_of_the_configuration_are_offered(fish: Ask, folder: Path) -> None:
    text = '[models.small]\ntarget = "zoo:yolov3-voc"\n[models.big]\ntarget = "resnet50"\n'
    (folder / "dualcost.toml").write_text(text)
    assert fish("check ") == {"small": "zoo:yolov3-voc", "big": "resnet50"}
    (folder / "dualcost.toml").write_text("[[[")
    assert fish("check ") == {}


def test_kinds_are_shown_with_what_they_are(fish: Ask) -> None:
    offered = fish("profile resnet50 --conv ")
    assert offered["dual"] == KINDS["dual"].about
    assert fish("profile --inp")["--input"].startswith("Input as [name=]1x3x224x224[:dtype]")


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("dualcost prof", ["profile"]),
        ("dualcost profile zoo:yol", ["profile", "zoo:yolov3-voc"]),
        ("dualcost profile model.py:", ["profile", "model.py:make"]),
        ("dualcost bench resnet50 --conv dual:3", ["bench", "resnet50", "--conv", "dual:32"]),
        ("dualcost profile x --conv=du", ["profile", "x", "--conv=dual"]),
        ("dualcost compare a+dual:G=4@sep", ["compare", "a+dual:G=4@separable"]),
        ('dualcost profile resnet50 --where "kernel=3 dil',
         ["profile", "resnet50", "--where", "kernel=3 dilation=1"]),
        ("dualcost profile x --output mod", ["profile", "x", "--output", "model.py"]),
    ],
)  # fmt: skip
def test_bash_completes(typed: str, words: list[str], folder: Path) -> None:
    assert completed(typed, folder) == ["dualcost", *words]


def asked(environment: dict[str, str]) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "dualcost"],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    return done.stdout


def test_zsh_is_given_code_that_describes_words() -> None:
    answer = asked({"_DUALCOST_COMPLETE": "complete_zsh",
                    "_TYPER_COMPLETE_ARGS": "dualcost profile resnet50 --conv "})  # fmt: skip
    words = shlex.split(answer.replace("(", "( ").replace(")", " )"))
    assert f"dual:{KINDS['dual'].about.replace('(', '( ').replace(')', ' )')}" in words
    answer = asked({"_DUALCOST_COMPLETE": "complete_zsh",
                    "_TYPER_COMPLETE_ARGS": "dualcost profile zoo:yol"})  # fmt: skip
    assert r"zoo\:yolov3-voc" in answer
    answer = asked({"_DUALCOST_COMPLETE": "complete_zsh",
                    "_TYPER_COMPLETE_ARGS": "dualcost profile x --output "})  # fmt: skip
    assert answer == "_files\n"


@pytest.mark.parametrize(
    "line",
    ["", "profile ", "profile resnet50 --conv dual --G ", "profile resnet50 --where kernel=",
     "profile timm:", "solve resnet50 --for ", "fit resnet50 --objective ", "lock --accept "],
)  # fmt: skip
def test_an_answer_needs_nothing_heavy(line: str) -> None:
    variables = {
        "_DUALCOST_COMPLETE": "complete_fish",
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
        "_TYPER_COMPLETE_ARGS": f"dualcost {line}",
    }
    code = f"import os; os.environ.update({variables!r})\nfrom dualcost.cli import main; main()"
    assert heavy_imports_of(code) == (0, "[]")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_has_its_script(shell: str) -> None:
    script = asked({"_DUALCOST_COMPLETE": f"source_{shell}"})
    assert f"_DUALCOST_COMPLETE=complete_{shell}" in script
