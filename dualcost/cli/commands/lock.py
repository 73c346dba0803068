"""`dualcost lock`: what the models cost today, kept in a file that is committed."""

from __future__ import annotations

from typing import Annotated

import typer

from dualcost.cli import candidates
from dualcost.cli.commands.check import ConfigFile, Jobs, configuration
from dualcost.cli.options import Debug, Forms, Output, one_of
from dualcost.cli.output import Form, announce
from dualcost.costs.metrics import KEPT
from dualcost.errors import ExitCode

EXAMPLES = (
    ("dualcost lock", "keep what the models cost today"),
    ("dualcost lock --tighten", "keep only what fell"),
    (
        'dualcost lock --accept params --reason "a wider head, see #12"',
        "let one metric rise, and say why",
    ),
)


def lock(
    out: Annotated[Output, Forms(Form.TABLE, Form.JSON)],
    config: ConfigFile = None,
    tighten: Annotated[
        bool,
        typer.Option("--tighten", help="Lower what fell; raise, add and remove nothing."),
    ] = False,
    accept: Annotated[
        list[str] | None,
        typer.Option(
            help=f"Let {one_of(KEPT)} rise by more than the ratchet allows; may be repeated.",
            metavar="METRIC",
            autocompletion=candidates.metrics,
            show_default=False,
        ),
    ] = None,
    reason: Annotated[
        str, typer.Option(help="Why; it is kept in the file.", metavar="TEXT", show_default=False)
    ] = "",
    jobs: Jobs = 0,
    debug: Debug = False,
) -> None:
    """Write what the models cost now to the lock file.

    What the ratchet guards does not rise unless it is accepted with a reason: then nothing is
    written, and the exit code is 1.
    """
    from dualcost.gate.lock import update
    from dualcost.gate.lockfile import write
    from dualcost.render.lock import update_json, update_table

    target = out.target
    found = update(
        configuration(config),
        tighten=tighten,
        accept=tuple(accept or ()),
        reason=reason,
        jobs=jobs,
        announce=announce,
    )
    if found.needed and not found.refused:
        write(found.after, found.config.baseline)
    target.write(table=lambda width: update_table(found), json=lambda: update_json(found))
    if found.refused:
        raise typer.Exit(ExitCode.FAILED)
