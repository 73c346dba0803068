"""A Python that has imported torch and all else that is heavy, and forks for each command.

    with warm_python() as executable:
        subprocess.run([executable, "-m", "dualcost", ...])

prints what a fresh Python prints, without the seconds that it takes to import torch: the executable
is a client (`warm_client`) of one process, which has imported much, computed nothing and started no
thread. Each command is a fork of it, with the client's folder, environment and streams. Commands of
those commands are so, too. Beside the executable lie `dualcost` and `pytest`, for a shell.

    python warm_python.py DESCRIPTOR EXECUTABLE

is that process. Where no process can be forked, the executable is that of a fresh Python.
"""

from __future__ import annotations

import atexit
import gc
import io
import marshal
import os
import pkgutil
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import NoReturn

from warm_client import MODULES, NUMBER, STREAMS

HEAVY = (
    *("torch", "torch._dynamo", "torchvision", "fvcore.nn"),
    *("sympy", "scipy.optimize", "matplotlib.pyplot"),
)
CLIENT = Path(__file__).with_name("warm_client.py")


@contextmanager
def warm_python() -> Iterator[str]:
    """The path of an executable that starts warm, while this lasts."""
    if not hasattr(os, "fork"):
        yield sys.executable
        return
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        with socket.socket(socket.AF_UNIX) as door:
            door.bind(f"{folder}/socket")
            door.listen()
            process = _started(door, folder)
        with process:
            yield f"{folder}/python"


def _started(door: socket.socket, folder: Path) -> subprocess.Popen[bytes]:
    for name in ("python", *MODULES):
        script = [] if name == "python" else [str(Path(sys.executable).parent / name)]
        call = f"main(*{[f'{folder}/socket', *script]}, *sys.argv[1:])"
        path = folder / name
        path.write_text(f"#!{sys.executable} -IS\n{CLIENT.read_text()}\n\n{call}\n")
        path.chmod(0o755)
    # what coverage is to count, and how many threads there are, a fork of it says
    of_forks = ("COVERAGE_", "PYTHON", "OMP_")
    plain = {k: v for k, v in os.environ.items() if not k.startswith(of_forks)}
    return subprocess.Popen(
        [sys.executable, __file__, f"{door.fileno()}", f"{folder}/python"],
        pass_fds=[door.fileno()],
        stdin=subprocess.PIPE,  # when it ends, so has the process at its other end
        stdout=subprocess.DEVNULL,
        env=plain | {"OPENBLAS_NUM_THREADS": "1"},  # or numpy would start others
        start_new_session=True,
    )


@dataclass(frozen=True)
class Call:
    """One call of Python: its words after `python`, and what surrounds it."""

    words: list[str]
    folder: str
    umask: int
    environment: dict[str, str]

    def run(self) -> None:
        """Become a Python that was called so."""
        os.chdir(self.folder)
        os.umask(self.umask)
        os.environ.clear()
        os.environ.update(self.environment)
        sys.dont_write_bytecode = bool(os.environ.get("PYTHONDONTWRITEBYTECODE"))
        is_unbuffered = bool(os.environ.get("PYTHONUNBUFFERED"))
        for name in ("stdout", "stderr"):
            setattr(sys, name, _stream(getattr(sys, f"__{name}__"), is_unbuffered))
        if threads := os.environ.get("OMP_NUM_THREADS"):  # which is read when torch is loaded
            import torch

            torch.set_num_threads(int(threads))
        if any(name.startswith("COVERAGE_") for name in os.environ):
            import coverage

            coverage.process_startup()
        main = sys.modules["__main__"] = ModuleType("__main__")
        is_safe = self.words[0] == "-P"
        first, *rest = self.words[is_safe:]
        try:
            if first == "-m":
                self._see(["-m", *rest[1:]], None if is_safe else self.folder)
                _forget(rest[0])
                runpy._run_module_as_main(rest[0])  # type: ignore[attr-defined]  # as `-m` does
            elif first == "-c":
                self._see(["-c", *rest[1:]], None if is_safe else "")
                exec(compile(rest[0], "<string>", "exec"), vars(main))
            else:
                self._see([first, *rest], str(Path(first).parent))
                _forget(Path(first).name)
                main.__file__ = first
                exec(compile(Path(first).read_bytes(), first, "exec"), vars(main))
        except SystemExit as error:
            _leave(error.code)
        except BaseException as error:
            here = error.__traceback__
            sys.excepthook(type(error), error.with_traceback(here and here.tb_next), None)
            _leave(1)
        _leave(None)

    def _see(self, words: list[str], first: str | None) -> None:
        """Have these arguments; find modules in this folder, then in those of PYTHONPATH."""
        sys.argv = words
        named = self.environment.get("PYTHONPATH")
        folders = [Path(folder).absolute() for folder in named.split(os.pathsep)] if named else []
        found = dict.fromkeys([*map(str, folders), *sys.path[1:]])
        sys.path[:] = [*([] if first is None else [first]), *found]
        anew = {path.stem for folder in folders if folder.is_dir() for path in folder.iterdir()}
        for name in [*sys.modules]:
            if name.partition(".")[0] in anew:
                del sys.modules[name]


def _forget(program: str) -> None:
    """Let a module that is run be imported anew; pytest imports what holds a plugin by itself."""
    for name in [*sys.modules]:
        if name == program != "dualcost" or (
            program == "pytest" and name.partition(".")[0] == "dualcost"
        ):
            del sys.modules[name]


def _leave(code: object) -> NoReturn:
    """End as a Python ends, but for taking to pieces what was imported, which takes seconds."""
    if code is not None and not isinstance(code, int):
        print(code, file=sys.stderr)
        code = 1
    for thread in threading.enumerate():
        if thread is not threading.main_thread() and not thread.daemon:
            thread.join()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code or 0)


def _stream(stream: io.TextIOWrapper, is_unbuffered: bool) -> io.TextIOWrapper:
    """A standard stream as Python opens it at its start."""
    if not is_unbuffered:
        stream.reconfigure(line_buffering=stream.line_buffering or stream.isatty())
        return stream
    raw = io.FileIO(stream.fileno(), "w", closefd=False)
    raw.name = stream.name
    return io.TextIOWrapper(raw, stream.encoding, stream.errors, write_through=True)


def next_call(door: socket.socket) -> Call:
    """Fork for each that comes, and return in the fork; others are told how theirs ended."""
    waiting: dict[int, socket.socket] = {}  # the client of each process that runs
    ended, waker = socket.socketpair()
    waker.setblocking(False)
    signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    doors: list[socket.socket | int] = [door, 0]
    while doors or waiting:
        ready = select.select([*doors, ended, *waiting.values()], [], [])[0]
        if 0 in ready:
            doors = []
        if ended in ready:
            ended.recv(1024)
            _tell(waiting)
        for process, client in waiting.items():
            if client in ready:  # it says nothing more, so it ended
                os.kill(process, signal.SIGKILL)
        if door not in ready or not doors:
            continue
        client, _ = door.accept()
        try:
            call, streams = _received(client)
        except (EOFError, ValueError, OSError):  # it ended before it had said all
            client.close()
            continue
        process = os.fork()
        if not process:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for stream, number in zip(streams, STREAMS, strict=True):
                os.dup2(stream, number)
            for other in (door, client, ended, waker, *waiting.values()):
                other.close()
        for stream in streams:
            os.close(stream)
        if not process:
            return call
        waiting[process] = client
    os._exit(0)


def _tell(waiting: dict[int, socket.socket]) -> None:
    """Send each client whose process has ended its exit code."""
    for process in [*waiting]:
        number, status = os.waitpid(process, os.WNOHANG)
        if number:
            code = os.waitstatus_to_exitcode(status)
            with waiting.pop(process) as client, suppress(BrokenPipeError):  # it ended first
                client.sendall(code.to_bytes(NUMBER, "big", signed=True))


def _received(client: socket.socket) -> tuple[Call, list[int]]:
    size, streams, _, _ = socket.recv_fds(client, NUMBER, len(STREAMS))
    with client.makefile("rb") as file:
        return Call(*marshal.loads(file.read(int.from_bytes(size, "big")))), streams


def main(descriptor: str, executable: str) -> None:
    """Import what is heavy, and be forked."""
    door = socket.socket(fileno=int(descriptor))
    with redirect_stderr(io.StringIO()):  # warnings of what is imported
        for name in HEAVY:
            import_module(name)
        import dualcost

        for module in pkgutil.walk_packages(dualcost.__path__, "dualcost."):
            if module.name != "dualcost.__main__":
                import_module(module.name)
    sys.executable = executable
    gc.freeze()  # so that a fork does not copy what its collector looks at
    next_call(door).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
