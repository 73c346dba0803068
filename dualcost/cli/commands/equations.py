"""`dualcost equations`: the paper's equations (1)–(11)."""

from __future__ import annotations

from typing import Annotated

import typer

from dualcost.cli import options
from dualcost.cli.output import deliver

EXAMPLES = (
    ("dualcost equations", "all eleven"),
    ("dualcost equations 4 5", "those of dual convolutions"),
    ("dualcost equations --latex", "for a paper of your own"),
)


def equations(
    numbers: Annotated[
        list[int] | None,
        typer.Argument(help="Their numbers; all, if none is given.", min=1, max=11),
    ] = None,
    latex: options.Latex = False,
    json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Print the paper's equations: terminal maths, LaTeX or JSON."""
    from dualcost.errors import UsageError

    if latex and json:
        raise UsageError("--latex and --json exclude each other", "choose one")
    from dualcost.kinds.equations import EQUATIONS, equation
    from dualcost.render import equations as render

    chosen = [equation(number) for number in numbers] if numbers else EQUATIONS
    if latex:
        deliver(render.equations_latex(chosen), None)
    elif json:
        deliver(render.equations_json(chosen), None)
    else:
        deliver(render.equations_text(chosen), None)
