"""`dualcost formula`: the MACs and parameters of a whole network in closed form."""

from __future__ import annotations

from typing import Annotated

import typer

from dualcost.cli.options import Change, Debug, Forms, Model, Output, Source
from dualcost.cli.output import Form

EXAMPLES = (
    ("dualcost formula resnet50 --conv dual", "MACs and parameters as functions of G"),
    (
        "dualcost formula resnet50 --conv dual --knee 2%",
        "from which G on a doubling saves less than 2%",
    ),
    ("dualcost formula mobilenet_v2 --symbols B,H,W", "in batch, height and width"),
    (
        "dualcost formula resnet18 --conv dual --symbols B,H,W,G -o resnet18_cost.py",
        "as a function that needs no dualcost",
    ),
)


def formula(
    model: Model,
    source: Source,
    change: Change,
    out: Annotated[Output, Forms(Form.TABLE, Form.JSON, Form.LATEX, Form.PYTHON)],
    symbols: Annotated[
        str,
        typer.Option(
            help="Sizes that are symbols too, such as B,H,W,G; L or D,H,W for other inputs.",
            metavar="SYMBOLS",
        ),
    ] = "",
    knee: Annotated[
        str,
        typer.Option(help="Find the G from which doubling it saves less than this.", metavar="X%"),
    ] = "5%",
    debug: Debug = False,
) -> None:
    """Give MACs and parameters in closed form.

    With --conv they are a formula in G (or P), unless that is given; with --symbols in batch,
    height and width too. It says for which sizes it holds, what it tends to, and from which G on
    another doubling is hardly worth it.
    """
    from dualcost.costs.closedform import closed_form, split_symbols
    from dualcost.errors import UsageError
    from dualcost.units import parse_percent

    share = parse_percent(knee)
    if not 0 < share < 1:
        raise UsageError(f"a knee of {knee} has no meaning", "give more than 0% and less than 100%")
    source.checked()
    target = out.target
    subject = change.subject(model, open=True)
    names = split_symbols(symbols, subject.request)
    traced = source.load_symbolic(subject.model, names) if names else source.load(subject.model)
    form = closed_form(traced, subject.request, source.counted)
    from dualcost.render import formula as render
    from dualcost.render.function import form_python

    target.write(
        table=lambda width: render.form_text(form, share, width),
        json=lambda: render.form_json(form, share),
        latex=lambda: render.form_latex(form),
        python=lambda: form_python(form, render.title(form)),
    )
