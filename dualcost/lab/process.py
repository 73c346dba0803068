"""A fresh Python process that measures, and the JSON lines that it sends while it does.

What decides times before torch is imported can only be set for a new process: its environment.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Generator, Iterator, Mapping
from typing import IO, Any

from dualcost.errors import (
    DualcostError,
    IndivisibleError,
    ModelError,
    RuleError,
    UnmeasuredError,
    UsageError,
)

ERRORS = {
    error.__name__: error
    for error in (UsageError, RuleError, IndivisibleError, ModelError, UnmeasuredError)
}


def variables(threads: int) -> dict[str, str]:
    """The environment of a process whose times repeat.

    Large pages, as many threads as asked for, and no memory given back to the system and faulted
    in again at each forward (names of glibc and torch; others ignore them). In small pages it is
    chance which lines of a cache the maps of a network share: another one in each process.
    """
    return {
        "THP_MEM_ALLOC_ENABLE": "1",  # of large tensors
        "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",  # of all else
        "OMP_NUM_THREADS": str(threads),
        "MKL_NUM_THREADS": str(threads),
        "MALLOC_MMAP_MAX_": "0",
        "MALLOC_TRIM_THRESHOLD_": str(2**62),
        "MALLOC_TOP_PAD_": str(2**26),
    }


def events(
    module: str, request: Mapping[str, Any], threads: int
) -> Generator[dict[str, Any], None, None]:
    """Run `python -m module`, hand it a request, and yield what it says, line by line.

    The process ends with the iterator, however that ends. Ctrl-C does not reach it.

    Args:
        module: reads one JSON object from standard input, and writes one on each line of standard
            output; `{"error": …}` (see `error_event`) is raised here.
        request: the object that it reads.
        threads: what its environment is made for.

    Raises:
        DualcostError: the process said so.
        UnmeasuredError: it died.
    """
    # -P: a json.py in the user's folder is not the library's
    words = [sys.executable, "-P", "-m", module]
    with (
        tempfile.TemporaryFile("w+") as complaints,
        subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=complaints,
            env={**os.environ, **variables(threads)},
            text=True,
            start_new_session=True,
        ) as process,
    ):
        try:
            yield from _said(process, request)
            process.wait()
        finally:
            if process.poll() is None:
                process.kill()
        if process.returncode:
            raise _died(process.returncode, complaints)


def _said(process: subprocess.Popen[str], request: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    assert process.stdin is not None and process.stdout is not None  # both are pipes
    try:
        with process.stdin as door:
            json.dump(request, door)
    except BrokenPipeError:  # it died before it read; its exit code says why
        return
    for line in process.stdout:
        event = json.loads(line)
        if "error" in event:
            raise ERRORS.get(event["error"], DualcostError)(event["message"], event["hint"])
        yield event


def error_event(error: DualcostError) -> dict[str, str]:
    """The line by which a child hands an error on."""
    named = (kind.__name__ for kind in type(error).__mro__ if kind.__name__ in ERRORS)
    return {
        "error": next(named, "DualcostError"),
        "message": error.message,
        "hint": error.hint,
    }


def _died(code: int, complaints: IO[str]) -> UnmeasuredError:
    complaints.seek(0)
    lines = [line.strip() for line in complaints if line.strip()]
    if code < 0:
        name = signal.Signals(-code).name
        hint = (
            "the system may have run out of memory: try fewer variants, or a smaller --batch"
            if name == "SIGKILL"
            else "try again; if it dies again, leave variants out until it does not"
        )
        return UnmeasuredError(f"the measuring process was killed by {name}", hint)
    last = lines[-1] if lines else f"exit code {code}"
    error = UnmeasuredError(f"the measuring process died: {last}", "--debug shows all it said")
    error.add_note("\n".join(lines))
    return error
