"""`dualcost draw`: which filter sees which channel, with which kernel."""

from __future__ import annotations

from typing import Annotated

import typer

from dualcost.cli import candidates
from dualcost.cli.options import Debug, Forms, Output, one_of
from dualcost.cli.output import Form
from dualcost.kinds.kinds import KINDS

EXAMPLES = (
    ("dualcost draw --conv dual --M 8 --N 8 --G 2", "in the terminal"),
    ("dualcost draw --conv het --M 8 --N 8 --P 4 -o het.svg", "as a figure"),
)


def draw(
    conv: Annotated[
        str,
        typer.Option(
            help=f"{one_of(KINDS)}; or dual:2.",
            metavar="KIND",
            autocompletion=candidates.kinds,
            show_default=False,
        ),
    ],
    out: Annotated[Output, Forms(Form.TABLE, Form.FIGURE, Form.JSON)],
    inputs: Annotated[int, typer.Option("--M", help="Input channels.")] = 8,
    outputs: Annotated[int, typer.Option("--N", help="Filters, which are output channels.")] = 8,
    groups: Annotated[int | None, typer.Option("--G", help="Groups of group and dual.")] = None,
    parts: Annotated[int | None, typer.Option("--P", help="1/P of het's kernels are K×K.")] = None,
    debug: Debug = False,
) -> None:
    """Draw the filter design of a kind of convolution.

    Which filter sees which channel, and with which kernel, as in the paper's Figure 1.
    """
    from dualcost.kinds.filters import design
    from dualcost.rewrite.request import Request

    target = out.target
    request = Request.parse(conv, groups, parts)
    drawn = design(request.kind, inputs, outputs, request.divisor)
    from dualcost.render.draw import design_figure, design_json, design_text

    target.write(
        table=lambda width: design_text(drawn),
        figure=lambda: design_figure(drawn),
        json=lambda: design_json(drawn),
    )
