"""`dualcost solve`: the smallest G, or the largest resolution or batch, that fits."""

from __future__ import annotations

from typing import Annotated

import typer

from dualcost.cli import candidates, options
from dualcost.cli.output import announce, deliver
from dualcost.costs.metrics import EXACT
from dualcost.errors import ExitCode

EXAMPLES = (
    (
        'dualcost solve resnet50 "params <= 20M" "macs <= 2.7G" --conv dual',
        "the smallest G that satisfies both",
    ),
    ('dualcost solve resnet50 "params <= 18M" --conv het --for P', "the same for het"),
    (
        'dualcost solve resnet50 "macs <= 5G" --conv dual --G 4 --for resolution',
        "the largest picture",
    ),
)


def solve(
    model: options.Model,
    constraints: Annotated[
        list[str],
        typer.Argument(
            help=f"Limits such as “params <= 20M”: {', '.join(EXACT)}; <=, <, >=, >.",
            metavar="CONSTRAINT...",
            show_default=False,
        ),
    ],
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
    input: options.Input = None,
    batch: options.Batch = None,
    convention: options.Convention = "torch",
    conv: options.Conv = None,
    groups: options.Groups = None,
    parts: options.Parts = None,
    where: options.Where = "default",
    but: options.But = None,
    indivisible: options.Policy = "refuse",
    bias: options.Bias = "keep",
    json: options.Json = False,
    output: options.Output = None,
    debug: options.Debug = False,
) -> None:
    """Find the smallest G, or the largest input, that fits.

    It says which constraint forbids the next better value. If none satisfies all, it gives the
    nearest miss, and the exit code is 1.
    """
    from dualcost.api import solve as find

    if conv is None:
        options.asked(conv, groups, parts, where, but, indivisible, bias)
    solution = find(
        model,
        *constraints,
        input=input,
        conv=conv,
        variable=variable,
        G=groups,
        P=parts,
        where=where,
        but=tuple(but or ()),
        indivisible=indivisible,
        bias=bias,
        batch=batch,
        convention=convention,
        announce=announce,
    )
    from dualcost.render.solve import solution_json, solution_table
    from dualcost.render.terminal import as_text

    if json:
        text = solution_json(solution)
    else:
        text = as_text(lambda width: solution_table(solution), output)
    deliver(text, output)
    if not solution.found:
        raise typer.Exit(ExitCode.FAILED)
