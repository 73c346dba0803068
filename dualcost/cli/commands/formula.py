"""`dualcost formula`: the MACs and parameters of a whole network in closed form."""

from __future__ import annotations

from typing import Annotated

import typer

from dualcost.cli import options
from dualcost.cli.output import announce, deliver

EXAMPLES = (
    ("dualcost formula resnet50 --conv dual", "MACs and parameters as functions of G"),
    (
        "dualcost formula resnet50 --conv dual --knee 2%",
        "from which G on a doubling saves less than 2%",
    ),
    ("dualcost formula mobilenet_v2 --symbols B,H,W", "in batch, height and width"),
    (
        "dualcost formula resnet18 --conv dual --symbols B,H,W,G --python -o resnet18_cost.py",
        "as a function that needs no dualcost",
    ),
)


def formula(
    model: options.Model,
    input: options.Input = None,
    batch: options.Batch = None,
    symbols: Annotated[
        str,
        typer.Option(
            help="Sizes that are symbols too, such as B,H,W,G; L or D,H,W for other inputs.",
            metavar="SYMBOLS",
        ),
    ] = "",
    convention: Annotated[
        str, typer.Option(help="Whose MACs count: paper (convolutions, linear) or torch.")
    ] = "torch",
    conv: options.Conv = None,
    groups: options.Groups = None,
    parts: options.Parts = None,
    where: options.Where = "default",
    but: options.But = None,
    indivisible: options.Policy = "refuse",
    bias: options.Bias = "keep",
    knee: Annotated[
        str,
        typer.Option(help="Find the G from which doubling it saves less than this.", metavar="X%"),
    ] = "5%",
    latex: options.Latex = False,
    python: Annotated[
        bool,
        typer.Option(
            "--python",
            help="Write functions that need nothing but Python.",
            rich_help_panel=options.OUTPUT,
        ),
    ] = False,
    json: options.Json = False,
    output: options.Output = None,
    debug: options.Debug = False,
) -> None:
    """Give MACs and parameters in closed form.

    With --conv they are a formula in G (or P), unless that is given; with --symbols in batch,
    height and width too. It says for which sizes it holds, what it tends to, and from which G on
    another doubling is hardly worth it.
    """
    from dualcost.api import formula as closed_form
    from dualcost.errors import UsageError
    from dualcost.units import parse_percent

    if latex + python + json > 1:
        raise UsageError("--latex, --python and --json exclude each other", "choose one")
    share = parse_percent(knee)
    if not 0 < share < 1:
        raise UsageError(f"a knee of {knee} has no meaning", "give more than 0% and less than 100%")
    if conv is None:
        options.asked(conv, groups, parts, where, but, indivisible, bias)
    form = closed_form(
        model,
        input,
        conv=conv,
        G=groups,
        P=parts,
        where=where,
        but=tuple(but or ()),
        indivisible=indivisible,
        bias=bias,
        batch=batch,
        symbols=symbols,
        convention=convention,
        announce=announce,
    )
    from dualcost.render import formula as render

    if latex:
        text = render.form_latex(form)
    elif python:
        from dualcost.render.function import form_python

        text = form_python(form, render.title(form))
    elif json:
        text = render.form_json(form, share)
    else:
        from dualcost.render.terminal import as_text

        text = as_text(lambda width: render.form_text(form, share, width), output)
    deliver(text, output)
