"""A terminal of the user's width, and what is written in its place to a file."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console, RenderableType
from rich.table import Table


def plain_table(gap: int = 2) -> Table:
    """A table of aligned columns, this far apart, without lines."""
    return Table(box=None, padding=(0, gap, 0, 0), header_style="dim", pad_edge=False)


def as_text(render: Callable[[int], RenderableType], output: Path | None) -> str:
    """What `render(width)` makes, for the terminal (with its colours) or for a file or pipe.

    What is not a terminal gets plain text, and is wide enough that nothing is folded.
    """
    console = terminal()
    if output is not None or not console.is_terminal:
        width = console.width if "COLUMNS" in os.environ else PIPED_WIDTH
        console = Console(**PLAIN, width=width, color_system=None, force_terminal=False)
    with console.capture() as capture:
        # a line that is not wrapped, such as a command to be copied, is not cut either
        console.print(render(console.width), crop=False)
    return "\n".join(line.rstrip() for line in capture.get().splitlines()) + "\n"


PIPED_WIDTH = 160


PLAIN: dict[str, Any] = {"highlight": False, "emoji": False, "markup": False}


def terminal(stderr: bool = False) -> Console:
    """A console that prints what it is given, and nothing cleverer."""
    return Console(stderr=stderr, **PLAIN)
