"""The wheel: the same bytes wherever it is built, the whole package, and nothing else is needed."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

from dualcost import __version__

ROOT = Path(__file__).parents[2]
TYPES = """
[mypy]
strict = true
[mypy-torch.*]
# half a minute of checking, for one name
follow_imports = skip
[mypy-sympy.*]
ignore_missing_imports = true
"""
CALLER = """
from typing import assert_type

import dualcost
import pandas
from dualcost.costs.profile import Profile
from dualcost.network.cost import Cost
from dualcost.render.profile.notebook import NotebookProfile

found = dualcost.profile("resnet50", conv="dual", G=4)
shown: Profile = found
assert_type(found, NotebookProfile)
assert_type(found.to_dataframe(), pandas.DataFrame)
assert_type(found.after, Cost)
assert_type(found.after.macs, int)
assert_type([row.path for row in found.rows], list[str])
assert_type(dualcost.check().exit_code, dualcost.errors.ExitCode)
for function in (
    dualcost.bench, dualcost.convert, dualcost.fit, dualcost.formula, dualcost.solve, dualcost.sweep
):
    print(function.__doc__)
"""


def run(*words: str | Path, cwd: Path, umask: int = 0o022) -> str:
    done = subprocess.run(
        list(words), cwd=cwd, umask=umask, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def built(source: Path, out: Path, umask: int = 0o022) -> tuple[Path, Path]:
    """The wheel and the source distribution of a folder."""
    run(sys.executable, "-m", "hatchling", "build", "-d", out, cwd=source, umask=umask)
    (wheel,), (sdist,) = out.glob("*.whl"), out.glob("*.tar.gz")
    return wheel, sdist


@pytest.fixture(scope="module")
def distribution(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return built(ROOT, tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def python(distribution: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a fresh environment, with the wheel in it and its dependencies beside."""
    folder = tmp_path_factory.mktemp("environment")
    run(sys.executable, "-m", "venv", folder, cwd=folder)
    python = folder / "bin/python"
    words = ("-m", "pip", "install", "--quiet", "--no-deps", "--no-index", distribution[0])
    run(python, *words, cwd=folder)
    # afterwards, or pip would see the dualcost that stands there too
    site = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder)
    (Path(site.strip()) / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    return python


def test_another_folder_time_and_umask_build_the_same_bytes(
    distribution: tuple[Path, Path], tmp_path: Path
) -> None:
    with tarfile.open(distribution[1]) as archive:
        archive.extractall(tmp_path, filter="data")
    again = built(tmp_path / f"dualcost-{__version__}", tmp_path / "dist", umask=0o077)
    for first, second in zip(distribution, again, strict=True):
        assert first.name == second.name
        assert first.read_bytes() == second.read_bytes(), first.name


def test_the_wheel_holds_every_file_of_the_package_and_nothing_else(
    distribution: tuple[Path, Path],
) -> None:
    package = {
        str(path.relative_to(ROOT)): path.read_bytes()
        for path in (ROOT / "dualcost").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    about, data = (f"dualcost-{__version__}.{what}/" for what in ("dist-info", "data"))
    with zipfile.ZipFile(distribution[0]) as wheel:
        held = {name: wheel.read(name) for name in wheel.namelist()}
    described = {name.removeprefix(about) for name in held if name.startswith(about)}
    placed = {name.removeprefix(data): held[name] for name in held if name.startswith(data)}
    beside = (about, data)
    assert {name: held[name] for name in held if not name.startswith(beside)} == package
    assert described == {"METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE"}
    assert held[f"{about}licenses/LICENSE"] == (ROOT / "LICENSE").read_bytes()
    manual = (ROOT / "man/dualcost.1").read_bytes()
    assert placed == {"data/share/man/man1/dualcost.1": manual}
    for name in ("py.typed", "paper/tables.csv", "library/traces/torchvision/resnet50.jsonl.gz"):
        assert f"dualcost/{name}" in package


def test_the_source_distribution_holds_what_its_own_tests_read(
    distribution: tuple[Path, Path],
) -> None:
    with tarfile.open(distribution[1]) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    assert {
        str(path.relative_to(ROOT))
        for folder in ("tests", "scripts", "benchmarks", "docs", "man", ".github")
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    } <= held
    assert {".ci/run", ".pre-commit-config.yaml", "action.yml", "mkdocs.yml"} <= held
    assert {"CITATION.cff", "CONTRIBUTING.md", "CHANGELOG.md", "README.md", "LICENSE"} <= held


def test_the_wheel_does_its_work_without_the_repository(python: Path, tmp_path: Path) -> None:
    out = run(python, ROOT / "scripts/try_installed.py", cwd=tmp_path)
    assert f"dualcost {__version__} in {python.parent.parent}" in out


def test_the_trial_of_a_wheel_refuses_a_dualcost_that_is_not_installed() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "scripts/try_installed.py"],
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("dualcost stands in: ")


def test_a_caller_with_strict_types_is_checked_against_the_wheel(
    python: Path, tmp_path: Path
) -> None:
    (tmp_path / "mypy.ini").write_text(TYPES)
    (tmp_path / "caller.py").write_text(CALLER)
    words = ("-m", "mypy", "--python-executable", python, "--cache-dir", tmp_path / "cache")
    assert "no issues" in run(sys.executable, *words, "caller.py", cwd=tmp_path)
    wrong = CALLER.replace("G=4", "G='four'")
    (tmp_path / "caller.py").write_text(wrong)
    with pytest.raises(AssertionError, match='Argument "G" to "profile" has incompatible type'):
        run(sys.executable, *words, "caller.py", cwd=tmp_path)
