"""`dualcost info`: versions, the machine, and what dualcost keeps there, for a report of a bug."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from dualcost.cli.options import Debug, Forms, Output
from dualcost.cli.output import Form
from dualcost.errors import DualcostError, UnconfiguredError

if TYPE_CHECKING:
    from dualcost.lab.environment import Kept

EXAMPLES = (
    ("dualcost info", "what a report of a bug should say"),
    ("dualcost info --torch", "and what torch says of this machine"),
    ("dualcost info --json", "as JSON"),
)


def info(
    out: Annotated[Output, Forms(Form.TABLE, Form.JSON)],
    torch: Annotated[
        bool,
        typer.Option(
            "--torch", help="Ask torch, too: its build, oneDNN, CUDA; this takes some seconds."
        ),
    ] = False,
    debug: Debug = False,
) -> None:
    """Show versions, machine, cache and calibration.

    It is made to be pasted into a report of a bug: paths under your home folder start with ~.
    """
    from dualcost.lab.environment import environment
    from dualcost.render.info import environment_json, environment_table

    target, machine = out.target, None
    if torch:
        from dualcost.nn.here import best

        machine = best()
    found = environment(configured(), machine)
    target.write(table=lambda width: environment_table(found), json=lambda: environment_json(found))


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
