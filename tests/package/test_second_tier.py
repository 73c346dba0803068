"""Tests of the second tier run on one day of eight, on all workers alike, and all with --all."""

from __future__ import annotations

import re
from datetime import date, timedelta
from pathlib import Path

import pytest
from support.commands import in_a_process
from support.second_tier import PARTS, is_due

DAY = date(2026, 12, 31)
TESTS = """
import pytest

def test_first():
    pass

@pytest.mark.second_tier
@pytest.mark.parametrize("number", range(80))
def test_second(number):
    pass
"""
DUE = sum(is_due(f"test_tiers.py::test_second[{number}]", DAY) for number in range(80))


def test_every_test_runs_once_in_any_eight_days() -> None:
    for name in ("test_a", "test_b[1]", "tests/nn/test_c.py::test_d[é]"):
        for start in (DAY, DAY + timedelta(days=3)):
            days = [start + timedelta(days=n) for n in range(PARTS)]
            assert sum(is_due(name, day) for day in days) == 1


def test_about_an_eighth_runs_on_a_day() -> None:
    due = sum(is_due(f"test_a[{number}]", DAY) for number in range(800))
    assert 70 < due < 130  # 800 / 8 = 100


@pytest.fixture
def tests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "test_tiers.py").write_text(TESTS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")


def run(*words: str) -> str:
    options = ("-p", "support.second_tier", "-p", "no:cacheprovider", "--strict-markers")
    result = in_a_process("-m", "pytest", "-q", *options, *words)
    assert result.returncode == 0, result.stdout
    return result.stdout


@pytest.mark.usefixtures("tests")
@pytest.mark.parametrize("workers", [(), ("-p", "xdist", "-n", "2")], ids=["alone", "two"])
def test_what_waits_is_left_out_and_counted(workers: tuple[str, ...]) -> None:
    printed = run("--day", str(DAY), *workers)
    assert re.search(rf"^{1 + DUE} passed", printed, re.MULTILINE)
    assert f"{80 - DUE} tests of the second tier wait for their day" in printed


@pytest.mark.usefixtures("tests")
@pytest.mark.parametrize(
    ("words", "passed"),
    [
        (("--all",), 81),
        (("--all", "-m", "second_tier"), 80),
        # a test that is named runs on any day
        (("test_tiers.py::test_second",), 80),
    ],
    ids=["all", "all of the tier", "by name"],
)
def test_all_run_where_all_are_meant(words: tuple[str, ...], passed: int) -> None:
    printed = run("--day", str(DAY), *words)
    assert re.search(rf"^{passed} passed", printed, re.MULTILINE)
    assert "wait" not in printed
