"""How tests call a command: the type of the fixture in conftest.py."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

FRESH = sys.executable  # a Python that has imported nothing, even where others are warm

# the words of a command → exit code, standard output, standard error
Command = Callable[..., tuple[int, str, str]]


def in_a_process(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [FRESH, *arguments],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
