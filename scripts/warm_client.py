"""What stands in for `python`, `dualcost` and `pytest` where a warm Python runs them.

`main(socket, word, ...)` is `python word ...`, run by the process that listens on the socket (see
`warm_python`): it gets the words, folder, environment and standard streams of this one, which ends
as that one ends. What a warm Python cannot do as a fresh one would, a fresh one does. `warm_python`
writes executables of this text; they start for every command, and import next to nothing.
"""

import _socket
import array
import marshal
import os
import signal
import sys

NUMBER = 8  # the bytes of one
MODULES = ("dualcost", "pytest")
# what a warm one heeds, too
READ_LATE = ("PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "PYTHONUNBUFFERED")
STREAMS = (0, 1, 2)


def is_for_a_warm_one(words: list[str]) -> bool:
    """Whether a Python that runs already would do the same as a fresh one."""
    if any(name.startswith("PYTHON") and name not in READ_LATE for name in os.environ):
        return False
    # a warm one can import anew what it finds there, but not what Python itself consists of
    for folder in filter(os.path.isdir, os.environ.get("PYTHONPATH", "").split(os.pathsep)):
        if sys.stdlib_module_names & {name.removesuffix(".py") for name in os.listdir(folder)}:
            return False
    locale = next((os.environ[n] for n in ("LC_ALL", "LC_CTYPE", "LANG") if os.environ.get(n)), "C")
    if locale not in ("C", "POSIX") and not locale.upper().replace("-", "").endswith("UTF8"):
        return False
    # the streams are handed on, and no other file; one is the folder that is listed here
    if len(os.listdir("/dev/fd")) != len(STREAMS) + 1:
        return False
    match words:
        case [script, *_] if script in (f"{os.path.dirname(sys.executable)}/{m}" for m in MODULES):
            return True
        case ["-c", _, *_] | ["-P", "-c", _, *_]:
            return True
        case ["-m", module, *_] | ["-P", "-m", module, *_]:
            return module.partition(".")[0] in MODULES
    return False


def hand_on(address: str, words: list[str]) -> int:
    """Let the warm one run it; its exit code, negative for a signal."""
    umask = os.umask(0)
    os.umask(umask)
    request = marshal.dumps((words, os.getcwd(), umask, dict(os.environ)))
    door = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    door.connect(address)
    streams = (_socket.SOL_SOCKET, _socket.SCM_RIGHTS, array.array("i", STREAMS))
    door.sendmsg([len(request).to_bytes(NUMBER, "big")], [streams])
    door.sendall(request)
    answer = door.recv(NUMBER)
    if not answer:
        sys.exit("the warm Python is gone")
    return int.from_bytes(answer, "big", signed=True)


def main(address: str, *words: str) -> None:
    """Run a command, and end as it ends."""
    if not is_for_a_warm_one([*words]):
        os.execv(sys.executable, [sys.executable, *words])
    code = hand_on(address, [*words])
    if code < 0:
        if -code != signal.SIGKILL:
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)
