"""What all figures share: the style, how a point looks, and how they are saved."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dualcost.errors import UsageError
from dualcost.files import write_atomically
from dualcost.kinds.kinds import KINDS
from dualcost.kinds.look import Look

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ORIGINAL = Look("#000000", "*", "★", label=(0, 8, "center"))  # a network as it is
FRONT = "#D55E00"  # the Pareto front; of the colours that no kind has
# A range in which doubling G moves a point by the same step is best seen on a logarithmic axis.
WIDE = 5
FORMATS = ("png", "svg", "pdf")

STYLE: dict[str, Any] = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "legend.frameon": False,
    "figure.dpi": 100,
    "savefig.dpi": 200,
    # text stays text, and the same figure gives the same file
    "svg.fonttype": "none",
    "svg.hashsalt": "dualcost",
}


def look_of(conv: str) -> Look:
    """How a point with that kind is drawn; of "", how a network as it is."""
    return KINDS[conv].look if conv else ORIGINAL


@contextmanager
def drawing() -> Iterator[None]:
    """Our style while figures are drawn and saved; matplotlib's own settings come back."""
    import matplotlib

    settings: Any = STYLE  # matplotlib's types list each setting by its name
    with matplotlib.rc_context(settings):
        yield


def new_figure(width: float, height: float) -> Figure:
    """An empty figure, inches wide and high, without any display."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def check_format(path: Path) -> str:
    """The format that a file's ending says; asked before a figure is drawn.

    Raises:
        UsageError: the ending is not one of FORMATS.
    """
    format = path.suffix.removeprefix(".").lower()
    if format not in FORMATS:
        raise UsageError(
            f"{path} does not end in a format of figures", f"endings: .{', .'.join(FORMATS)}"
        )
    return format


def save(figure: Figure, path: Path) -> None:
    """Write a figure, in the format that the file's ending says.

    Raises:
        UsageError: the ending is not one of FORMATS.
        OutputError: the file cannot be written.
    """
    format = check_format(path)
    content = io.BytesIO()
    # a date in the file would make each run another file
    dated = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(format)
    figure.savefig(content, format=format, metadata=dated)
    write_atomically(path, content.getvalue())
