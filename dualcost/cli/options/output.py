"""What form a result has, and where it goes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated

import typer

from dualcost.cli.options.option import OUTPUT
from dualcost.cli.options.told import Forms
from dualcost.cli.output import Form, Target
from dualcost.errors import UsageError


@dataclass(frozen=True)
class Output:
    """What form the result has, and where it goes."""

    format: Annotated[
        str,
        typer.Option(
            metavar="FORM",
            rich_help_panel=OUTPUT,
            show_default=False,
        ),
    ] = ""
    json: Annotated[
        bool, typer.Option("--json", help="The same as --format json.", rich_help_panel=OUTPUT)
    ] = False
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Write to this file; its ending says the form.",
            metavar="FILE",
            rich_help_panel=OUTPUT,
            show_default=False,
        ),
    ] = None
    told: Forms | None = None

    @cached_property
    def target(self) -> Target:
        """The form and the file; asked before any work.

        Raises:
            UsageError: they do not fit the command, or each other.
            OutputError: the file cannot be written.
        """
        return self._to(self.output)

    @cached_property
    def summary(self) -> Target:
        """The form of what is printed by a command whose file is something else, such as a model.

        Raises:
            UsageError: the words do not fit the command, or each other.
        """
        return self._to(None)

    def _to(self, path: Path | None) -> Target:
        assert self.told is not None
        said = self.format
        if self.json and said not in ("", Form.JSON):
            raise UsageError(f"--json and --format {said} exclude each other", "choose one")
        return Target.of(self.told.forms, Form.JSON if self.json else said, path)
