"""Single options that commands share, the panels that they stand in, and a number in one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import typer

from dualcost.cli import candidates
from dualcost.errors import UsageError

INPUT, COUNTED = "Which input", "What is counted"
REWRITE = "What if"
LATENCY = "How long it takes"
VIEW, OUTPUT = "Which rows", "Output"


def one_of(names: Iterable[str]) -> str:
    """Names in a help text: "macs, params or traffic"."""
    *others, last = names
    return f"{', '.join(others)} or {last}" if others else last


MODEL_FORMS = (
    "resnet50, torchvision:NAME, zoo:NAME, timm:NAME, path/to/file.py:factory, "
    "package.module:factory, or an exported model.pt2"
)
Model = Annotated[
    str,
    typer.Argument(
        help=f"{MODEL_FORMS}; MODEL+dual:G=4 with a rewrite. `dualcost list` shows the names.",
        metavar="MODEL",
        autocompletion=candidates.models,
        show_default=False,
    ),
]
Unit = Annotated[
    str,
    typer.Option(
        help="auto, 1 (exact), K, M, G or T.",
        metavar="UNIT",
        autocompletion=candidates.units,
        rich_help_panel=OUTPUT,
    ),
]
Time = Annotated[
    str,
    typer.Option(
        "--time", help="End after so much measuring.", metavar="TIME", rich_help_panel=LATENCY
    ),
]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]


def single(text: str | None, option: str) -> int | None:
    """The one positive number of an option.

    Raises:
        UsageError: it is none, or there are several.
    """
    from dualcost.units import span

    if text is None:
        return None
    numbers = span(text, option)
    if len(numbers) != 1:
        raise UsageError(
            f"{option} {text} are several, and this takes one", f"{option} {numbers[0]}"
        )
    return numbers[0]
