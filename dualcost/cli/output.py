"""Where a command's words go: results to standard output or a file, all else to standard error."""

from __future__ import annotations

import sys
from pathlib import Path

from dualcost.files import write_atomically


def complain(message: str, hint: str = "") -> None:
    """One clear message on standard error, with what to do next."""
    _say("error", message, "bold red")
    if hint:
        _say("hint", hint, "bold green")


def announce(message: str) -> None:
    """What takes a while, on standard error, so that results stay clean."""
    _say("dualcost", message, "dim")


def _say(label: str, message: str, style: str) -> None:
    if not sys.stderr.isatty():  # rich takes a while to import, and would add nothing
        print(f"{label}: {message}", file=sys.stderr)
        return
    from rich.text import Text

    from dualcost.render.terminal import terminal

    terminal(stderr=True).print(Text(f"{label}: ", style=style).append(message, style="default"))


def deliver(text: str, output: Path | None) -> None:
    """Write a result to a file, whole or not at all, or to standard output.

    Raises:
        OutputError: the file cannot be written.
    """
    if output is None:
        try:
            sys.stdout.write(text)
        except UnicodeEncodeError:
            from dualcost.render.glyphs import encodable

            sys.stdout.write(encodable(text, sys.stdout.encoding))
    else:
        write_atomically(output, text.encode())
        announce(f"wrote {output}")
