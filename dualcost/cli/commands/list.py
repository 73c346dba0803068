"""`dualcost list`: the networks that are known by name."""

from __future__ import annotations

from typing import Annotated

import typer

from dualcost.cli import candidates, options
from dualcost.cli.output import announce, deliver

EXAMPLES = (
    ("dualcost list", "all of them"),
    ("dualcost list 'resnet*'", "those that fit a pattern"),
    ("dualcost list 'zoo:*' --json", "the paper's networks, as JSON"),
)


def list_networks(
    pattern: Annotated[
        str,
        typer.Argument(
            help="A glob of names, such as 'resnet*' or 'zoo:*'; or an exported model.pt2.",
            metavar="GLOB",
            autocompletion=candidates.patterns,
        ),
    ] = "*",
    json: options.Json = False,
    unit: options.Unit = "auto",
    debug: options.Debug = False,
) -> None:
    """List the networks known by name.

    Each with its input, parameters and MACs.
    """
    from dualcost.errors import UnknownNameError
    from dualcost.library import networks as library
    from dualcost.nn.formats import EXPORTED
    from dualcost.units import check_unit

    check_unit(unit)
    headers = library.headers()
    if pattern.endswith(EXPORTED):
        from dualcost.network.tracefile import header_of

        found = [header_of(library.load(pattern, announce=announce))]
    else:
        found = [header for header in headers if library.matches(header.name, pattern)]
    if not found:
        names = {header.name.partition(":")[2] for header in headers}
        raise UnknownNameError("network", pattern, names, "`dualcost list` shows all")
    if json:
        from dualcost.render.list import networks_json

        deliver(networks_json(found), None)
    else:
        from dualcost.render.list import networks_table
        from dualcost.render.terminal import as_text

        deliver(as_text(lambda width: networks_table(found, unit), None), None)
