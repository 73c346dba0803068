"""Where a command's words go: results to standard output or a file, all else to standard error."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dualcost.errors import UnknownNameError, UsageError
from dualcost.files import check_writable, write_atomically

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Form(StrEnum):
    """What a result is written as."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    MARKDOWN = "markdown"
    LATEX = "latex"
    PYTHON = "python"
    HTML = "html"
    FIGURE = "figure"


# the endings of files of each form, the usual one first
ENDINGS: dict[Form, tuple[str, ...]] = {
    Form.TABLE: (".txt", ".log"),
    Form.JSON: (".json",),
    Form.CSV: (".csv",),
    Form.MARKDOWN: (".md", ".markdown"),
    Form.LATEX: (".tex",),
    Form.PYTHON: (".py",),
    Form.HTML: (".html", ".htm"),
    Form.FIGURE: (".png", ".svg", ".pdf"),
}
OTHERWISE = {"text": Form.TABLE}  # what else a form may be called, besides its endings


@dataclass(frozen=True)
class Target:
    """The form of a result, and its file; None is standard output."""

    form: Form
    path: Path | None = None

    @classmethod
    def of(cls, forms: tuple[Form, ...], said: str, path: Path | None) -> Target:
        """What the words of a user ask for.

        Args:
            forms: those that the command can write, the usual one first.
            said: the name of a form; "" for that of the file's ending, or else the usual one.
            path: the file; None for standard output.

        Raises:
            UnknownNameError: the command writes no such form.
            UsageError: the file's ending is of another form, or of none that the command writes.
            OutputError: the file cannot be written.
        """
        known = {name: form for form in forms for name in _names(form)}
        if said and said not in known:
            raise UnknownNameError("form of output", said, known, f"forms: {', '.join(forms)}")
        ending = path.suffix.lower() if path else ""
        by_ending = next((form for form, endings in ENDINGS.items() if ending in endings), None)
        form = known[said] if said else by_ending if ending else forms[0]
        if form not in forms:
            endings = [ending for form in forms for ending in ENDINGS[form]]
            raise UsageError(
                f"{path} ends in what this cannot write", f"endings: {', '.join(endings)}"
            )
        if ending and by_ending not in (form, None):
            raise UsageError(f"{path} does not end as {form} does", f"end it in {ENDINGS[form][0]}")
        if form is Form.FIGURE and by_ending is not form:
            usual = " or ".join(ENDINGS[form])
            raise UsageError("a figure needs a file", f"add -o FILE that ends in {usual}")
        if path:
            check_writable(path)
        return cls(form, path)

    def write(self, **writers: Callable[..., Any]) -> None:
        """Write the result by the writer of its form.

        Args:
            writers: by the name of their form. That of a table takes a width and returns what
                rich prints, that of a figure returns a figure; others return text.

        Raises:
            OutputError: the file cannot be written.
        """
        writer = writers[self.form]
        if self.form is Form.TABLE:
            from dualcost.render.terminal import as_text

            deliver(as_text(writer, self.path), self.path)
        elif self.form is Form.FIGURE and self.path:
            draw(writer, self.path)
        else:
            deliver(writer(), self.path)


def _names(form: Form) -> tuple[str, ...]:
    """What a form may be called: by its name, and by the endings of its files."""
    endings = (ending.removeprefix(".") for ending in ENDINGS[form])
    return (form, *endings, *(name for name, other in OTHERWISE.items() if other is form))


def draw(figure: Callable[[], Figure], *paths: Path) -> None:
    """Draw a figure in our style, and write it to files.

    Raises:
        OutputError: the file cannot be written.
    """
    from dualcost.render.figure import drawing, save

    with drawing():
        drawn = figure()
        for path in paths:
            save(drawn, path)
            announce(f"wrote {path}")


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
        sys.stdout.flush()  # what is announced next comes after it
    else:
        write_atomically(output, text.encode())
        announce(f"wrote {output}")
