"""`dualcost sweep` as its users meet it: rows, files, figures, interruptions."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.calibrations import linear_calibration
from support.commands import Command
from support.imports import heavy_imports_of, running
from support.networks import quickly

from dualcost import units
from dualcost.costs.metrics import COMPARED
from dualcost.errors import ExitCode, UsageError
from dualcost.latency import calibration as calibrations
from dualcost.library import networks as library
from dualcost.search.sweep import file as sweepfile
from dualcost.search.sweep import study
from dualcost.search.sweep.rows import DONE, FAILED, UNFIT, Point, Swept

BROKEN = """
import torch
class Broken(torch.nn.Conv2d):
    def __init__(self):
        super().__init__(3, 8, 3)
    def forward(self, x):
        raise RuntimeError("out of cheese")
"""


def test_the_table_streams_and_fits_80_columns(command: Command) -> None:
    code, out, err = command(
        "sweep", "resnet50", "mobilenet_v2", "--conv", "dual,dsc", "--G=2..6:2"
    )
    assert code == ExitCode.OK
    lines = out.splitlines()
    assert max(map(len, lines)) <= 80
    assert [line for line in lines if "×" in line or "x224" in line] == [
        "resnet50  1x3x224x224",
        "mobilenet_v2  1x3x224x224",
    ]
    (row,) = (line for line in lines if "dual G=4" in line and "0.711" in line)
    assert row.split() == [
        "dual", "G=4", "16", "2.907", "G", "0.711", "18.33", "M", "0.717",
        "407.8", "MiB", "10.53", "MiB",
    ]  # fmt: skip
    assert "M=64 is not divisible by G=6" in out
    assert out.count("nothing in torchvision:mobilenet_v2") == 1
    assert out.count("for the same reason") == 3
    assert "5 where the rewrite cannot be carried out" in err


def test_without_a_model_the_papers_networks_are_swept(command: Command) -> None:
    code, out, _ = command("sweep", "--conv", "dual", "--G", "2,4", "--csv")
    assert code == ExitCode.OK
    rows = list(csv.DictReader(io.StringIO(out)))
    assert len(rows) == 4 * 3
    assert {row["model"] for row in rows} == {
        "zoo:vgg16-imagenet",
        "zoo:resnet50-imagenet",
        "zoo:mobilenetv1-imagenet",
        "zoo:mobilenetv2-imagenet",
    }
    assert {row["status"] for row in rows} == {DONE}


def test_csv_and_json_have_the_same_rows(command: Command) -> None:
    words = ("sweep", "alexnet", "resnet50", "--conv", "group,het", "--G", "2..6:1")
    _, as_json, _ = command(*words, "--json")
    _, as_csv, _ = command(*words, "--csv")
    document = json.loads(as_json)
    assert document["schema"] == 1
    read = list(csv.DictReader(io.StringIO(as_csv)))
    assert len(read) == len(document["rows"]) == 2 * (1 + 2 * 5)
    for row, values in zip(read, document["rows"], strict=True):
        assert row == {k: "" if v is None else str(v) for k, v in values.items()}
    assert {row["status"] for row in read} == {DONE, UNFIT}


def test_markdown_has_a_line_for_each_row(command: Command) -> None:
    code, out, _ = command("sweep", "resnet50", "--conv", "dual", "--G", "3,4", "--markdown")
    lines = out.splitlines()
    assert code == ExitCode.OK
    assert len(lines) == 2 + 3
    assert len({line.count("|") for line in lines}) == 1
    assert "| unfit | layer1.0.conv2: M=64" in lines[3]


def test_the_ending_of_the_output_says_its_form(command: Command, tmp_path: Path) -> None:
    for name, start in (("a.csv", "model,"), ("a.json", "{"), ("a.md", "| model"), ("a.txt", " ")):
        code, out, err = command("sweep", "alexnet", "--conv", "dsc", "-o", name)
        assert (code, out) == (ExitCode.OK, "")
        assert f"2 points, written to {name}" in err
        assert (tmp_path / name).read_text().startswith(start)


def test_only_the_front_is_kept_on_demand(command: Command) -> None:
    words = ("sweep", "resnet50", "vgg16", "--conv", "group,dual", "--G", "1..4", "--csv")
    _, out, _ = command(*words, "--pareto", "--x", "traffic", "--y", "params")
    kept = [(row["model"], row["conv"], row["G"]) for row in csv.DictReader(io.StringIO(out))]
    # group has fewer parameters than dual, and moves fewer maps
    assert kept == [("resnet50", "group", "4"), ("vgg16", "group", "4")]


def test_a_model_that_cannot_be_traced_is_a_row_and_an_exit_code(
    command: Command, tmp_path: Path
) -> None:
    (tmp_path / "broken.py").write_text(BROKEN)
    words = ("sweep", "broken.py:Broken", "zoo:vgg16-cifar10", "--input", "1x3x32x32")
    code, out, err = command(*words, "--conv", "dual", "--G", "2", "--csv")
    assert code == ExitCode.FAILED
    first, *others = csv.DictReader(io.StringIO(out))
    assert first["status"] == FAILED
    assert "out of cheese" in first["reason"]
    assert [row["status"] for row in others] == [DONE, DONE]
    assert "1 model that could not be traced" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["alexnet", "--G", "32..1"], "--G 32..1 is empty"),
        (["alexnet", "--P", "two"], "--P has no values 'two'"),
        (["alexnet", "--batch", "0"], "--batch 0"),
        (["resnt50"], "'resnt50'"),
        (["alexnet", "resnt50"], "'resnt50'"),
        (["alexnet", "--conv", "duel"], "'duel'"),
        (["alexnet", "--conv", ""], "''"),
        (["alexnet", "--conv", "dual", "--P", "2"], "none of dual takes it"),
        (["alexnet", "--x", "mac", "--plot"], "'mac'"),
        (["alexnet", "--y", "latency"], "times are not predicted"),
        (["alexnet", "--calibration", "a.json"], "--calibration"),
        (["alexnet", "--latency", "--calibration", "missing.json"], "missing.json"),
        (["alexnet", "--plot", "a.jpg"], "a.jpg does not end in a format"),
        (["alexnet", "--plot", "missing/a.png"], "cannot write missing/a.png"),
        (["alexnet", "--plot", "folder.png"], "cannot write folder.png: it is a folder"),
        (["alexnet", "--plot", "--csv"], "among the rows"),
        (["alexnet", "--json", "--csv"], "--json and --format csv"),
        (["alexnet", "-o", "missing/a.csv"], "cannot write missing/a.csv"),
        (["alexnet", "--resume", "a.md"], "a.md"),
        (["alexnet", "--resume", "a.csv", "--json"], "a.csv"),
        (["alexnet", "--resume", "a.csv", "-o", "b.csv"], "--resume"),
        (["alexnet", "--resume", "a.csv", "--pareto"], "--pareto"),
        (["alexnet", "--resume", "foreign.csv"], "foreign.csv is not a sweep"),
        (["alexnet", "--resume", "foreign.json"], "foreign.json is not a sweep"),
        (["--where", "stride-1"], "without a model"),
        (["alexnet", "--jobs", "0"], "--jobs"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input_is_refused_before_the_work(
    command: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    message: str,
) -> None:
    (tmp_path / "folder.png").mkdir()
    for name in ("foreign.csv", "foreign.json"):
        (tmp_path / name).write_text("a,b\n1,2\n")
    monkeypatch.setattr(study, "run", lambda *_: pytest.fail("work was begun"))
    before = {path: path.is_file() and path.read_bytes() for path in tmp_path.iterdir()}
    code, out, err = command("sweep", *arguments)
    assert (code, out) == (ExitCode.USAGE, "")
    assert [line.partition(":")[0] for line in err.splitlines()] == ["error", "hint"], err
    assert message in err
    assert {path: path.is_file() and path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.fixture
def loading(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[str], None]], list[str]]:
    """Have something happen before a model is loaded; the list is of those that were loaded."""

    def install(before: Callable[[str], None]) -> list[str]:
        loaded: list[str] = []
        load = library.load

        def watched(model: str, *arguments: Any, **words: Any) -> Any:
            before(model)
            loaded.append(model)
            return load(model, *arguments, **words)

        monkeypatch.setattr(library, "load", watched)
        return loaded

    return install


WORDS = ("sweep", "alexnet", "vgg11", "vgg13", "--conv", "dual,dsc", "--G", "2,3")


@pytest.mark.parametrize("name", ["a.csv", "a.json", "a.txt"])
def test_rows_are_in_the_file_before_the_next_model_is_loaded(
    command: Command, tmp_path: Path, loading: Any, name: str
) -> None:
    mark = {"a.csv": ",dual,", "a.json": '"conv": "dual"', "a.txt": "dual G="}[name]
    seen: list[int] = []
    loading(lambda model: seen.append((tmp_path / name).read_text().count(mark)))
    command(*WORDS, "-o", name)
    assert seen == [0, 2, 4]


@pytest.mark.parametrize("name", ["a.csv", "a.json"])
def test_ctrl_c_keeps_what_is_done_and_resume_goes_on(
    command: Command, tmp_path: Path, loading: Any, name: str
) -> None:
    command(*WORDS, "-o", f"whole{name}")

    def interrupt(model: str) -> None:
        if interrupts and model == "vgg11":
            raise KeyboardInterrupt

    interrupts = [True]
    loaded = loading(interrupt)
    code, _, err = command(*WORDS, "--resume", name)
    assert code == ExitCode.INTERRUPTED
    assert "3 points, 1 where the rewrite cannot be carried out, written to" in err
    kept = sweepfile.read(tmp_path / name)
    assert [row.point.model for row in kept] == ["alexnet"] * 4
    if name == "a.json":
        assert len(json.loads((tmp_path / name).read_text())["rows"]) == 4
    interrupts.clear()
    loaded.clear()
    code, _, err = command(*WORDS, "--resume", name)
    assert code == ExitCode.OK
    assert "4 kept from before" in err
    assert loaded == ["vgg11", "vgg13"]
    assert (tmp_path / name).read_text() == (tmp_path / f"whole{name}").read_text()
    loaded.clear()
    command(*WORDS, "--resume", name)
    assert loaded == []


def test_the_front_of_what_was_done_is_kept_too(command: Command, loading: Any) -> None:
    def interrupt(model: str) -> None:
        if model == "vgg11":
            raise KeyboardInterrupt

    loading(interrupt)
    code, out, _ = command(*WORDS, "--pareto", "--csv")
    assert code == ExitCode.INTERRUPTED
    assert [row["model"] for row in csv.DictReader(io.StringIO(out))] == ["alexnet"]


@pytest.mark.parametrize("name", ["a.csv", "a.json"])
@pytest.mark.parametrize("share", [0.0, 0.4, 0.55, 0.9, 0.999])
def test_a_file_that_was_cut_off_is_gone_on_with(
    command: Command, tmp_path: Path, name: str, share: float
) -> None:
    command(*WORDS, "-o", name)
    whole = (tmp_path / name).read_text()
    rows = sweepfile.read(tmp_path / name)
    (tmp_path / name).write_text(whole[: int(share * len(whole))])
    kept = sweepfile.read(tmp_path / name)
    assert kept == rows[: len(kept)]
    assert (len(kept) > 0) == (share > 0)
    assert command(*WORDS, "--resume", name)[0] == ExitCode.OK
    assert (tmp_path / name).read_text() == whole


def test_what_failed_is_tried_again(command: Command, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(BROKEN)
    words = (
        "sweep",
        "mine.py:Broken",
        "--input",
        "1x3x8x8",
        "--conv",
        "dsc",
        "--where",
        "kernel=3",
    )
    assert command(*words, "--resume", "a.csv")[0] == ExitCode.FAILED
    (tmp_path / "mine.py").write_text(BROKEN.partition("    def forward")[0])
    assert command(*words, "--resume", "a.csv")[0] == ExitCode.OK
    statuses = [row.status for row in sweepfile.read(tmp_path / "a.csv")]
    assert statuses == [DONE, DONE]


# a carriage return cannot come from a command line, and reasons have none
_words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), max_size=9)
_numbers = st.none() | st.integers(0, 10**20)
_shares = st.none() | st.floats(0, 9)
_costs = st.fixed_dictionaries(
    {metric.key: _numbers if metric.exact else _shares for metric in COMPARED.values()}
)
_points = st.builds(
    Point, _words, _words, _numbers, _words, _numbers, _numbers, _words, _words, _words, _words
)
_swept = st.builds(
    Swept, _points, st.just(DONE), _words, _words, _numbers, _costs, _shares, _shares
)


@quickly
@given(rows=st.lists(_swept, max_size=3))
def test_rows_are_read_as_they_were_written(
    rows: list[Swept], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("rows")
    text = sweepfile.json_start()
    text += "".join(sweepfile.json_row(row, not index) for index, row in enumerate(rows))
    (folder / "a.json").write_text(text + sweepfile.JSON_END, encoding="utf-8")
    assert sweepfile.read(folder / "a.json") == tuple(rows)
    text = sweepfile.CSV_START + "".join(map(sweepfile.csv_row, rows))
    (folder / "a.csv").write_text(text, encoding="utf-8", newline="")
    assert sweepfile.read(folder / "a.csv") == tuple(rows)


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    start = sweepfile.json_start().replace('"schema": 1', '"schema": 2')
    (tmp_path / "a.json").write_text(start + sweepfile.JSON_END)
    with pytest.raises(UsageError, match="another schema"):
        sweepfile.read(tmp_path / "a.json")


def test_a_sweep_of_named_networks_needs_nothing_heavy() -> None:
    words = "sweep resnet50 vgg16 --conv dual,group,het --G 1..32 --csv"
    assert heavy_imports_of(running(words)) == (0, "[]")
    code, found = heavy_imports_of(running("sweep alexnet --conv dsc --plot"))
    assert (code, found) == (0, "[]")


def test_a_column_without_room_is_named(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    for width, left_out in (
        (160, ""),
        (80, "weights"),
        (60, "weights, traffic, peak"),
    ):
        monkeypatch.setenv("COLUMNS", str(width))
        _, out, _ = command("sweep", "alexnet", "--conv", "dual", "--G", "2")
        assert max(map(len, out.splitlines())) <= width
        found = re.findall("no room for (.*): use a wider", " ".join(out.split()))
        assert found == ([left_out] if left_out else [])


def test_a_predicted_latency_has_its_band(command: Command, tmp_path: Path) -> None:
    whole = linear_calibration()
    curves = {
        format: {name: pair for name, pair in of_format.items() if name != "batch_norm"}
        for format, of_format in whole.curves.items()
    }
    calibrations.write(replace(whole, curves=curves), tmp_path / "linear.json")
    predicted = ("--latency", "--calibration", str(tmp_path / "linear.json"), "--any-machine")
    words = ("sweep", "alexnet", "resnet18", "--conv", "dual", "--G", "2", *predicted)
    _, out, _ = command(*words)
    rows = json.loads(command(*words, "--json")[1])["rows"]
    rows = [row for row in rows if row["status"] == DONE]
    lines = [line for line in out.splitlines() if re.match("  (as it is|dual G=2) .* [MG] ", line)]
    for row, line in zip(rows, lines, strict=True):
        if row["model"] == "resnet18":  # its norms have no curve
            assert row["latency_upper_s"] is None
            assert line.endswith(f"≥ ~{units.duration(row['latency_lower_s'])}")
        else:
            half = row["latency_upper_s"] / row["latency_s"] - 1
            assert line.endswith(f"~{units.duration(row['latency_s'])} ±{100 * half:.0f}%")
        assert row["latency_lower_s"] < row["latency_s"]
    assert [row["model"] for row in rows] == ["alexnet"] * 2 + ["resnet18"] * 2
