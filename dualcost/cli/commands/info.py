"""`dualcost info`: versions, the machine, and what dualcost keeps there, for a report of a bug."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from dualcost.cli import options
from dualcost.cli.output import deliver
from dualcost.errors import DualcostError, UnconfiguredError

if TYPE_CHECKING:
    from dualcost.lab.environment import Kept

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
    from dualcost.lab.environment import environment
    from dualcost.render.info import environment_json, environment_table
    from dualcost.render.terminal import as_text

    machine = None
    if torch:
        from dualcost.nn.here import best

        machine = best()
    found = environment(configured(), machine)
    if json:
        deliver(environment_json(found), output)
    else:
        deliver(as_text(lambda width: environment_table(found), output), output)


def configured() -> Kept:
    """The budgets of this folder."""
    from dualcost.gate import config
    from dualcost.lab.environment import NONE, Kept, shown

    try:
        path = config.find()
        models = len(config.read(path).models)
    except UnconfiguredError:
        return Kept("", NONE)
    except DualcostError:
        return Kept("", "does not fit: see `dualcost check`")
    return Kept(shown(path), f"{models} model{'s' * (models != 1)}", path.stat().st_size)
