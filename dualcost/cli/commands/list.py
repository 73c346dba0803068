"""`dualcost list`: the networks that are known by name."""

from __future__ import annotations

from typing import Annotated

import typer

from dualcost.cli import candidates
from dualcost.cli.options import Debug, Forms, Output, Unit, View, Without
from dualcost.cli.output import Form, announce

EXAMPLES = (
    ("dualcost list", "all of them"),
    ("dualcost list 'resnet*'", "those that fit a pattern"),
    ("dualcost list 'zoo:*' --json", "the paper's networks, as JSON"),
)


def list_networks(
    view: Annotated[View, Without(depth="networks have no depth here")],
    out: Annotated[Output, Forms(Form.TABLE, Form.JSON, Form.CSV)],
    pattern: Annotated[
        str,
        typer.Argument(
            help="A glob of names, such as 'resnet*' or 'zoo:*'; or an exported model.pt2.",
            metavar="GLOB",
            autocompletion=candidates.patterns,
        ),
    ] = "*",
    unit: Unit = "auto",
    debug: Debug = False,
) -> None:
    """List the networks known by name.

    Each with its input, parameters and MACs.
    """
    from dualcost.errors import UnknownNameError
    from dualcost.library import networks as library
    from dualcost.nn.formats import EXPORTED
    from dualcost.units import check_unit

    check_unit(unit)
    target = out.target
    headers = library.headers()
    if pattern.endswith(EXPORTED):
        from dualcost.network.tracefile import header_of

        found = [header_of(library.load(pattern, announce=announce))]
    else:
        found = [header for header in headers if library.matches(header.name, pattern)]
    if not found:
        names = {header.name.partition(":")[2] for header in headers}
        raise UnknownNameError("network", pattern, names, "`dualcost list` shows all")
    from dualcost.render.list import networks_csv, networks_json, networks_table, ordered

    shown = ordered(found, view.sort, view.top or 0)
    target.write(
        table=lambda width: networks_table(shown, unit),
        json=lambda: networks_json(shown),
        csv=lambda: networks_csv(shown),
    )
