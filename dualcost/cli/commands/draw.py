"""`dualcost draw`: which filter sees which channel, with which kernel."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dualcost.cli import candidates, options
from dualcost.cli.output import announce, deliver
from dualcost.kinds.kinds import KINDS

EXAMPLES = (
    ("dualcost draw --conv dual --M 8 --N 8 --G 2", "in the terminal"),
    ("dualcost draw --conv het --M 8 --N 8 --P 4 -o het.svg", "as a figure"),
)


def draw(
    conv: Annotated[
        str,
        typer.Option(
            help=f"{options.one_of(KINDS)}.",
            metavar="KIND",
            autocompletion=candidates.kinds,
            show_default=False,
        ),
    ],
    inputs: Annotated[int, typer.Option("--M", help="Input channels.")] = 8,
    outputs: Annotated[int, typer.Option("--N", help="Filters, which are output channels.")] = 8,
    groups: Annotated[int | None, typer.Option("--G", help="Groups of group and dual.")] = None,
    parts: Annotated[int | None, typer.Option("--P", help="1/P of het's kernels are K×K.")] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="A .png, .svg or .pdf file, instead of the terminal.",
            rich_help_panel=options.OUTPUT,
        ),
    ] = None,
    debug: options.Debug = False,
) -> None:
    """Draw the filter design of a kind of convolution.

    Which filter sees which channel, and with which kernel, as in the paper's Figure 1.
    """
    from dualcost.kinds.filters import design
    from dualcost.kinds.kinds import divisor_of, kind

    chosen = kind(conv)
    drawn = design(chosen, inputs, outputs, divisor_of(chosen, groups, parts))
    from dualcost.render.draw import design_figure, design_text

    if output is None:
        from dualcost.render.terminal import as_text

        deliver(as_text(lambda width: design_text(drawn), None), None)
        return
    from dualcost.render.figure import check_format, drawing, save

    check_format(output)
    with drawing():
        save(design_figure(drawn), output)
    announce(f"wrote {output}")
