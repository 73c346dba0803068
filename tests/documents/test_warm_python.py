"""A warm Python does what a fresh one does; and it is warm."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.commands import FRESH
from support.families import in_turn
from warm_python import warm_python

pytestmark = pytest.mark.usefixtures("warm_python")

ROOT = Path(__file__).parents[2]
SURROUNDINGS = """
import os, sys, threading
print(__name__, sys.argv, sys.path, os.getcwd(), sys.dont_write_bytecode)
print(sorted(os.environ.items()), threading.active_count())
print(*((s.name, s.encoding, s.errors, s.isatty(), s.line_buffering, s.write_through)
        for s in (sys.stdout, sys.stderr)))
print(os.umask(0), sys.stdin.read())
"""
MODEL = "from torch import nn\ndef make(): return nn.Conv2d(3, 4, 3)\n"
VERIFY = ("-m", "dualcost", "verify", "model.py:make", "--input", "1x3x9x9")
COLOURS = {"FORCE_COLOR": "1", "TERM": "xterm-256color", "COLUMNS": "100"}


def outcome(python: str, *words: str, folder: Path, **variables: str) -> tuple[int, bytes, bytes]:
    """Exit code, standard output, standard error."""
    plain = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "COVERAGE_"))}
    done = subprocess.run(
        [python, *words],
        cwd=folder,
        env=plain | variables,
        input=b"typed",
        capture_output=True,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    ("words", "variables"),
    [
        (("-c", SURROUNDINGS, "an", "argument"), {}),
        (("-P", "-c", SURROUNDINGS), {"PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"}),
        (("-c", SURROUNDINGS), {"PYTHONHASHSEED": "1", "LC_ALL": "C.UTF-8", "A": "\udcff"}),
        (("-c", "def f(): 1/0\nf()"), {}),
        (("-c", "import sys; print(1); sys.exit('no')"), {}),
        (("-c", "raise SystemExit(7)"), {}),
        (("-c", "import os; os.kill(os.getpid(), 9)"), {}),
        (("-c", "import os; os.abort()"), {}),
        (("-c", "import atexit; atexit.register(print, 'the end'); print('first', end='')"), {}),
        (("-c", "import module_here; import warnings; warnings.warn(module_here.TEXT)"), {}),
        (("-c", "import torch; print(torch.get_num_threads())"), {"OMP_NUM_THREADS": "1"}),
        (("-c", SURROUNDINGS), {"PYTHONPATH": "here::/no/such/folder:."}),
        (("-P", "-c", "import fvcore; print(fvcore.HERE)"), {"PYTHONPATH": "here"}),
        (("-c", "import json; print(json)"), {"PYTHONPATH": "a_json"}),
        (("-m", "dualcost", "profile", "resnet18", "--depth", "1"), {"PYTHONPATH": f"{ROOT}"}),
        (("-m", "dualcost", "profile", "resnet18", "--depth", "1"), {}),
        (("-m", "dualcost", "profile", "resnet18"), COLOURS),
        (("-m", "dualcost", "profile", "--help"), COLOURS),
        (("-m", "dualcost", "profile", "resnt18"), {}),
        in_turn(
            ("-m", "dualcost", "verify", "model.py:make", "--input", "1x3x9x9"), {}, daily=False
        ),
        (("-m", "pytest", "--version"), {}),
        (("-X", "utf8=0", "-c", "import sys; print(sys.flags.utf8_mode)"), {}),
    ],
)
def test_a_warm_python_does_what_a_fresh_one_does(
    words: tuple[str, ...], variables: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "module_here.py").write_text("TEXT = 'read from the folder'\n")
    (tmp_path / "model.py").write_text(MODEL)
    for module in ("here/fvcore", "a_json/json"):
        (tmp_path / module).parent.mkdir()
        (tmp_path / module).with_suffix(".py").write_text("HERE = 'found by PYTHONPATH'\n")
    fresh = outcome(FRESH, *words, folder=tmp_path, **variables)
    assert outcome(sys.executable, *words, folder=tmp_path, **variables) == fresh
    assert sys.executable != FRESH


@pytest.mark.parametrize("name", ["dualcost", "pytest"])
def test_a_script_beside_it_does_what_the_installed_one_does(name: str, tmp_path: Path) -> None:
    warm, fresh = (str(Path(python).parent / name) for python in (sys.executable, FRESH))
    for words in (("--help",), ("--no-such-option",)):
        assert outcome(warm, *words, folder=tmp_path) == outcome(fresh, *words, folder=tmp_path)


def test_it_has_imported_torch_and_a_fresh_one_has_not(tmp_path: Path) -> None:
    code = "import sys; print('torch' in sys.modules, end='')"
    assert outcome(sys.executable, "-c", code, folder=tmp_path)[1] == b"True"
    assert outcome(FRESH, "-c", code, folder=tmp_path)[1] == b"False"


def test_a_command_ends_with_its_client(tmp_path: Path) -> None:
    code = "import os, time; print(os.getpid(), flush=True); time.sleep(600)"
    client = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=tmp_path
    )
    with client:
        try:
            assert client.stdout is not None
            process = int(client.stdout.readline())
            assert process != client.pid  # so the client runs a command of a warm Python
        finally:
            client.kill()
        assert client.stdout.read() == ""  # it ends when nobody can write to it any more


def test_it_is_warm_with_a_folder_of_modules_too(tmp_path: Path) -> None:
    code = "import sys; print('torch' in sys.modules, 'dualcost' in sys.modules, end='')"
    for folder, dualcost in ((tmp_path, b"True"), (ROOT, b"False")):
        printed = outcome(sys.executable, "-c", code, folder=tmp_path, PYTHONPATH=str(folder))[1]
        assert printed == b"True " + dualcost  # which is imported anew from there


def test_what_a_command_starts_is_warm_too(tmp_path: Path) -> None:
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', {!r}])"
    inner = "import sys; print('torch' in sys.modules, end='')"
    outer = code.format(inner)
    assert outcome(sys.executable, "-c", outer, folder=tmp_path)[1] == b"True"


def test_where_nothing_forks_it_is_a_fresh_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "fork")
    monkeypatch.setattr(sys, "executable", FRESH)
    with warm_python() as executable:
        assert executable == FRESH
