"""A program in a process of its own: its events, its errors, and its end."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dualcost import process
from dualcost.errors import DualcostError, ExitCode, IndivisibleError, UnmeasuredError

PROGRAM = """
import os, sys
from dualcost.errors import IndivisibleError, OutputError
from dualcost.process import serve

def answer(request, say):
    print("a model prints")
    os.system("echo a library prints")
    say({"threads": os.environ.get("OMP_NUM_THREADS"), "got": request})
    match request["end"]:
        case "error":
            raise IndivisibleError("M=24 is not divisible by G=16", "choose G=8")
        case "another error":
            raise OutputError("the disk is full")
        case "bug":
            raise ZeroDivisionError("a bug")
        case "killed":
            os.kill(os.getpid(), 9)
        case "interrupted":
            raise KeyboardInterrupt
        case "endless":
            while True:
                say({"more": "x" * 1000})

if __name__ == "__main__":
    serve(answer)
"""


@pytest.fixture(autouse=True)
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))


def told(end: str) -> list[dict[str, Any]]:
    return [*process.events("program", {"end": end}, threads=3)]


def test_events_are_what_was_said_and_not_what_was_printed() -> None:
    assert told("") == [{"threads": "3", "got": {"end": ""}}]


def test_an_error_is_raised_here_as_what_it_was_there() -> None:
    with pytest.raises(IndivisibleError, match="M=24 is not divisible by G=16") as caught:
        told("error")
    assert caught.value.hint == "choose G=8"


def test_an_error_that_is_not_known_by_name_is_one_of_dualcost() -> None:
    with pytest.raises(DualcostError, match="the disk is full") as caught:
        told("another error")
    assert type(caught.value) is DualcostError


def test_a_process_that_dies_says_so_with_all_that_it_printed() -> None:
    with pytest.raises(UnmeasuredError, match="died: ZeroDivisionError: a bug") as caught:
        told("bug")
    (note,) = caught.value.__notes__
    assert {"a model prints", "a library prints", "ZeroDivisionError: a bug"} <= {
        *note.splitlines()
    }
    with pytest.raises(UnmeasuredError, match="killed by SIGKILL") as caught:
        told("killed")
    assert "memory" in caught.value.hint


def test_the_process_ends_with_who_listens() -> None:
    with process.started("program", {"end": "endless"}, {}) as running:
        assert running.poll() is None
    assert running.returncode == -9


@pytest.mark.parametrize("end", ["interrupted", "endless"])
def test_by_hand_it_ends_without_a_traceback_when_nobody_waits_for_the_rest(end: str) -> None:
    done = subprocess.run(
        f"{sys.executable} -m program | head -c 100",
        input=f'{{"end": "{end}"}}',
        env={**os.environ},
        shell=True,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith('{"threads": ')
    assert "Traceback" not in done.stderr
    with process.started("program", {"end": "interrupted"}, {}) as running:
        assert running.wait() == ExitCode.INTERRUPTED
