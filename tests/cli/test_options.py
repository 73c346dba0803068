"""The options of commands: declared once, in records, and what a command lacks is said."""

from __future__ import annotations

import ast
import csv
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from importlib import import_module
from inspect import isfunction
from pathlib import Path
from typing import Any

import pytest
from support.commands import Command

import dualcost.cli
from dualcost.cli import COMMANDS
from dualcost.cli.options import Change, Output, Source, Without
from dualcost.cli.output import ENDINGS, Form, Target
from dualcost.cli.record import records
from dualcost.cli.word import ALIKE, OLD, understood
from dualcost.errors import ExitCode, UnknownNameError, UsageError

NETWORKS = (  # the commands that are about networks
    *("profile", "report", "sweep", "compare", "verify", "formula", "solve", "fit", "convert"),
    *("bench", "explain", "roofline", "init", "check"),
)


def function(name: str) -> Any:
    return getattr(import_module(f"dualcost.cli.commands.{name}"), COMMANDS[name][0])


@pytest.mark.parametrize("name", NETWORKS)
def test_a_command_about_networks_takes_every_way_to_say_one_or_says_why_not(name: str) -> None:
    taken = records(function(name))
    assert {Source, Change} <= taken.keys()
    assert Output in taken or name == "check"  # which writes several
    for record, told in taken.items():
        reasons = told.reasons if isinstance(told, Without) else {}
        assert reasons.keys() <= {field.name for field in fields(record)}
        assert all(len(reason.split()) > 2 for reason in reasons.values())


def test_every_other_command_has_an_output_with_forms() -> None:
    for name in COMMANDS.keys() - {*NETWORKS, "cache"}:
        assert isfunction(function(name))
        told = records(function(name))[Output]
        assert Form.JSON in told.forms and told.forms[0] is Form.TABLE


def functions() -> Iterator[tuple[str, ast.FunctionDef]]:
    for path in Path(dualcost.cli.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                yield f"{path.stem}.{node.name}", node


def test_no_function_of_the_command_line_is_longer_than_60_lines() -> None:
    assert {
        name: node.end_lineno - node.lineno + 1
        for name, node in functions()
        if node.end_lineno and node.end_lineno - node.lineno >= 60
    } == {}


@pytest.mark.parametrize("form", Form)
def test_the_ending_of_a_file_says_its_form(form: Form, tmp_path: Path) -> None:
    every = tuple(Form)
    for ending in ENDINGS[form]:
        assert Target.of(every, "", tmp_path / f"x{ending}").form is form
        assert Target.of(every, ending[1:], tmp_path / f"x{ending}").form is form
        others = tuple(one for one in every if one is not form)
        with pytest.raises(UsageError, match="cannot write"):
            Target.of(others, "", tmp_path / f"x{ending}")


def test_a_form_and_an_ending_agree_or_are_refused(tmp_path: Path) -> None:
    forms = (Form.TABLE, Form.JSON, Form.FIGURE)
    assert Target.of(forms, "", None) == Target(Form.TABLE)
    assert Target.of(forms, "json", tmp_path / "x").form is Form.JSON
    assert Target.of(forms, "json", tmp_path / "x.dat").form is Form.JSON
    with pytest.raises(UsageError, match="does not end as json does"):
        Target.of(forms, "json", tmp_path / "x.png")
    with pytest.raises(UsageError, match="cannot write"):
        Target.of(forms, "", tmp_path / "x.xlsx")
    with pytest.raises(UsageError, match="needs a file"):
        Target.of(forms, "figure", None)
    with pytest.raises(UnknownNameError, match="'csv'"):
        Target.of(forms, "csv", None)


@pytest.mark.parametrize(
    "words",
    [
        ("profile", "-o", "x.xlsx"),
        ("fit", "params<=1M", "-o", "x.png"),
        ("solve", "params<=20M", "-o", "x.md", "--conv", "dual"),
        ("compare", "vgg11", "-o", "x.csv"),
        ("roofline", "-o", "x.html"),
        ("verify", "-o", "x.svg"),
    ],
)
def test_what_cannot_be_written_is_refused_before_the_model_is_looked_for(
    command: Command, words: tuple[str, ...], tmp_path: Path
) -> None:
    path = tmp_path / words[words.index("-o") + 1]
    path.write_text("mine")
    name, *rest = [str(path) if word.startswith("x.") else word for word in words]
    code, out, err = command(name, "no_such_model", *rest)
    assert (code, out) == (ExitCode.USAGE, "")
    assert "cannot write" in err and "no_such_model" not in err
    assert path.read_text() == "mine"


@pytest.mark.parametrize(
    ("words", "same"),
    [
        ("-G 4", "--G 4"),
        ("-P=4", "--P 4"),
        ("-b 8 --input-size 1x3x9x9", "--batch 8 --input 1x3x9x9"),
        ("--csv", "--format csv"),
        ("--img-size=64", "--imgsz 64"),
        ("a --csv -- --csv", "a --format csv -- --csv"),
    ],
)
def test_words_that_people_bring_are_understood(words: str, same: str) -> None:
    options = {"--G", "--P", "--batch", "--input", "--format", "--imgsz"}
    said: list[str] = []
    assert understood("profile", words.split(), options, said.append) == same.split()
    assert said == []
    assert understood("profile", words.split(), (), said.append) == words.split()


def test_words_of_the_last_release_are_understood_and_named() -> None:
    said: list[str] = []
    for words, same in (
        ("--budget 9s", "--time 9s"),
        ("--by layer", "--layers"),
        ("--by=layer", "--layers"),
    ):
        assert (
            understood("bench", words.split(), {"--time", "--layers"}, said.append) == same.split()
        )
    assert understood("verify", ["--limit", "20"], {"--time"}, said.append) == ["--time", "20s"]
    assert said[0] == "--budget is called --time now" and len(said) == 4


def test_every_word_stands_for_an_option_that_some_command_has() -> None:
    from typer.main import get_command

    commands = get_command(dualcost.cli.assembled()).commands  # type: ignore[attr-defined]
    options = {
        name: {opt for parameter in one.params for opt in parameter.opts}
        for name, one in commands.items()
    }
    assert all(new[0] in set().union(*options.values()) for new in ALIKE.values())
    assert all(new[0] in options[name] for (name, _), new in OLD.items())
    assert all(old not in options[name] for name, old in OLD)


def test_networks_are_listed_alike_in_every_form_and_in_the_order_that_is_said(
    command: Command,
) -> None:
    words = ("list", "resnet*", "--sort", "macs", "--top", "4")
    rows = [*csv.DictReader(command(*words, "--csv")[1].splitlines())]
    networks = json.loads(command(*words, "--json")[1])["networks"]
    assert [(row["network"], int(row["macs"]), int(row["params"])) for row in rows] == [
        (one["name"], one["macs"], one["params"]) for one in networks
    ]
    counts = [int(row["macs"]) for row in rows]
    assert counts == sorted(counts, reverse=True) and len(counts) == 4


def test_init_says_as_json_what_it_wrote(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "dualcost.toml"
    code, out, _ = command("init", "alexnet", "-o", str(path), "--json")
    found = json.loads(out)
    assert (code, found["written"]) == (ExitCode.OK, str(path))
    assert found["models"][0]["now"]["params"] == 61_100_840  # torchvision: 61.1 M
    assert path.read_text().startswith("schema = ")


@pytest.mark.parametrize("closed", ["stdout", "stderr"])
@pytest.mark.parametrize("words", [("list",), ("fit", "resnet18", "params<=11M", "-o", "p.toml")])
def test_a_reader_that_has_seen_enough_is_no_error(
    words: tuple[str, ...], closed: str, tmp_path: Path
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    streams = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, closed: writer}
    command = [sys.executable, "-m", "dualcost", *words]
    try:
        done = subprocess.run(command, cwd=tmp_path, check=False, **streams)  # type: ignore[call-overload]
    finally:
        os.close(writer)
    assert done.returncode == ExitCode.OK
