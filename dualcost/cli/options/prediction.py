"""Whether times are predicted, and by what."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dualcost.cli.options.option import LATENCY
from dualcost.cli.options.told import Without
from dualcost.errors import UsageError

if TYPE_CHECKING:
    from dualcost.latency.calibration import Calibration


@dataclass(frozen=True)
class Prediction:
    """Whether times are predicted, and by what."""

    latency: Annotated[
        bool | None,
        typer.Option(
            "--latency/--no-latency",
            help="Predict how long it takes on this machine (see `calibrate`), or do not.",
            rich_help_panel=LATENCY,
            show_default=False,
        ),
    ] = None
    calibration: Annotated[
        Path | None,
        typer.Option(
            "--calibration",
            help="Predict by this file instead of this machine's.",
            metavar="FILE",
            rich_help_panel=LATENCY,
            show_default=False,
        ),
    ] = None
    any_machine: Annotated[
        bool,
        typer.Option(
            "--any-machine",
            help="Take a calibration of another machine, too.",
            rich_help_panel=LATENCY,
        ),
    ] = False
    channels_last: Annotated[
        bool,
        typer.Option("--channels-last", help="In this memory format.", rich_help_panel=LATENCY),
    ] = False
    told: Without | None = None

    @property
    def said(self) -> list[str]:
        """The options that say how to predict."""
        given = {
            "--calibration": self.calibration is not None,
            "--any-machine": self.any_machine,
            "--channels-last": self.channels_last,
        }
        return [option for option, present in given.items() if present]

    def read(self) -> Calibration:
        """The calibration of the file, or this machine's.

        Raises:
            UsageError: the file cannot be read, or it is of another machine, and that is not
                allowed.
            UnmeasuredError: this machine has not been calibrated.
        """
        from dualcost.latency.calibration import check_machine, read

        found = read(self.calibration)
        if not self.any_machine:
            from dualcost.nn.here import here

            check_machine(found, here(found.machine.threads))
        return found

    def wanted(self, hint: str = "add --latency") -> Calibration | None:
        """The calibration if --latency asks for one, else None.

        Raises:
            UsageError: what says how to predict stands where nothing is predicted, or as `read`.
            UnmeasuredError: as `read`.
        """
        if self.latency:
            return self.read()
        for option in self.said:
            raise UsageError(f"{option} says how to predict a time", hint)
        return None
