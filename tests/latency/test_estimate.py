"""Predictions: known coefficients give known seconds, and every refusal is one clear line."""

from __future__ import annotations

import csv
import io
import json
import math
import re
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.calibrations import (
    CALL_S,
    MACHINE,
    PER_CALL,
    PER_ELEMENT,
    PER_MAC,
    PER_WEIGHT,
    curve,
    linear_calibration,
)

import dualcost
from dualcost.cli import run
from dualcost.costs.profile import REMOVED, profile
from dualcost.costs.timed import timed
from dualcost.errors import ExitCode, UnmeasuredError, UsageError
from dualcost.kinds.kinds import KINDS
from dualcost.lab.validate import HELD_OUT, Accuracy, Check
from dualcost.latency import calibration as calibrations
from dualcost.latency.calibration import Calibration
from dualcost.latency.estimate import (
    COMPUTE,
    MEMORY,
    Timing,
    cold_share,
    estimate,
    site_seconds,
    site_timing,
)
from dualcost.latency.regression import SAME, TERMS, Curve, fitted, terms
from dualcost.latency.workload import Workload, workload
from dualcost.library import networks as library
from dualcost.network.network import Op
from dualcost.render.profile.json import as_dict, profile_json
from dualcost.rewrite.lowering import executed
from dualcost.rewrite.request import Request
from dualcost.rewrite.rewrite import rewrite
from dualcost.views.listing import listing


@pytest.fixture
def calibration() -> Calibration:
    return linear_calibration()


@pytest.fixture
def stored(tmp_path: Path, calibration: Calibration) -> Path:
    path = tmp_path / "calibration.json"
    calibrations.write(calibration, path)
    return path


def by_hand(op: Op, share: float) -> float:
    """What the constants above say of one op, without the call of a layer."""
    if op.name == "t":
        return 0.0
    work = workload(op)
    weights = share * PER_WEIGHT * work.weights if work.weights else 0.0
    return PER_CALL + PER_MAC * op.macs + PER_ELEMENT * (work.read + work.written) + weights


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2", "densenet121", "zoo:yolov3-voc"])
def test_known_coefficients_give_known_seconds(name: str, calibration: Calibration) -> None:
    network = library.load(name)
    found = estimate(network, calibration)
    weights = sum(workload(op).weights for op in network.ops)
    share = min(1.0, 4 * weights / MACHINE.l3_bytes)
    leaves = sum(op.call for op in found.ops)
    expected = sum(by_hand(op, share) for op in network.ops) + leaves * CALL_S
    assert found.total.seconds == pytest.approx(expected, rel=1e-9)
    assert not found.unpredicted


def test_every_module_without_others_in_it_is_called_once(calibration: Calibration) -> None:
    network = library.load("resnet18")
    # 20 convolutions, as many norms, 17 activations, 2 pools, 1 linear layer; the additions of
    # blocks and the view before the classifier run in modules that hold others
    found = estimate(network, calibration)
    called = [op.executed.op.path for op in found.ops if op.call]
    assert len(called) == 20 + 20 + 17 + 2 + 1
    assert not {path for path in called if any(o.startswith(f"{path}.") for o in called)}


def test_a_recipe_is_one_layer(calibration: Calibration) -> None:
    network = library.load("resnet18")
    rewritten = rewrite(network, Request.parse("dual", G=4))
    before, after = estimate(network, calibration), estimate(rewritten, calibration)
    assert sum(op.call for op in before.ops) == sum(op.call for op in after.ops)
    # each replaced convolution became a grouped one, a pointwise one and an addition
    assert len(after.ops) - len(before.ops) == 2 * len(rewritten.replacements)


@pytest.mark.parametrize("conv", ["dual", "group", "het", "dsc", "standard"])
@pytest.mark.parametrize("name", ["resnet18", "vgg11"])
def test_the_rows_of_a_profile_add_up_to_the_total(
    conv: str, name: str, calibration: Calibration
) -> None:
    asked = Request(KINDS[conv], 4 if KINDS[conv].letter else 1)
    network = library.load(name)
    result = timed(profile(network, asked), network, calibration)
    assert result.latency is not None
    total = result.latency.after
    for rows in (
        result.rows,
        listing(result),
        listing(result, 1),
        listing(result, None, "macs", 3),
    ):
        found = sum((row.time for row in rows if row.time is not None), Timing())
        assert found.seconds == pytest.approx(total.seconds, rel=1e-9)
        assert found.half_width_s == pytest.approx(total.half_width_s, rel=1e-9)
    assert result.latency.before.seconds == pytest.approx(
        estimate(network, calibration).total.seconds
    )


def test_a_replaced_block_takes_the_time_of_what_stands_for_it(calibration: Calibration) -> None:
    network = library.load("mobilenet_v2")
    asked = Request.parse("dual", G=8, where="inverted-residual")
    result = timed(profile(network, asked), network, calibration)
    removed = [row for row in result.rows if row.becomes == REMOVED]
    assert removed and all(row.time == Timing() for row in removed)
    replaced = next(row for row in result.rows if row.replaced)
    assert replaced.time is not None and replaced.site is not None
    share = cold_share(
        sum(workload(one.op).weights for one in executed(rewrite(network, asked))), MACHINE
    )
    expected = site_timing(replaced.site, calibration, KINDS["dual"], 8, share=share)
    assert replaced.time.seconds == pytest.approx(expected.seconds)


def test_weights_come_from_memory_as_far_as_they_exceed_the_last_cache() -> None:
    floats = MACHINE.l3_bytes // 4
    assert [cold_share(n, MACHINE) for n in (0, floats // 2, floats, 9 * floats)] == [
        0,
        0.5,
        1,
        1,
    ]
    assert 0 < cold_share(floats // 2, replace(MACHINE, l3_bytes=0)) < 1


def test_a_site_can_be_timed_alone(calibration: Calibration) -> None:
    network = library.load("resnet18")
    site = network.ops[network.convolutions[1]].site
    assert site is not None
    plain = site_seconds(site, calibration, share=0.0)
    # 64 channels in and out, 3×3, on a map of 56×56
    maps = 2 * 64 * 56 * 56
    by_formula = PER_CALL + PER_MAC * 3 * 3 * 64 * 64 * 56 * 56 + PER_ELEMENT * maps + CALL_S
    assert plain == pytest.approx(by_formula)
    dual = site_seconds(site, calibration, KINDS["dual"], 4, share=0.0)
    macs = (3 * 3 * 16 + 64) * 64 * 56 * 56
    # the two convolutions read and write two maps each, and the addition reads two and writes one
    assert dual == pytest.approx(
        3 * PER_CALL + PER_MAC * macs + PER_ELEMENT * (2 * maps + 3 * maps / 2) + CALL_S
    )
    with pytest.raises(UsageError, match="not divisible"):
        site_seconds(site, calibration, KINDS["dual"], 7)


def test_memory_formats_have_their_own_times(calibration: Calibration) -> None:
    network = library.load("resnet18")
    first, last = estimate(network, calibration), estimate(network, calibration, channels_last=True)
    layers = sum(op.call for op in first.ops)
    assert last.total.seconds - first.total.seconds == pytest.approx(layers * CALL_S)


def test_ops_take_longer_in_a_network_than_by_themselves(calibration: Calibration) -> None:
    network = library.load("resnet18")
    slower = replace(calibration, slowdown={"contiguous": 1.5, "channels_last": 1.0})
    before, after = (estimate(network, one) for one in (calibration, slower))
    called_s = sum(op.call for op in before.ops) * CALL_S
    assert after.total.seconds - called_s == pytest.approx(1.5 * (before.total.seconds - called_s))


def test_an_op_of_which_nothing_is_known_makes_a_lower_bound(calibration: Calibration) -> None:
    network = library.load("resnet18")
    strange = Op("fft", "head", "Head", "unknown", (-1,), ((1, 8),), ((1, 8),))
    more = replace(network, ops=(*network.ops, strange, strange))
    found = estimate(more, calibration)
    assert found.unpredicted == {"fft": 2}
    assert found.total == estimate(network, calibration).total


@given(st.lists(st.tuples(*[st.floats(0, 1, allow_subnormal=False)] * 2), min_size=1, max_size=20))
def test_a_band_holds_its_time_and_grows_slower_than_the_sum(
    pairs: list[tuple[float, float]],
) -> None:
    parts = [Timing(seconds, deviation, deviation**2) for seconds, deviation in pairs]
    whole = sum(parts, Timing())
    assert whole.lower_s <= whole.seconds <= whole.upper_s
    assert whole.seconds == pytest.approx(math.fsum(seconds for seconds, _ in pairs))
    assert whole.half_width_s <= math.fsum(part.half_width_s for part in parts) * (1 + 1e-9)
    assert whole.half_width_s >= max(part.half_width_s for part in parts) * (1 - 1e-9)


def test_the_bound_is_the_larger_share_of_the_peaks(calibration: Calibration) -> None:
    network = library.load("vgg16")
    found = {op.executed.op.path: op.timing for op in estimate(network, calibration).ops}
    # 3·3·64·64·224² MACs at 1e11 a second, against 2·64·224² floats and the weights at 1e10 bytes
    compute_s = 3 * 3 * 64 * 64 * 224**2 / 1e11
    memory_s = 4 * (2 * 64 * 224**2 + 3 * 3 * 64 * 64) / 1e10
    assert found["features.2"].compute_s == pytest.approx(compute_s)
    assert found["features.2"].memory_s == pytest.approx(memory_s)
    assert found["features.2"].bound == COMPUTE
    assert found["classifier.0"].bound == MEMORY
    assert found["classifier.0"].roofline_s == pytest.approx(4 * (25088 * 4097 + 4096) / 1e10)


# --- the fit ---


def works(count: int, seed: int = 0) -> list[Workload]:
    random = np.random.default_rng(seed)
    sizes = 2 ** random.uniform(8, 20, size=(count, 2))
    return [
        Workload("add", 0, 0, int(2 * n * c), int(n * c), 0, int(n * c), (np.log2(c), np.log2(n)))
        for n, c in sizes**0.5
    ]


def test_a_fit_finds_a_sum_of_terms_again() -> None:
    points = works(40)
    times = [3e-6 + 2e-10 * work.written for work in points]
    found = fitted(points, times)
    for work in works(20, seed=1):
        assert found.seconds(work) == pytest.approx(3e-6 + 2e-10 * work.written, rel=0.02)
    assert found.median_error < 0.02


def test_a_fit_follows_what_no_sum_of_terms_can() -> None:
    def truth(work: Workload) -> float:
        cliff = 3.0 if work.place[0] > 7 else 1.0
        return cliff * (1e-6 + 1e-10 * work.written)

    points = works(150)
    found = fitted(points, [truth(work) for work in points])
    errors = [
        abs(found.seconds(work) / truth(work) - 1)
        for work in works(60, seed=1)
        if abs(work.place[0] - 7) > 0.5
    ]
    plain = replace(found, pulls=(0.0,) * len(found.pulls))
    alone = [abs(plain.seconds(w) / truth(w) - 1) for w in works(60, seed=1)]
    assert np.median(errors) < 0.05 < 0.2 < np.median(alone)


def test_the_error_of_a_fit_is_that_of_ops_left_out() -> None:
    points = works(30)
    random = np.random.default_rng(2)
    times = [1e-6 * math.exp(random.normal(0, 0.2)) + 1e-10 * work.written for work in points]
    found = fitted(points, times)
    left_out = []
    for index, (work, seconds) in enumerate(zip(points, times, strict=True)):
        rest = [i for i in range(len(points)) if i != index]
        again = fitted([points[i] for i in rest], [times[i] for i in rest])
        left_out.append(abs(math.log(again.seconds(work) / seconds)))
    # the sum of terms and the lengths are chosen anew there, so that it is not quite the same
    assert found.median_error == pytest.approx(np.median(left_out), rel=0.5)


def test_what_is_one_ops_own_stays_with_it() -> None:
    """An op that differs from all near it is predicted as measured; what is near it is not."""
    points = works(60)
    random = np.random.default_rng(3)
    odd = 7
    times = [
        (3 if index == odd else 1) * 1e-9 * work.written * math.exp(random.normal(0, 0.1))
        for index, work in enumerate(points)
    ]
    found = fitted(points, times)
    assert found.own > 0
    assert found.seconds(points[odd]) == pytest.approx(times[odd], rel=0.15)
    near = replace(points[odd], place=tuple(size + 0.01 for size in points[odd].place))
    assert found.seconds(near) < 0.8 * times[odd]


@given(place=st.tuples(*[st.floats(-2, 2)] * 2), own=st.floats(0, 5))
@example(place=(0.0, 0.0), own=2.0)
@example(place=(0.01, 0.0), own=2.0)
def test_only_at_its_own_place_does_an_ops_own_part_count(
    place: tuple[float, float], own: float
) -> None:
    measured = Curve(
        (1.0, *(0.0,) * (len(TERMS) - 1)), ((0.0, 0.0),), (0.5,), (1.0, 1.0), own, 1, 1
    )
    without = replace(measured, own=0.0)
    work = Workload("add", 0, 0, 1, 1, 0, 1, place)
    extra = 0.5 * own if math.hypot(*place) < SAME else 0.0
    expected = without.seconds(work) * math.exp(extra)
    assert measured.seconds(work) == pytest.approx(expected, rel=1e-9)


def test_terms_are_those_of_the_workload() -> None:
    work = Workload("dense", 7, 8, 1, 2, 3, 9, (0.0,))
    assert dict(zip(TERMS, terms(work), strict=True)) == {
        "call": 1,
        "macs": 7,
        "blocked": 8,
        "read": 1,
        "written": 2,
        "weights": 3,
        "windows": 9,
    }


@pytest.mark.parametrize(
    "change",
    [
        {"coefficients": (1.0,)},
        {"coefficients": (-1.0, *[0.0] * (len(TERMS) - 1))},
        {"coefficients": (0.0,) * len(TERMS)},
        {"pulls": ()},
        {"pulls": (math.nan,)},
        {"lengths": (0.0,) * 4},
        {"places": ((0.0,),)},
    ],
)
def test_a_curve_checks_itself(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"curve|places"):
        replace(curve(4), **change)


# --- the file ---


def test_what_is_written_is_read_again(stored: Path, calibration: Calibration) -> None:
    assert calibrations.read(stored) == calibration


def damaged(text: str) -> dict[str, str]:
    document = json.loads(text)
    del document["formats"]["channels_last"]
    machine = json.loads(text)
    machine["machine"]["threads"] = 4
    curves = json.loads(text)
    curves["formats"]["contiguous"]["families"]["dense"]["warm"]["pulls"] = []
    speeds = json.loads(text)
    speeds["macs_per_s"] = 0
    return {
        "empty": "",
        "truncated": text[: len(text) // 2],
        "no object": "[1, 2]",
        "another file": '{"network": "resnet50", "rows": []}',
        "a trace": '{"schema": 1, "name": "resnet50"}',
        "a newer one": json.dumps({**json.loads(text), "schema": 2}),
        "a format less": json.dumps(document),
        "another's fingerprint": json.dumps(machine),
        "an empty curve": json.dumps(curves),
        "no speed": json.dumps(speeds),
    }


@pytest.mark.parametrize(
    "which",
    [
        "empty",
        "truncated",
        "no object",
        "another file",
        "a trace",
        "a newer one",
        "a format less",
        "another's fingerprint",
        "an empty curve",
        "no speed",
    ],
)
def test_a_damaged_calibration_is_one_clear_line(
    which: str, stored: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stored.write_text(damaged(stored.read_text())[which])
    words = f"profile resnet18 --latency --any-machine --calibration {stored}".split()
    assert run(words) == ExitCode.USAGE
    complaint = capsys.readouterr().err
    assert str(stored) in complaint and "dualcost calibrate" in complaint
    assert len(complaint.splitlines()) == 2


def test_a_machine_without_calibration_is_told_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(calibrations, "default_path", lambda: tmp_path / "none.json")
    assert run(["profile", "resnet18", "--latency"]) == ExitCode.UNMEASURED
    assert "dualcost calibrate" in capsys.readouterr().err
    with pytest.raises(UnmeasuredError):
        calibrations.read()
    words = f"profile resnet18 --latency --calibration {tmp_path}/none.json"
    assert run(words.split()) == ExitCode.USAGE


def test_a_calibration_of_another_machine_is_refused_unless_asked_for(
    stored: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = f"profile resnet18 --latency --calibration {stored}".split()
    assert run(words) == ExitCode.USAGE
    complaint = capsys.readouterr().err
    assert "of another machine" in complaint and "--any-machine" in complaint
    assert run([*words, "--any-machine"]) == ExitCode.OK
    assert "not compared with this machine" in capsys.readouterr().out
    calibrations.check_machine(linear_calibration(), replace(MACHINE, cores=64))
    with pytest.raises(UsageError, match=r"torch 2\.15\.0 is not 3"):
        calibrations.check_machine(linear_calibration(), replace(MACHINE, torch="3"))


@pytest.mark.parametrize("option", ["--any-machine", "--channels-last", "--calibration x.json"])
def test_options_of_a_prediction_make_no_sense_without_one(
    option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["profile", "resnet18", *option.split()]) == ExitCode.USAGE
    assert "add --latency" in capsys.readouterr().err


# --- what is printed ---


def printed(stored: Path, capsys: pytest.CaptureFixture[str], *more: str) -> str:
    words = f"profile resnet18 --conv dual --G 4 --latency --any-machine --calibration {stored}"
    assert run([*words.split(), *more]) == ExitCode.OK
    return capsys.readouterr().out


def test_the_table_fits_80_columns_and_marks_what_is_predicted(
    stored: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = printed(stored, capsys)
    lines = text.splitlines()
    # a command is never wrapped: it is there to be copied
    commands = [line for line in lines if line.startswith(("reproduce", "next"))]
    assert max(map(len, {*lines} - {*commands})) <= 80
    assert "~ms" in text and "compute" in text and "memory" in text
    latency, roofline = (line for line in lines[4:8] if re.match("latency|roofline", line))
    assert re.search(r"~\S+ ms \(\S+ to \S+\) → ~\S+ ms \(\S+ to \S+\)", latency)
    assert re.search(r"~\S+ ms by (compute|memory)", roofline)
    assert shlex.split(commands[1])[1:3] == ["dualcost", "explain"]


def test_json_holds_the_prediction_and_keeps_its_schema(
    stored: Path, capsys: pytest.CaptureFixture[str], calibration: Calibration
) -> None:
    document = json.loads(printed(stored, capsys, "--format", "json"))
    folder = Path(dualcost.__file__).parent / "render/profile"
    schema = json.loads((folder / "profile.schema.json").read_text())
    jsonschema.validate(document, schema)
    rows = document["rows"]
    after = document["latency"]["after"]
    assert sum(row["latency_s"] for row in rows) == pytest.approx(after["seconds"])
    assert after["lower_s"] < after["seconds"] < after["upper_s"]
    assert document["latency"]["machine"] == MACHINE.to_json()
    network = library.load("resnet18")
    assert "latency" not in as_dict(profile(network))
    plain = json.loads(profile_json(timed(profile(network), network, calibration)))
    jsonschema.validate(plain, schema)


def test_csv_and_markdown_hold_the_prediction(
    stored: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [*csv.DictReader(io.StringIO(printed(stored, capsys, "--format", "csv")))]
    assert all(float(row["latency_lower_s"]) <= float(row["latency_s"]) for row in rows)
    assert {row["bound"] for row in rows} <= {"compute", "memory", ""}
    markdown = printed(stored, capsys, "--format", "markdown")
    assert "| ~ms after |" in markdown and "**latency**: ~" in markdown


# --- the held-out error ---


def test_validation_uses_thirty_networks_and_more_that_no_calibration_measures() -> None:
    from dualcost.lab.child.probes import CATALOGUE

    names = [name for line in HELD_OUT for name in line]
    assert len(names) == len(set(names)) >= 30
    plain = {library.load(name.partition(" ")[0]).name for name in names}
    assert not plain & set(CATALOGUE)


def test_the_errors_of_a_validation_are_those_of_numpy_and_scipy() -> None:
    from scipy.stats import spearmanr

    random = np.random.default_rng(0)
    measured = random.uniform(1, 100, size=31)
    predicted = measured * np.exp(random.normal(0, 0.1, size=31))
    checks = tuple(
        Check(str(n), "contiguous", float(m), Timing(float(p), float(p) / 20, (float(p) / 20) ** 2))
        for n, (m, p) in enumerate(zip(measured, predicted, strict=True))
    )
    found = Accuracy(checks)
    errors = np.abs(predicted / measured - 1)
    assert found.mean_error == pytest.approx(errors.mean())
    assert found.median_error == pytest.approx(np.median(errors))
    assert abs(found.worst.error) == pytest.approx(errors.max())
    assert found.close == pytest.approx((errors <= 0.1).mean())
    assert found.covered == pytest.approx(
        (np.abs(measured - predicted) <= 1.96 * predicted / 20).mean()
    )
    assert found.spearman == pytest.approx(spearmanr(predicted, measured).statistic)


def test_networks_of_the_same_ops_take_the_same_time(calibration: Calibration) -> None:
    network = library.load("resnet18")
    renamed = replace(network, name="twin")
    assert estimate(renamed, calibration).total == estimate(network, calibration).total
