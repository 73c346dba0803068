"""`calibrate --validate`: the held-out error is that of what was measured and predicted."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from support.calibrations import linear_calibration

from dualcost.cli import run
from dualcost.errors import ExitCode
from dualcost.lab import bench as contest
from dualcost.lab.race import Race
from dualcost.lab.validate import HELD_OUT, validate
from dualcost.latency import calibration as calibrations
from dualcost.latency.calibration import FORMATS
from dualcost.latency.estimate import estimate
from dualcost.library import networks as library
from dualcost.nn.here import here
from dualcost.rewrite.request import Request
from dualcost.rewrite.rewrite import rewrite

SLOWER = 1.25  # every network takes so many times what is predicted


@cache
def predicted_s(model: str, asked: Request | None, channels_last: bool) -> float:
    network = library.load(model)
    return estimate(
        rewrite(network, asked) if asked else network,
        linear_calibration(machine=here()),  # its caches say where weights come from
        channels_last,
    ).total.seconds


def measured(race: Race) -> Any:
    """A race in which each contender takes SLOWER times what the calibration below predicts."""
    runs = []
    for contender in race.contenders:
        asked = contender.variant.request
        seconds = SLOWER * predicted_s(contender.model, asked, race.conditions.channels_last)
        runs.append(SimpleNamespace(contender=contender, undisturbed_s=seconds))
    return SimpleNamespace(runs=tuple(runs), machine=here())


@pytest.fixture(autouse=True)
def _no_real_race(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contest, "run", measured)


def test_every_network_is_checked_in_both_formats() -> None:
    found = validate(linear_calibration(machine=here()), held_out=HELD_OUT[:2])
    names = [name for line in HELD_OUT[:2] for name in line]
    assert {(check.name, check.memory_format) for check in found.checks} == {
        (name, format) for name in names for format in FORMATS
    }
    for check in found.checks:
        assert check.error == pytest.approx(1 / SLOWER - 1)
    both = found.accuracies["both"]
    assert [both.mean_error, both.median_error] == pytest.approx([0.2, 0.2])
    assert both.close == 0 and both.spearman == pytest.approx(1)
    assert (both.bias, both.unbiased_error) == pytest.approx((-0.2, 0))


def test_the_shorter_of_two_measurements_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    raced: list[Race] = []

    def disturbed(race: Race) -> Any:
        """Every other network takes longer at first, and the others later."""
        found, late = measured(race), race in raced
        raced.append(race)
        for number, one in enumerate(found.runs):
            one.undisturbed_s *= 1.6 if number % 2 == late else 1
        return found

    monkeypatch.setattr(contest, "run", disturbed)
    found = validate(linear_calibration(machine=here()), held_out=HELD_OUT[:1])
    assert len(raced) == 4 and raced[:2] == raced[2:]
    assert [check.error for check in found.checks] == pytest.approx([1 / SLOWER - 1] * 10)


def test_a_variant_is_predicted_as_it_runs() -> None:
    calibration = linear_calibration()
    found = validate(calibration, held_out=[["resnet18", "resnet18 dual:8"]])
    plain, dual = (check.predicted for check in found.checks[:2])
    assert plain == estimate(library.load("resnet18"), calibration).total
    assert dual != plain


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    path = tmp_path / "here.json"
    calibrations.write(linear_calibration(machine=here()), path)
    return path


def test_the_table_fits_80_columns(stored: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["calibrate", "--validate", "-o", str(stored)]) == ExitCode.OK
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 80
    text = " ".join(text.split())
    for word in (
        "vgg16 het:8",
        "MAPE",
        "median",
        "worst",
        "within 10%",
        "Spearman",
        "-20.0%",
        "20.0% too short",
    ):
        assert word in text


def test_json_says_the_same(stored: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["calibrate", "--validate", "--json", "-o", str(stored)]) == ExitCode.OK
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == 1
    assert document["accuracy"]["both"]["mape"] == pytest.approx(0.2)
    assert document["accuracy"]["both"]["bias"] == pytest.approx(-0.2)
    assert len(document["checks"]) == 2 * sum(map(len, HELD_OUT)) >= 60


def test_a_calibration_of_another_machine_is_not_validated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "other.json"
    calibrations.write(linear_calibration(), path)
    assert run(["calibrate", "--validate", "-o", str(path)]) == ExitCode.USAGE
    assert "another machine" in capsys.readouterr().err
