"""`dualcost cache`: the traces that are kept, so that a network is traced once."""

from __future__ import annotations

from typing import Annotated

import typer

from dualcost.cli import candidates, pages
from dualcost.cli.options import Debug, Forms, Output
from dualcost.cli.output import Form, announce, deliver
from dualcost.cli.record import flat

EXAMPLES = (
    ("dualcost cache list", "what is kept, and what made it"),
    ("dualcost cache clear 'timm:*' --dry-run", "what would be removed"),
    ("dualcost cache clear", "remove all of it"),
)
APP = typer.Typer(cls=pages.Group, rich_markup_mode=None)

Pattern = Annotated[
    str,
    typer.Argument(
        help="A glob of names, such as 'resnet*' or 'timm:*'.",
        metavar="GLOB",
        autocompletion=candidates.cached,
    ),
]


@APP.callback()
def cache_of_traces() -> None:
    """Show or clear the traces that are kept.

    A network that is not packaged is traced once for each input and each version of torch.
    Calibrations are no part of the cache.
    """


@APP.command("dir", cls=pages.Command)
def show_folder(debug: Debug = False) -> None:
    """Print the folder alone."""
    from dualcost.library import cache

    deliver(f"{cache.folder()}\n", None)


@APP.command("list", cls=pages.Command)
@flat
def show_entries(
    out: Annotated[Output, Forms(Form.TABLE, Form.JSON)],
    pattern: Pattern = "*",
    debug: Debug = False,
) -> None:
    """List what is kept: networks, inputs, and the versions that traced them."""
    from dualcost.library import cache
    from dualcost.render.cache import entries_json, entries_table

    target = out.target
    found = [entry for entry in cache.entries() if entry.matches(pattern)]
    target.write(table=lambda width: entries_table(found), json=lambda: entries_json(found))


@APP.command("clear", cls=pages.Command)
@flat
def clear(
    out: Annotated[Output, Forms(Form.TABLE, Form.JSON)],
    pattern: Pattern = "*",
    dry: Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed.")] = False,
    debug: Debug = False,
) -> None:
    """Remove what is kept, and say what it was.

    Only files that dualcost wrote there are removed, damaged ones too. What is removed is made
    anew when it is needed.
    """
    from dualcost.library import cache
    from dualcost.render.cache import entries_json, entries_table

    target = out.target
    found = cache.clear(pattern, dry=dry)
    target.write(table=lambda width: entries_table(found), json=lambda: entries_json(found))
    announce(f"{'would remove' if dry else 'removed'} {len(found)}")
