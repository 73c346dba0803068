"""`dualcost init`: measured models become a configuration with budgets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dualcost.cli import candidates
from dualcost.cli.options import Change, Debug, Forms, Output, Source, Without
from dualcost.cli.output import Form, deliver

EXAMPLES = (
    ("dualcost init resnet50", "first budgets, in pyproject.toml"),
    ("dualcost init models.py:small --input 1x3x32x32", "for your own model"),
    (
        "dualcost init resnet50 --conv dual --G 4 --headroom 10%",
        "for a rewritten network, with more room",
    ),
)
KEPT = "a configuration says it for each model: add its key there"


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
    source: Annotated[
        Source,
        Without(inputs=KEPT, batch=KEPT, imgsz=KEPT, convention=KEPT, rules=KEPT, device=KEPT),
    ],
    change: Change,
    out: Annotated[
        Output,
        Forms(
            Form.TABLE,
            Form.JSON,
            file="The configuration; by default pyproject.toml where there is one, "
            "else dualcost.toml.",
        ),
    ],
    headroom: Annotated[
        str, typer.Option(help="How much larger than the model a budget is.", metavar="PERCENT")
    ] = "5%",
    dry: Annotated[
        bool, typer.Option("--dry-run", help="Print the configuration, and write nothing.")
    ] = False,
    debug: Debug = False,
) -> None:
    """Measure models, and write budgets for them.

    They are added to pyproject.toml where there is one, else written to dualcost.toml,
    and leave some room.
    """
    from dualcost.cli.output import announce
    from dualcost.gate import init as starter
    from dualcost.render.init import start_json, start_table
    from dualcost.units import parse_percent

    summary = out.summary
    path = out.output or starter.place(Path.cwd()).relative_to(Path.cwd())
    subjects = [change.subject(model) for model in models]
    found = starter.start(subjects, source.specs, parse_percent(headroom), announce)
    if dry:
        deliver(starter.text(found, starter.prefix(path)), None)
        return
    starter.write(found, path)
    summary.write(
        table=lambda width: start_table(found, path), json=lambda: start_json(found, path)
    )
