"""A bash in a terminal of its own, in which a person types and presses the tab key."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
from pathlib import Path

SILENCE_S = 60  # a machine may be busy; nothing is asserted of times
END = b"\4"
WORD = re.compile(r"«([^«»]*)»")


def completed(typed: str, folder: Path) -> list[str]:
    """The words of a line after the tab key, as bash would run them.

    The line is not run: `printf` is put before it, and prints the words.
    """
    ours, theirs = pty.openpty()
    environment = {
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "TERM": "dumb",
        "INPUTRC": os.devnull,
        "PS1": "",
    }
    bash = subprocess.Popen(
        ["bash", "--norc", "--noprofile", "-i"],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=folder,
        env=environment,
        start_new_session=True,
    )
    os.close(theirs)
    show = "show() { printf '\\302\\253%s\\302\\273' \"$@\"; printf '\\4'; exit; }"
    script = 'eval "$(_DUALCOST_COMPLETE=source_bash dualcost)"'
    # Ctrl-A and Ctrl-E go to the start and the end of the line
    os.write(ours, f"{show}; {script}; stty -echo\n{typed}\t\x01show \x05\n".encode())
    printed = b""
    while END not in printed and select.select([ours], [], [], SILENCE_S)[0]:
        try:
            printed += os.read(ours, 65536)
        except OSError:  # it has ended, and its terminal with it
            break
    bash.kill()
    bash.wait()
    os.close(ours)
    return WORD.findall(printed.decode())
