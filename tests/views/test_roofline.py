"""Rooflines: every point is 2·MACs over traffic and over time, to the digit."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.calibrations import linear_calibration

from dualcost.cli import run
from dualcost.costs.profile import profile
from dualcost.costs.timed import timed
from dualcost.errors import ExitCode, UsageError
from dualcost.kinds.kinds import KINDS
from dualcost.latency import calibration as calibrations
from dualcost.latency.estimate import COMPUTE, MEMORY
from dualcost.library import networks as library
from dualcost.network.network import Network
from dualcost.render.figure import drawing
from dualcost.render.roofline.figure import roofline_figure
from dualcost.rewrite.request import Request
from dualcost.views.roofline import Roof, folded, roofline

CALIBRATION = linear_calibration()


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    path = tmp_path / "calibration.json"
    calibrations.write(CALIBRATION, path)
    return path


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("resnet18", {"conv": "dual", "G": 4}),
        ("vgg11", {"conv": "het", "P": 8}),
        ("mobilenet_v2", {"conv": "dual", "G": 8, "where": "inverted-residual"}),
    ],
)
def test_points_are_the_numbers_of_the_profile(name: str, words: dict[str, object]) -> None:
    asked = Request.parse(**words)  # type: ignore[arg-type]  # of each its own
    network = library.load(name)
    found = roofline(network, CALIBRATION, asked)
    result = timed(profile(network, asked), network, CALIBRATION)
    rows = [row for row in result.rows if row.before.macs]
    assert len(found.layers) == len(rows)
    assert not found.unplaced
    for layer, row in zip(found.layers, rows, strict=True):
        assert row.time is not None
        assert layer.path == row.path
        assert layer.before.intensity == 2 * row.before.macs / row.before.traffic
        assert layer.after.intensity == 2 * row.after.macs / row.after.traffic
        assert layer.after.flops_per_s == 2 * row.after.macs / row.time.seconds
    assert sum(layer.before.flops for layer in found.layers) == 2 * result.before.macs
    assert sum(layer.after.flops for layer in found.layers) == 2 * result.after.macs
    assert len(found.replaced) == result.replaced


def test_what_is_not_replaced_stays_where_it_is() -> None:
    found = roofline(library.load("resnet18"), CALIBRATION, Request.parse("dual", G=4))
    for layer in found.layers:
        assert (layer.before.flops == layer.after.flops) == (not layer.replaced)
        assert layer.replaced or layer.before.traffic == layer.after.traffic


@given(st.floats(1e9, 1e15), st.floats(1e8, 1e13), st.floats(1e-3, 1e5))
def test_the_roof_is_the_lower_of_both_peaks(
    flops_per_s: float, bytes_per_s: float, intensity: float
) -> None:
    roof = Roof(flops_per_s, bytes_per_s)
    attainable = roof.attainable(intensity)
    assert attainable <= flops_per_s
    assert attainable <= intensity * bytes_per_s
    assert attainable in (flops_per_s, intensity * bytes_per_s)
    at_peak = roof.bound(intensity) == COMPUTE
    assert at_peak == (intensity >= flops_per_s / bytes_per_s)
    assert roof.bound(roof.ridge / 2) == MEMORY


def test_the_peaks_are_those_of_the_calibration_in_flops() -> None:
    found = roofline(library.load("resnet18"), CALIBRATION)
    assert found.roof == Roof(2 * CALIBRATION.macs_per_s, CALIBRATION.bytes_per_s)


def test_layers_that_repeat_are_drawn_once_and_counted() -> None:
    found = roofline(library.load("vgg16"), CALIBRATION, Request.parse("dual", G=4))
    spots = folded(found.layers)
    assert sum(count for _, count in spots) == len(found.layers)
    assert len({(one.before, one.after) for one, _ in spots}) == len(spots) < len(found.layers)


def test_the_figure_has_a_mark_at_every_point_in_the_colour_of_its_side() -> None:
    found = roofline(library.load("vgg16"), CALIBRATION, Request.parse("dual", G=4))
    with drawing():
        (axes,) = roofline_figure(found).axes
    from matplotlib.colors import to_hex

    drawn: dict[str, set[tuple[float, float]]] = {}
    for marks in axes.collections[1:]:  # the first is the area below the roof
        ((x, y),) = np.asarray(marks.get_offsets(), dtype=float)
        red, green, blue, _ = np.asarray(marks.get_facecolor(), dtype=float)[0]
        drawn.setdefault(to_hex((red, green, blue)).upper(), set()).add((float(x), float(y)))
    after = {(one.after.intensity, one.after.flops_per_s) for one in found.replaced}
    before = {(one.before.intensity, one.before.flops_per_s) for one in found.replaced}
    assert drawn[KINDS["dual"].look.colour] == after
    assert drawn["#FFFFFF"] == before
    assert len(drawn) == 3  # and what is not replaced, in grey


@pytest.mark.parametrize("format", ["png", "svg", "pdf"])
def test_the_command_writes_a_figure(format: str, stored: Path, tmp_path: Path) -> None:
    path = tmp_path / f"roofline.{format}"
    words = ["roofline", "resnet18", "--conv", "dual", "--G", "8", "--any-machine"]
    assert run([*words, "--calibration", str(stored), "-o", str(path)]) == ExitCode.OK
    first = path.read_bytes()
    assert first[:4] in (b"\x89PNG", b"<?xm", b"%PDF")
    assert run([*words, "--calibration", str(stored), "-o", str(path)]) == ExitCode.OK
    assert path.read_bytes() == first


def test_the_table_fits_a_terminal(stored: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["roofline", "vgg16", "--conv", "dual", "--G", "8", "--any-machine"]
    assert run([*words, "--calibration", str(stored)]) == ExitCode.OK
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= 80
    assert "200.0 GFLOPs/s" in shown  # 2 · 1e11 MACs/s
    assert shown.count("features.") == 13


def test_json_has_exact_integers(stored: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["roofline", "resnet18", "--any-machine", "--json", "--calibration", str(stored)]
    assert run(words) == ExitCode.OK
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == 1
    macs = profile(library.load("resnet18")).before.macs
    assert sum(layer["before"]["flops"] for layer in document["layers"]) == 2 * macs
    for layer in document["layers"]:
        assert layer["before"] == layer["after"]
        point = layer["before"]
        peak = point["intensity"] * document["roof"]["bytes_per_s"]
        assert point["attainable_flops_per_s"] == min(document["roof"]["flops_per_s"], peak)


def test_without_a_calibration_there_is_no_roof(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calibrations, "default_path", lambda: tmp_path / "none.json")
    assert run(["roofline", "resnet18"]) == ExitCode.UNMEASURED
    assert "has not been calibrated" in capsys.readouterr().err


def test_a_file_that_is_no_figure_is_refused_before_any_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["roofline", "nothing", "-o", str(tmp_path / "x.jpg")]) == ExitCode.USAGE
    assert "x.jpg ends in what this cannot write" in capsys.readouterr().err


def test_a_network_that_does_not_multiply_has_no_points() -> None:
    empty = Network(name="nothing", inputs=(), ops=(), parameters=())
    with pytest.raises(UsageError, match="no layer of nothing"):
        roofline(empty, CALIBRATION)
