"""Fixtures that several tests share."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from support.commands import Command
from support.imports import TORCHLESS
from warm_python import warm_python

from dualcost.cli import run

pytest_plugins = ["support.caches", "support.second_tier"]

_warm = pytest.StashKey[str]()


def pytest_configure(config: pytest.Config) -> None:
    """Each process computes alone, and what is not compared is not called unused.

    The threads of torch wait for each other by spinning: with a worker on each core they double
    the work. What is measured says itself how many it takes.
    """
    os.environ["OMP_NUM_THREADS"] = "1"  # read when torch is imported, so not in a fixture
    if config.option.collectonly:
        config.pluginmanager.unregister(name="syrupy")


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """The workers of xdist share a warm Python."""
    config: pytest.Config = node.config
    if _warm not in config.stash:
        running = ExitStack()
        config.stash[_warm] = running.enter_context(warm_python())
        config.add_cleanup(running.close)
    node.workerinput["warm_python"] = config.stash[_warm]


@pytest.fixture(scope="session", autouse=True)
def _alike_everywhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """How wide a terminal is, and what its machine was calibrated to, is no business of tests.

    Neither is what a shell says to every Python (`PYTHON…`), except where modules are.

    Tests change a file of code and run it again within a second, in which Python would take what
    it has compiled before: so nothing that they run is kept compiled.
    """
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("PYTHON")]:
            if name != "PYTHONPATH":
                patch.delenv(name)
        patch.setattr(sys, "dont_write_bytecode", True)
        patch.setenv("PYTHONDONTWRITEBYTECODE", "1")
        patch.setenv("COLUMNS", "80")
        patch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("data")))
        yield


@pytest.fixture(scope="session")
def _warm_executable(request: pytest.FixtureRequest) -> Iterator[str]:
    if hasattr(request.config, "workerinput"):
        yield request.config.workerinput["warm_python"]
        return
    with warm_python() as executable:
        yield executable


@pytest.fixture(scope="module", name="warm_python")
def _warm_python(_warm_executable: str) -> Iterator[None]:
    """Child processes start with all imports behind them (`support.commands.FRESH` does not)."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "executable", _warm_executable)
        yield


@pytest.fixture(autouse=True)
def _torchless(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the rooms that do without torch, to import it or the room that may is an error."""
    if request.path.parent not in TORCHLESS:
        return
    loaded = [name for name in sys.modules if name.startswith("dualcost.nn.")]
    for name in ("torch", "torchvision", "dualcost.nn", *loaded):
        monkeypatch.setitem(sys.modules, name, None)


@pytest.fixture
def uncounted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Coverage does not follow child processes, in which torch starts twice as fast without it.

    Other tests reach the lines that these run.
    """
    for name in [name for name in os.environ if name.startswith("COVERAGE_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def command(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Command:
    """Run one command in a folder of its own: exit code, standard output, standard error."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> tuple[int, str, str]:
        code = run(list(arguments))
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call
