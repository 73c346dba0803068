"""What a report of a bug should say: true, fast, and without the name of its user."""

from __future__ import annotations

import json
import platform
import sys
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path

import jsonschema
import psutil
import pytest
from support.calibrations import linear_calibration
from support.commands import Command
from support.imports import heavy_imports_of, running

import dualcost
from dualcost.cli.commands.info import configured
from dualcost.errors import ExitCode
from dualcost.lab import environment as environments
from dualcost.lab.environment import LIBRARIES, NONE, Kept, environment, shown
from dualcost.latency import calibration, hardware
from dualcost.library import cache
from dualcost.library.networks import headers

NOTHING = Kept("", NONE)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder whose name nobody should learn."""
    folder = tmp_path / "home-of-alice"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("XDG_DATA_HOME", str(folder / "data"))
    return folder


def as_json(command: Command, *words: str) -> dict[str, object]:
    code, out, err = command("info", "--json", *words)
    assert (code, err) == (ExitCode.OK, "")
    found: dict[str, object] = json.loads(out)
    return found


def test_versions_and_machine_are_those_that_others_tell(command: Command) -> None:
    found = as_json(command)
    versions = found["versions"]
    assert isinstance(versions, dict)
    assert versions.pop("dualcost") == dualcost.__version__
    assert versions.pop("python").split()[0] == sys.version.split()[0]
    assert versions == {name: version(name) for name in LIBRARIES}  # all are installed for tests
    assert found["memory_bytes"] == psutil.virtual_memory().total
    assert platform.release() in str(found["system"])
    assert found["networks"] == len(headers())
    assert found["torch"] is None


def test_a_library_that_is_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environments, "LIBRARIES", ("rich", "no-such-library"))
    assert environment(NOTHING).versions["no-such-library"] == "none"


def test_torch_is_asked_if_wanted(command: Command) -> None:
    import torch

    from dualcost.nn.here import here

    said = as_json(command, "--torch")["torch"]
    assert isinstance(said, dict)
    assert said["torch"] == torch.__version__
    assert said["threads"] == torch.get_num_threads()
    if not torch.cuda.is_available():
        assert said == asdict(here(torch.get_num_threads()))


def test_nothing_heavy_is_imported() -> None:
    assert heavy_imports_of(running("info")) == (0, "[]")
    assert heavy_imports_of(running("cache list")) == (0, "[]")


def test_the_home_folder_is_not_named(command: Command, home: Path, tmp_path: Path) -> None:
    calibration.write(linear_calibration(), calibration.default_path())
    (home / "dualcost.toml").write_text('[models.a]\ntarget = "resnet18"\n')
    for words in ((), ("--json",), ("--torch",)):
        _, out, _ = command("info", *words)
        assert home.name not in out
        assert "~/data/dualcost/calibration.json" in out
    assert shown(home / "a b") == "~/a b"
    assert shown(Path("/elsewhere/x")) == "/elsewhere/x"


def test_the_state_of_the_cache_is_told(command: Command, filled: Path) -> None:
    entries = cache.entries()
    kept = environment(NOTHING).cache
    assert kept.state == "5 networks, 2 damaged"
    assert kept.nbytes == sum(entry.path.stat().st_size for entry in entries)


def test_the_state_of_the_calibration_is_told(command: Command, home: Path) -> None:
    from dualcost.nn.here import here

    assert environment(NOTHING).calibration.state == "none"
    path = calibration.default_path()
    calibration.write(linear_calibration(), path)  # of torch 2.15.0, on "A processor"
    found = environment(NOTHING).calibration
    assert found.state.startswith("of 2026-01-02 by dualcost 0.1.0")
    assert found.nbytes == path.stat().st_size
    assert (
        "of another machine: processor A processor is not"
        in environment(NOTHING, here()).calibration.state
    )
    ours = replace(linear_calibration(), machine=here())
    calibration.write(ours, path)
    assert environment(NOTHING, here()).calibration.state.endswith("of this machine")
    assert environment(NOTHING).calibration.state.endswith("made with this torch")
    calibration.write(replace(ours, machine=replace(here(), torch="1.0")), path)
    assert environment(NOTHING).calibration.state.endswith("made with torch 1.0")
    path.write_text("{")
    assert environment(NOTHING).calibration.state == "damaged"


def test_the_state_of_the_configuration_is_told(command: Command, tmp_path: Path) -> None:
    assert configured().state == "none"
    (tmp_path / "dualcost.toml").write_text('[models.a]\ntarget = "resnet18"\n')
    assert configured().state == "1 model"
    (tmp_path / "dualcost.toml").write_text("models = 1\n")
    assert configured().state.startswith("does not fit")


def test_gpus_are_those_of_the_driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for place, text in (("0", "Model: \t\t NVIDIA H100\nIRQ: 1\n"), ("1", "IRQ: 2\n")):
        (tmp_path / place).mkdir()
        (tmp_path / place / "information").write_text(text)
    monkeypatch.setattr(hardware, "GPUS", tmp_path)
    assert hardware.gpus() == ("NVIDIA H100", "unknown")
    monkeypatch.setattr(hardware, "GPUS", tmp_path / "none")
    assert hardware.gpus() == ()


def test_the_text_has_every_fact_of_the_json(command: Command) -> None:
    found = as_json(command)
    _, out, _ = command("info")
    versions = found["versions"]
    assert isinstance(versions, dict)
    for name, number in versions.items():
        assert f"{name}" in out and number in out
    assert str(found["processor"]) in out
    assert f"{found['networks']} packaged" in out
    jsonschema.validate(found["cache"], {"required": ["path", "state", "nbytes"]})
