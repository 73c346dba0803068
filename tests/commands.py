"""How tests call a command: the type of the fixture in conftest.py."""

from __future__ import annotations

from collections.abc import Callable

# the words of a command → exit code, standard output, standard error
Command = Callable[..., tuple[int, str, str]]
