"""`dualcost lock`: what the models cost today, kept in a file that is committed."""

from __future__ import annotations

from typing import Annotated

import typer

from dualcost.cli import candidates, options
from dualcost.cli.commands.check import ConfigFile, Jobs, configuration
from dualcost.cli.output import announce, deliver
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
    config: ConfigFile = None,
    tighten: Annotated[
        bool,
        typer.Option("--tighten", help="Lower what fell; raise, add and remove nothing."),
    ] = False,
    accept: Annotated[
        list[str] | None,
        typer.Option(
            help=f"Let {options.one_of(KEPT)} rise by more than the ratchet allows; may be "
            "repeated.",
            metavar="METRIC",
            autocompletion=candidates.metrics,
            show_default=False,
        ),
    ] = None,
    reason: Annotated[
        str, typer.Option(help="Why; it is kept in the file.", metavar="TEXT", show_default=False)
    ] = "",
    jobs: Jobs = 0,
    json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Write what the models cost now to the lock file.

    What the ratchet guards does not rise unless it is accepted with a reason: then nothing is
    written, and the exit code is 1.
    """
    from dualcost.gate.lock import update
    from dualcost.gate.lockfile import write
    from dualcost.render.lock import update_json, update_table
    from dualcost.render.terminal import as_text

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
    deliver(update_json(found) if json else as_text(lambda width: update_table(found), None), None)
    if found.refused:
        raise typer.Exit(ExitCode.FAILED)
