"""Which rows of a table, and in which order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

from dualcost.cli import candidates
from dualcost.cli.options.option import VIEW
from dualcost.cli.options.told import Without


@dataclass(frozen=True)
class View:
    """Which rows of a table, and in which order."""

    sort: Annotated[
        str,
        typer.Option(
            help="By which metric, the largest first; order, path, saved or time, too.",
            metavar="ORDER",
            autocompletion=candidates.sorts,
            rich_help_panel=VIEW,
            show_default=False,
        ),
    ] = ""
    top: Annotated[
        int | None,
        typer.Option(
            help="This many rows, and the rest in one; 0: all.",
            metavar="NUMBER",
            rich_help_panel=VIEW,
            show_default=False,
        ),
    ] = None
    depth: Annotated[
        int | None,
        typer.Option(
            help="A tree of modules down to this depth, each with its sum.",
            metavar="NUMBER",
            rich_help_panel=VIEW,
            show_default=False,
        ),
    ] = None
    told: Without | None = None
