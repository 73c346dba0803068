"""The words that people bring: what they mean exists, and is told."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

import pytest
from typer.main import get_command

from dualcost.cli import COMMANDS, assembled, meant
from dualcost.cli.meant import ALREADY, MODEL, meant_command, meant_option
from dualcost.library import networks as library

# Options that the table names, and that no command takes yet: what comes leaves this list.
COMING: set[str] = set()
NAMES = [name for origin in library.ORIGINS for name in library.names(origin)]


def taken() -> dict[str, set[str]]:
    """The options of each command, as assembled; of the program itself under ""."""
    app = get_command(assembled())
    return dict(_taken(app, ""))


def _taken(command: object, name: str) -> Iterator[tuple[str, set[str]]]:
    options = [one for one in command.params if one.param_type_name == "option"]  # type: ignore[attr-defined]
    yield name, {"--help"}.union(*((*one.opts, *one.secondary_opts) for one in options))
    for child, inner in getattr(command, "commands", {}).items():
        yield from _taken(inner, f"{name} {child}".strip())


TAKEN = taken()


def options_of(words: list[str]) -> list[str]:
    return [word for word in words if word.startswith("-")]


@pytest.mark.parametrize("word", [*meant.COMMANDS])
def test_what_a_word_means_is_a_command_with_its_options(word: str) -> None:
    assert word not in COMMANDS
    for way in meant.COMMANDS[word]:
        words = shlex.split(way)
        plain = [one for one in words if not one.startswith("-")]
        command = next(name for name in (" ".join(plain[:2]), *plain[:1], "") if name in TAKEN)
        assert set(options_of(words)) <= TAKEN[command] | COMING


@pytest.mark.parametrize("word", [*meant.OPTIONS])
def test_what_an_option_means_is_an_option_that_exists(word: str) -> None:
    for way in meant.OPTIONS[word]:
        words = shlex.split(way)
        takes = set().union(*TAKEN.values()) if way.startswith("-") else TAKEN[words[0]]
        assert set(options_of(words)) <= takes | COMING


def test_what_has_come_is_no_longer_coming() -> None:
    known = TAKEN["profile"] | TAKEN["check"]
    assert {option for option in COMING if option in known} == set()


def test_no_word_means_two_things() -> None:
    assert not ALREADY.keys() & meant.OPTIONS.keys()
    for name in ("COMMANDS", "OPTIONS"):
        table = getattr(meant, name)
        assert all(word == word.lower().replace("_", "-") for word in table)


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("export resnet50", "write `dualcost convert resnet50 --conv dual --G 4 -o FILE.onnx`"),
        ("latency", f"write `dualcost profile {MODEL} --latency` or `dualcost bench {MODEL}`"),
        ("FLOPs resnet50 --batch 8", "write `dualcost profile resnet50`"),
        ("diff vgg16", "write `dualcost compare vgg16 vgg16+dual:4`"),
        ("diff 'net.py:Net(3)'", "write `dualcost compare 'net.py:Net(3)' 'net.py:Net(3)+dual:4'`"),
        ("closed_form", f"write `dualcost formula {MODEL} --conv dual`"),
        ("table5", "write `dualcost paper table5`"),
        ("table-V", "write `dualcost paper V`"),
        ("version", "write `dualcost --version`"),
        ("resnet50", "write `dualcost profile resnet50`"),
        ("ResNet50 --conv dual:4", "write `dualcost profile ResNet50 --conv dual:4`"),
        ("resnet50+dual:4", "write `dualcost profile resnet50+dual:4`"),
        ("unet.py", "write `dualcost profile unet.py`"),
        ("'net.py:Net(3)'", "write `dualcost profile 'net.py:Net(3)'`"),
        ("model.pt2", "write `dualcost profile model.pt2`"),
        ("resnt50", "write `dualcost profile resnet50`"),
        ("prfile resnet50 --batch 8", "write `dualcost profile resnet50 --batch 8`"),
        ("exprot resnet50", "write `dualcost convert resnet50 --conv dual --G 4 -o FILE.onnx`"),
        ("xyzzy", ""),
    ],
)
def test_a_word_in_the_place_of_a_command_is_understood(line: str, hint: str) -> None:
    assert meant_command(shlex.split(line), COMMANDS, NAMES) == hint


OPTIONS = {
    "profile": {"--output", "-o", "--top", "--batch", "--input", "--G", "--latency", "--format"},
    "convert": {"--output", "-o", "--batch", "--input", "--G", "--weights"},
    "sweep": {"--plot", "--output", "-o", "--resume"},
    "compare": {"--top", "--json"},
}


@pytest.mark.parametrize(
    ("command", "option", "hint"),
    [
        ("profile", "--plot", "write `dualcost sweep vgg16 --conv dual --G 1..32 --plot`"),
        ("sweep", "--chart", "write --plot"),
        ("profile", "--max-params=20M", "write `dualcost check vgg16 --max params=20M`"),
        ("profile", "--threshold", "write `dualcost check vgg16 --max macs=3G`"),
        ("convert", "--save", "write -o FILE"),
        ("compare", "--save", "write `dualcost convert vgg16 --conv dual --G 4 -o FILE.onnx`"),
        ("profile", "--img_size", "write --input 1x3x224x224"),
        ("profile", "--g", "write --G"),
        ("profile", "-G", "write --G"),
        ("profile", "--groups", "write --G 4"),
        ("profile", "--TOP", "write --top"),
        ("compare", "--latency", "write `dualcost profile vgg16 --latency`"),
        ("compare", "--format", "profile takes --format, compare does not"),
        ("compare", "--input", "profile and convert take --input, compare does not"),
        ("compare", "--quiet", ALREADY["quiet"]),
        ("profile", "--btach", "did you mean --batch?"),
        ("profile", "--treshold", "write `dualcost check vgg16 --max macs=3G`"),
        ("compare", "--xyzzy", ""),
    ],
)
def test_a_refused_option_is_understood(command: str, option: str, hint: str) -> None:
    assert meant_option(option, command, OPTIONS, "vgg16") == hint


def test_of_many_commands_that_take_an_option_a_few_are_named() -> None:
    options = {name: {"--seed"} for name in "abcde"}
    assert meant_option("--seed", "x", options) == "a, b, c and 2 more take --seed, x does not"


def test_without_a_model_the_hint_shows_where_it_stands() -> None:
    assert meant_option("--limit", "profile", OPTIONS) == (
        f"write `dualcost check {MODEL} --max macs=3G`"
    )
