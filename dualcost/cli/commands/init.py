"""`dualcost init`: measured models become a configuration with budgets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dualcost.cli import candidates, options
from dualcost.cli.output import announce, deliver

EXAMPLES = (
    ("dualcost init resnet50", "first budgets, in pyproject.toml"),
    ("dualcost init models.py:small --input 1x3x32x32", "for your own model"),
    (
        "dualcost init resnet50 --conv dual --G 4 --headroom 10%",
        "for a rewritten network, with more room",
    ),
)


def init(
    models: Annotated[
        list[str],
        typer.Argument(
            help="Names, as of `profile`.",
            metavar="MODEL...",
            autocompletion=candidates.models,
            show_default=False,
        ),
    ],
    input: options.Input = None,
    conv: options.Conv = None,
    groups: options.Groups = None,
    parts: options.Parts = None,
    where: options.Where = "default",
    but: options.But = None,
    indivisible: options.Policy = "refuse",
    bias: options.Bias = "keep",
    headroom: Annotated[
        str, typer.Option(help="How much larger than the model a budget is.", metavar="PERCENT")
    ] = "5%",
    dry: Annotated[
        bool, typer.Option("--dry-run", help="Print the configuration, and write nothing.")
    ] = False,
    debug: options.Debug = False,
) -> None:
    """Measure models, and write budgets for them.

    They are added to pyproject.toml where there is one, else written to dualcost.toml,
    and leave some room.
    """
    from dualcost.gate import init as starter
    from dualcost.network.network import TensorSpec
    from dualcost.render.init import start_table
    from dualcost.render.terminal import as_text
    from dualcost.units import parse_percent

    path = starter.place(Path.cwd()).relative_to(Path.cwd())
    asked = options.asked(conv, groups, parts, where, but, indivisible, bias)
    specs = tuple(TensorSpec.parse(text) for text in input or ())
    found = starter.start(models, asked, specs, parse_percent(headroom), announce)
    if dry:
        deliver(starter.text(found, starter.prefix(path)), None)
        return
    starter.write(found, path)
    deliver(as_text(lambda width: start_table(found, path), None), None)
