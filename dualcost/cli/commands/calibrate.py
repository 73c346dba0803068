"""`dualcost calibrate`: learn how fast this machine is, so that latency can be predicted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dualcost.cli import options
from dualcost.cli.output import announce, deliver
from dualcost.cli.progress import watching

if TYPE_CHECKING:
    from dualcost.latency.calibration import Calibration

EXAMPLES = (
    ("dualcost calibrate", "learn this machine, for `profile --latency`"),
    ("dualcost calibrate --budget 2m -o laptop.json", "take longer, and keep it in a file"),
    ("dualcost calibrate --validate", "how far its predictions are off"),
)
STEPS = 1000  # of the bar of progress


def calibrate(
    budget: Annotated[
        str, typer.Option(help="It takes about so long in all.", metavar="TIME")
    ] = "60s",
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Store the calibration here instead of in the user's data folder.",
            rich_help_panel=options.OUTPUT,
            show_default=False,
        ),
    ] = None,
    validate: Annotated[
        bool,
        typer.Option(
            "--validate",
            help="Measure held-out networks instead (some 20 minutes), and print how far the "
            "stored calibration's predictions are off.",
        ),
    ] = False,
    json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Measure this machine, so that latency can be predicted.

    One thread, float32, eager, both memory formats. What was stored before stays as it was until
    the new calibration is complete.
    """
    from dualcost.files import check_writable
    from dualcost.latency.calibration import default_path
    from dualcost.units import parse_duration

    budget_s = parse_duration(budget)
    path = output or default_path()
    if validate:
        _validate(output, json)
        return
    if output is not None:
        check_writable(output)
    calibration = _calibrated(budget_s, path)
    from dualcost.render.calibrate import calibration_json, calibration_table
    from dualcost.render.terminal import as_text

    if json:
        deliver(calibration_json(calibration, path), None)
    else:
        deliver(as_text(lambda width: calibration_table(calibration, path), None), None)


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


def _validate(path: Path | None, json: bool) -> None:
    """Print the held-out error of a stored calibration of this machine."""
    from dualcost.lab.validate import HELD_OUT, ROUNDS
    from dualcost.lab.validate import validate as measure
    from dualcost.latency.calibration import FORMATS, check_machine, read
    from dualcost.nn.here import here
    from dualcost.render.calibrate import validation_json, validation_table
    from dualcost.render.terminal import as_text

    calibration = read(path)
    check_machine(calibration, here(calibration.machine.threads))
    with watching(len(HELD_OUT) * len(FORMATS) * ROUNDS, "measuring") as (advance, say):

        def watch(names: str) -> None:
            say(names)
            advance(1)

        validation = measure(calibration, watch)
    if json:
        deliver(validation_json(validation), None)
    else:
        deliver(as_text(lambda width: validation_table(validation), None), None)
