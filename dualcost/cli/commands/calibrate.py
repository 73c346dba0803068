"""`dualcost calibrate`: learn how fast this machine is, so that latency can be predicted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dualcost.cli.options import Debug, Forms, Output, Time
from dualcost.cli.output import Form, Target, announce
from dualcost.cli.progress import watching

if TYPE_CHECKING:
    from dualcost.latency.calibration import Calibration

EXAMPLES = (
    ("dualcost calibrate", "learn this machine, for `profile --latency`"),
    ("dualcost calibrate --time 2m -o laptop.json", "take longer, and keep it in a file"),
    ("dualcost calibrate --validate", "how far its predictions are off"),
)
STEPS = 1000  # of the bar of progress


def calibrate(
    out: Annotated[
        Output,
        Forms(
            Form.TABLE,
            Form.JSON,
            file="Store the calibration here instead of in the user's data folder.",
        ),
    ],
    time: Time = "60s",
    validate: Annotated[
        bool,
        typer.Option(
            "--validate",
            help="Measure held-out networks instead (some 20 minutes), and print how far the "
            "stored calibration's predictions are off.",
        ),
    ] = False,
    debug: Debug = False,
) -> None:
    """Measure this machine, so that latency can be predicted.

    One thread, float32, eager, both memory formats. What was stored before stays as it was until
    the new calibration is complete.
    """
    from dualcost.files import check_writable
    from dualcost.latency.calibration import default_path
    from dualcost.units import parse_duration

    budget_s, summary = parse_duration(time), out.summary
    path = out.output or default_path()
    if validate:
        _validate(out.output, summary)
        return
    if out.output is not None:
        check_writable(path)
    calibration = _calibrated(budget_s, path)
    from dualcost.render.calibrate import calibration_json, calibration_table

    summary.write(
        table=lambda width: calibration_table(calibration, path),
        json=lambda: calibration_json(calibration, path),
    )


def _calibrated(budget_s: float, path: Path) -> Calibration:
    """Measure, fit and store.

    Raises:
        UnmeasuredError: this torch has no oneDNN, or the measuring process died.
        OutputError: the file cannot be written.
    """
    from dualcost.lab.calibrate import calibrate as measure
    from dualcost.latency.calibration import write

    announce(f"measuring this machine, for about {budget_s:.0f} s")
    done = 0
    with watching(STEPS, "measuring") as (advance, _):

        def watch(share: float) -> None:
            nonlocal done
            steps = round(share * STEPS) - done
            advance(steps)
            done += steps

        calibration = measure(budget_s, watch)
    write(calibration, path)
    return calibration


def _validate(path: Path | None, summary: Target) -> None:
    """Print the held-out error of a stored calibration of this machine."""
    from dualcost.lab.validate import HELD_OUT, ROUNDS
    from dualcost.lab.validate import validate as measure
    from dualcost.latency.calibration import FORMATS, check_machine, read
    from dualcost.nn.here import here
    from dualcost.render.calibrate import validation_json, validation_table

    calibration = read(path)
    check_machine(calibration, here(calibration.machine.threads))
    with watching(len(HELD_OUT) * len(FORMATS) * ROUNDS, "measuring") as (advance, say):

        def watch(names: str) -> None:
            say(names)
            advance(1)

        validation = measure(calibration, watch)
    summary.write(
        table=lambda width: validation_table(validation),
        json=lambda: validation_json(validation),
    )
