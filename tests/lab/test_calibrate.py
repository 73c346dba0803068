"""Calibrating: a tiny real run from end to end, and what goes wrong on the way."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dualcost import process
from dualcost.cli import run
from dualcost.errors import ExitCode, UnmeasuredError
from dualcost.lab import calibrate as calibrating
from dualcost.lab.child.chains import LINKS, chains
from dualcost.lab.child.probes import QUOTAS, Probe, probes
from dualcost.latency import calibration as calibrations
from dualcost.latency.estimate import estimate
from dualcost.latency.workload import workload
from dualcost.library import networks as library
from dualcost.network.network import TensorSpec
from dualcost.network.ops import VIEW
from dualcost.nn.here import here
from dualcost.nn.trace.trace import trace

pytestmark = pytest.mark.usefixtures("warm_python")


@pytest.fixture(scope="module")
def planned() -> list[Probe]:
    return probes(seed=0)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A calibration of a few seconds, made by the command itself."""
    path = tmp_path_factory.mktemp("calibration") / "here.json"
    assert run(["calibrate", "--time", "20s", "-o", str(path)]) == ExitCode.OK
    return path


def test_a_calibration_made_here_predicts_here(
    tiny: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    calibration = calibrations.read(tiny)
    assert calibration.machine == here()
    assert min(calibration.call_s.values()) >= 0
    assert calibration.macs_per_s > 0 and calibration.bytes_per_s > 0
    for format in calibrations.FORMATS:
        assert calibration.curves[format].keys() >= calibrating.NEEDED
    for name in ("resnet50", "mobilenet_v2"):
        network = library.load(name)
        for channels_last in (False, True):
            found = estimate(network, calibration, channels_last)
            assert found.total.compute_s < found.total.seconds < 100 * found.total.roofline_s
    words = f"profile resnet50 --latency --calibration {tiny} --format json".split()
    assert run(words) == ExitCode.OK
    assert json.loads(capsys.readouterr().out)["latency"]["foreign"] is False


def test_larger_networks_are_predicted_to_take_longer(tiny: Path) -> None:
    calibration = calibrations.read(tiny)
    times = [
        estimate(library.load(name), calibration).total.seconds
        for name in ("mobilenet_v3_small", "resnet18", "resnet50", "resnet152", "vgg16")
    ]
    # resnet152 and vgg16 are close; the others are two times apart and more
    assert times[:4] == sorted(times[:4]) and times[4] > times[2]


def said(facts: list[dict[str, Any]], ending: BaseException | None = None) -> Any:
    """A measuring process that says these things, and then ends so."""

    def events(module: str, request: Any, threads: int) -> Iterator[dict[str, Any]]:
        yield from facts
        if ending is not None:
            raise ending

    return events


@pytest.mark.parametrize(
    ("ending", "code"),
    [
        (KeyboardInterrupt(), ExitCode.INTERRUPTED),
        (UnmeasuredError("the measuring process was killed by SIGKILL"), ExitCode.UNMEASURED),
        (None, ExitCode.UNMEASURED),
    ],
)
def test_a_calibration_that_is_not_finished_leaves_the_old_one_as_it_was(
    ending: BaseException | None, code: ExitCode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "old.json"
    path.write_text("the old one")
    start = {"machine": here().to_json(), "peaks": {"macs_per_s": 1.0, "bytes_per_s": 1.0}}
    monkeypatch.setattr(process, "events", said([start, {"done": 0.5}], ending))
    assert run(["calibrate", "-o", str(path)]) == code
    assert path.read_text() == "the old one"
    assert [*tmp_path.iterdir()] == [path]


def test_too_little_to_predict_from_is_refused(
    monkeypatch: pytest.MonkeyPatch, planned: list[Probe]
) -> None:
    from dataclasses import asdict

    op = {
        "format": "contiguous",
        "workload": asdict(workload(planned[0].op)),
        "cold_s": 1e-3,
        "warm_s": 1e-3,
    }
    start = {"machine": here().to_json(), "peaks": {"macs_per_s": 1.0, "bytes_per_s": 1.0}}
    chain = {"format": "contiguous", "seconds": 1.0, "layers": 100}
    monkeypatch.setattr(process, "events", said([start, {"ops": [op]}, {"chains": [chain]}]))
    with pytest.raises(UnmeasuredError, match="too little was measured"):
        calibrating.calibrate(1.0)


def test_what_cannot_be_written_is_known_before_anything_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(process, "events", said([], AssertionError("it measured")))
    assert run(["calibrate", "-o", str(tmp_path)]) == ExitCode.USAGE
    assert run(["calibrate", "-o", str(tmp_path / "none" / "x.json")]) == ExitCode.USAGE
    assert "cannot write" in capsys.readouterr().err


@pytest.mark.parametrize("budget", ["0s", "-3", "soon"])
def test_a_budget_that_is_none_is_refused(budget: str) -> None:
    assert run(["calibrate", f"--budget={budget}"]) == ExitCode.USAGE


def test_every_family_is_measured_and_the_first_ops_have_them_all(planned: list[Probe]) -> None:
    families = {probe.family for probe in planned}
    assert QUOTAS.keys() | {"row", "linear", VIEW, "batch_norm", "max_pool"} <= families
    assert {probe.family for probe in planned[: 3 * len(families)]} == families
    for name, quota in QUOTAS.items():
        assert sum(probe.family == name for probe in planned) >= quota * 0.9


def test_the_ops_of_a_seed_are_always_the_same() -> None:
    def ops(seed: int) -> list[object]:
        return [probe.op for chain in chains(seed, count=1) for probe in chain.probes]

    assert ops(0) == ops(0) != ops(1)


def test_what_is_measured_is_what_a_trace_would_find(planned: list[Probe]) -> None:
    seen: set[str] = set()
    for probe in planned:
        if probe.module is None or (probe.family in seen and probe.family != "max_pool"):
            continue
        seen.add(probe.family)
        network = trace(probe.module, [TensorSpec(shape) for shape in probe.inputs])
        traced = [workload(op) for op in network.ops]
        assert workload(probe.op) in traced
    assert len(seen) > 15


def test_a_chain_runs_what_it_says() -> None:
    for chain in chains(seed=3, count=len(LINKS)):
        traced = trace(chain.model, [TensorSpec(chain.input)]).ops
        assert [workload(probe.op) for probe in chain.probes] == [workload(op) for op in traced]


def test_what_a_network_adds_to_its_ops_is_found_again() -> None:
    chains = [
        {
            "format": "contiguous",
            "seconds": 1.1 * ops_s + 5e-6 * 120,
            "warm_s": ops_s,
            "cold_s": ops_s,
            "weights": 1000,
            "layers": 120,
        }
        for ops_s in (0.001, 0.002, 0.012, 0.02)
    ]
    found = calibrating._in_networks(chains, here(), "contiguous")
    assert found == pytest.approx((1.1, 5e-6))
