"""A program in a process of its own: it reads a request, and writes events, one JSON object a line.

Both sides stand here: `events` starts the program and reads, `serve` is the program's main.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from typing import IO, Any

from dualcost.errors import (
    DualcostError,
    ExitCode,
    IndivisibleError,
    ModelError,
    RuleError,
    UnmeasuredError,
    UsageError,
)

Event = Mapping[str, Any]
Say = Callable[[Event], None]

STDOUT, STDERR = 1, 2
ERRORS = {
    error.__name__: error
    for error in (UsageError, RuleError, IndivisibleError, ModelError, UnmeasuredError)
}


def steady(threads: int) -> dict[str, str]:
    """The environment of a process whose times repeat: it can only be set before torch is imported.

    Large pages, so many threads, and no memory given back to the system and faulted in again at
    each forward (names of glibc and torch; others ignore them). In small pages it is chance which
    lines of a cache the maps of a network share: another one in each process.
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


@contextmanager
def started(
    module: str,
    request: Mapping[str, Any],
    environment: Mapping[str, str],
    complaints: IO[str] | int = subprocess.DEVNULL,
) -> Iterator[subprocess.Popen[str]]:
    """Run `python -m module` with a request to read, beyond Ctrl-C, until the context ends.

    Args:
        module: its main is `serve`.
        request: the object that it reads.
        environment: variables besides those of this process.
        complaints: where its standard error goes.
    """
    # -P: a json.py in the user's folder is not the library's
    command = [sys.executable, "-P", "-m", module]
    with tempfile.TemporaryFile("w+") as door:
        json.dump(request, door)
        door.seek(0)
        with subprocess.Popen(
            command,
            stdin=door,
            stdout=subprocess.PIPE,
            stderr=complaints,
            env={**os.environ, **environment},
            text=True,
            start_new_session=True,
        ) as process:
            try:
                yield process
            finally:
                process.kill()  # which does nothing to one that has ended


def events(
    module: str, request: Mapping[str, Any], threads: int
) -> Generator[dict[str, Any], None, None]:
    """Run `python -m module` for measuring, and yield what it says, line by line.

    The process ends with the iterator, however that ends.

    Raises:
        DualcostError: the process said so.
        UnmeasuredError: it died.
    """
    with tempfile.TemporaryFile("w+") as complaints:
        with started(module, request, steady(threads), complaints) as process:
            assert process.stdout is not None  # it is a pipe
            yield from map(read, process.stdout)
            code = process.wait()
        if code:
            raise _died(code, complaints)


def read(line: str) -> dict[str, Any]:
    """The event of a line.

    Raises:
        DualcostError: it is one.
    """
    event: dict[str, Any] = json.loads(line)
    if "error" in event:
        raise ERRORS.get(event["error"], DualcostError)(event["message"], event["hint"])
    return event


def serve(answer: Callable[[Any, Say], None]) -> None:
    """Read a request from standard input, and answer it with events on standard output.

    What a user's model prints goes to standard error instead. A DualcostError is the last event.

    Args:
        answer: takes the request, and what writes an event.
    """
    said = os.fdopen(os.dup(STDOUT), "w", buffering=1)
    os.dup2(STDERR, STDOUT)

    def say(event: Event) -> None:
        said.write(json.dumps(event) + "\n")

    try:
        with redirect_stdout(sys.stderr):  # which keeps nothing back until the end
            answer(json.load(sys.stdin), say)
    except DualcostError as error:
        say(_event(error))
    except (KeyboardInterrupt, BrokenPipeError):  # nobody waits for the rest
        sys.exit(ExitCode.INTERRUPTED)


def _event(error: DualcostError) -> dict[str, str]:
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
