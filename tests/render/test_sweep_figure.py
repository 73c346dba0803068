"""The figures of a sweep: as files, and in the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib.colors
import numpy as np
import pytest
from matplotlib.lines import Line2D
from support.calibrations import linear_calibration
from support.commands import Command

from dualcost import units
from dualcost.costs.metrics import METRICS, metric
from dualcost.errors import ExitCode
from dualcost.kinds.kinds import KINDS
from dualcost.kinds.look import OWN_LOOK
from dualcost.latency import calibration as calibrations
from dualcost.library import networks as library
from dualcost.render.figure import FRONT, ORIGINAL, look_of
from dualcost.render.sweep.figure import sweep_figure
from dualcost.render.sweep.plot import sweep_plot
from dualcost.render.terminal import as_text
from dualcost.search.sweep import file as sweepfile
from dualcost.search.sweep.rows import DONE, Swept
from dualcost.search.sweep.study import plan, run


def rows_of(*models: str, **words: Any) -> list[Swept]:
    return [row for row in run(plan(models, **words), library.load) if row.status == DONE]


def across(line: Line2D) -> list[float]:
    found: list[float] = np.asarray(line.get_xdata()).tolist()
    return found


def test_every_kind_has_a_look_of_its_own_in_figures_and_in_the_terminal() -> None:
    looks = [*(kind.look for kind in KINDS.values()), ORIGINAL, OWN_LOOK]
    for facet in ("mark", "sign"):
        assert len({getattr(look, facet) for look in looks}) == len(KINDS) + 2
    # what is standard is as black as the network as it is
    assert len({FRONT, *(look.colour for look in looks)}) == 1 + len(looks) - 1


def test_a_figure_labels_each_point_and_marks_the_front() -> None:
    rows = rows_of("vgg16", "resnet50", G=[2, 8, 32])
    figure = sweep_figure(rows, METRICS["params"], METRICS["macs"])
    assert [axes.get_title() for axes in figure.axes] == ["vgg16", "resnet50"]
    with_letter = sum(bool(kind.letter) for kind in KINDS.values())
    for axes in figure.axes:
        labels = sorted(text.get_text() for text in axes.texts)
        assert labels == sorted(["2", "8", "32"] * with_letter)  # G, and P of het
        front, *lines = axes.get_lines()
        assert across(front) == [min(x for line in lines for x in across(line))]
        assert len(lines) == 1 + len(KINDS)  # as it is, and every kind
        colours = {matplotlib.colors.to_hex(line.get_color()).upper() for line in lines}
        assert colours <= {FRONT, *(look_of(conv).colour for conv in ("", *KINDS))}
    (macs,) = (axes for axes in figure.axes if axes.get_title() == "vgg16")
    assert (macs.get_xscale(), macs.get_yscale()) == ("linear", "log")  # 138 → 124 M, 15 → 0.7 G


def test_labels_do_not_lie_on_each_other() -> None:
    rows = rows_of("resnet18", kinds=["dual"], G=[1, 2, 4, 8, 16, 32])
    figure = sweep_figure(rows, METRICS["params"], METRICS["traffic"])
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in figure.axes[0].texts]
    assert len(boxes) == 6
    for index, box in enumerate(boxes):
        assert box.count_overlaps(boxes[index + 1 :]) == 0


def test_each_rule_has_a_line_of_its_own() -> None:
    from dualcost.search.sweep.rows import Replacing

    ways = [Replacing("default"), Replacing("stride-1")]
    figure = sweep_figure(
        rows_of("resnet18", kinds=["dual"], ways=ways), METRICS["params"], METRICS["macs"]
    )
    _, own, one, two = figure.axes[0].get_lines()
    assert own.get_linestyle() == "None"
    assert {one.get_linestyle(), two.get_linestyle()} == {"-", "--"}
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels[-2:] == ["where default", "where stride-1"]


@pytest.mark.parametrize(
    ("ending", "start"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")]
)
def test_the_ending_of_a_plot_says_its_form(
    command: Command, tmp_path: Path, ending: str, start: bytes
) -> None:
    words = ("sweep", "alexnet", "--conv", "dual", "--plot", f"a.{ending}", "--y", "peak")
    code, out, err = command(*words)
    assert code == ExitCode.OK
    assert "dual G=4" in out
    assert f"wrote a.{ending}" in err
    first = (tmp_path / f"a.{ending}").read_bytes()
    assert first.startswith(start)
    command(*words)
    assert (tmp_path / f"a.{ending}").read_bytes() == first


@pytest.mark.parametrize(
    "arguments",
    [["alexnet", "--plot"], ["--plot", "alexnet"], ["alexnet", "--plot", "--y", "peak"]],
    ids=" ".join,
)
def test_a_plot_without_a_file_is_drawn_in_the_terminal(
    command: Command, arguments: list[str]
) -> None:
    code, out, _ = command("sweep", *arguments, "--conv", "dual,group", "--G", "2,4")
    assert code == ExitCode.OK
    assert max(map(len, out.splitlines())) <= 80
    plotted = out.partition("\n\n")[2]
    for sign in ("★", "●", "■"):
        assert sign in plotted
    assert "parameters" in plotted


@pytest.mark.parametrize("width", [40, 80, 100])
@pytest.mark.parametrize(("x", "y"), [("params", "macs"), ("traffic", "peak"), ("weights", "macs")])
def test_points_of_a_terminal_plot_stand_in_order(
    monkeypatch: pytest.MonkeyPatch, width: int, x: str, y: str
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    rows = rows_of("vgg16", kinds=["group"], G=[2, 8, 32])
    text = as_text(lambda columns: sweep_plot(rows, metric(x), metric(y), columns), None)
    lines = text.splitlines()
    assert max(map(len, lines)) <= width
    places = {
        sign: (line.index(sign), number) for number, line in enumerate(lines[:-2])
        for sign in ("★", "■2", "■8", "■32") if sign in line
    }  # fmt: skip
    if width == 40:  # too narrow for all numbers
        assert text.count("■") == 3 + 1  # and the legend
        return
    assert set(places) == {"★", "■2", "■8", "■32"}
    by_column = sorted(places, key=lambda sign: places[sign][0])
    assert by_column == ["■32", "■8", "■2", "★"]
    values = [row.costs[metric(y).key] for row in rows]
    heights = [places[sign][1] for sign in ("★", "■2", "■8", "■32")]
    assert heights == sorted(heights) or len(set(values)) == 1


def test_latencies_are_rows_columns_and_axes(command: Command, tmp_path: Path) -> None:
    calibrations.write(linear_calibration(), tmp_path / "machine.json")
    words = ("sweep", "alexnet", "--conv", "dual", "--G", "2,4")
    command(*words, "--resume", "a.csv")
    asked = (*words, "--latency", "--calibration", "machine.json", "--any-machine")
    code, out, _ = command(*asked, "--y", "latency", "--plot")
    assert code == ExitCode.OK
    lines = out.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0].split()[-2:] == ["ratio", "latency"]
    assert "no room for weights, traffic, peak" in lines[1]
    assert "predicted latency  alexnet" in out
    _, out, _ = command(*asked, "--markdown")
    assert "| latency |" in out.splitlines()[0]
    assert len({line.count("|") for line in out.splitlines()}) == 1
    command(*asked, "--x", "latency", "--plot", "a.svg")
    assert "predicted latency (ms)" in (tmp_path / "a.svg").read_text()
    # rows that were made without latencies are made again
    code, _, err = command(*asked, "--resume", "a.csv")
    assert code == ExitCode.OK
    assert "3 points, written to a.csv" in err
    rows = sweepfile.read(tmp_path / "a.csv")
    assert len(rows) == 3
    assert all(row.latency_s is not None and 0 < row.latency_s < 1 for row in rows)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (1.0, "1"), (999.5, "999.5"), (1500.0, "1.5 K"), (2e9, "2 G"), (3e8, "300 M")],
)
def test_ticks_have_no_digits_that_say_nothing(value: float, text: str) -> None:
    assert units.tick(value) == text
