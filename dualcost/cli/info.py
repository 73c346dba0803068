"""`dualcost info`: versions, the machine, and what dualcost keeps there, for a report of a bug."""

from __future__ import annotations

from typing import Annotated

import typer

from dualcost.cli import options
from dualcost.cli.output import deliver

EXAMPLES = (
    ("dualcost info", "what a report of a bug should say"),
    ("dualcost info --torch", "and what torch says of this machine"),
    ("dualcost info --json", "as JSON"),
)


def info(
    torch: Annotated[
        bool,
        typer.Option(
            "--torch", help="Ask torch, too: its build, oneDNN, CUDA; this takes some seconds."
        ),
    ] = False,
    json: options.Json = False,
    output: options.Output = None,
    debug: options.Debug = False,
) -> None:
    """Show versions, machine, cache and calibration.

    It is made to be pasted into a report of a bug: paths under your home folder start with ~.
    """
    from dualcost.environment import environment
    from dualcost.render.environment import environment_json, environment_table
    from dualcost.render.table import as_text

    machine = None
    if torch:
        from dualcost.nn.machine import best

        machine = best()
    found = environment(machine)
    if json:
        deliver(environment_json(found), output)
    else:
        deliver(as_text(lambda width: environment_table(found), output), output)
