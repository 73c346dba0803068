"""`dualcost solve`: the smallest G, or the largest resolution or batch, that fits."""

from __future__ import annotations

from typing import Annotated

import typer

from dualcost.cli import candidates
from dualcost.cli.options import Change, Debug, Forms, Limits, Metrics, Model, Output, Source
from dualcost.cli.output import Form
from dualcost.costs.metrics import EXACT
from dualcost.errors import ExitCode

EXAMPLES = (
    (
        'dualcost solve resnet50 "params <= 20M" "macs <= 2.7G" --conv dual',
        "the smallest G that satisfies both",
    ),
    ('dualcost solve resnet50+het "params <= 18M"', "the same for het"),
    (
        "dualcost solve resnet50 --budget macs=5G --conv dual --G 4 --for resolution",
        "the largest picture",
    ),
)


def solve(
    model: Model,
    limits: Annotated[Limits, Metrics(EXACT)],
    source: Source,
    change: Change,
    out: Annotated[Output, Forms(Form.TABLE, Form.JSON)],
    variable: Annotated[
        str,
        typer.Option(
            "--for",
            help="G, P, resolution (height = width), batch, height, width, depth or length. "
            "Default: the letter of --conv.",
            metavar="WHAT",
            autocompletion=candidates.variables,
        ),
    ] = "",
    debug: Debug = False,
) -> None:
    """Find the smallest G, or the largest input, that fits.

    It says which constraint forbids the next better value. If none satisfies all, it gives the
    nearest miss, and the exit code is 1.
    """
    from dualcost.search.constraint import parsed
    from dualcost.search.solve import solve as find

    source.checked()
    target = out.target
    constraints = parsed(limits.texts)
    subject = change.subject(model, open=True)
    solution = find(
        lambda: source.load(subject.model),
        lambda symbols: source.load_symbolic(subject.model, symbols),
        constraints,
        subject.request,
        variable,
        source.counted,
    )
    from dualcost.render.solve import solution_json, solution_table

    target.write(table=lambda width: solution_table(solution), json=lambda: solution_json(solution))
    if not solution.found:
        raise typer.Exit(ExitCode.FAILED)
