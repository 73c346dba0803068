"""`dualcost equations`: the paper's equations (1)–(11)."""

from __future__ import annotations

from typing import Annotated

import typer

from dualcost.cli.options import Debug, Forms, Output
from dualcost.cli.output import Form

EXAMPLES = (
    ("dualcost equations", "all eleven"),
    ("dualcost equations 4 5", "those of dual convolutions"),
    ("dualcost equations --format latex", "for a paper of your own"),
)


def equations(
    out: Annotated[Output, Forms(Form.TABLE, Form.LATEX, Form.JSON)],
    numbers: Annotated[
        list[int] | None,
        typer.Argument(help="Their numbers; all, if none is given.", min=1, max=11),
    ] = None,
    debug: Debug = False,
) -> None:
    """Print the paper's equations: terminal maths, LaTeX or JSON."""
    from rich.text import Text

    from dualcost.kinds.equations import EQUATIONS, equation
    from dualcost.render import equations as render

    target = out.target
    chosen = [equation(number) for number in numbers] if numbers else EQUATIONS
    target.write(
        table=lambda width: Text(
            render.equations_text(chosen).rstrip("\n"), no_wrap=True, overflow="ignore"
        ),
        latex=lambda: render.equations_latex(chosen),
        json=lambda: render.equations_json(chosen),
    )
