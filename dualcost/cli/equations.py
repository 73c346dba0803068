"""`dualcost equations`: the paper's equations (1)–(11)."""

from __future__ import annotations

from typing import Annotated

import typer

from dualcost.cli.output import deliver

EXAMPLES = "Examples: dualcost equations · dualcost equations 4 5 · dualcost equations --latex"


def equations(
    numbers: Annotated[
        list[int] | None,
        typer.Argument(help="Their numbers; all, if none is given.", min=1, max=11),
    ] = None,
    latex: Annotated[bool, typer.Option("--latex", help="Write LaTeX.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Write JSON.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Print the paper's equations: terminal maths, LaTeX or JSON."""
    from dualcost.errors import UsageError

    if latex and json:
        raise UsageError("--latex and --json exclude each other", "choose one")
    from dualcost.equations import EQUATIONS, equation
    from dualcost.render import equations as render

    chosen = [equation(number) for number in numbers] if numbers else EQUATIONS
    if latex:
        deliver(render.equations_latex(chosen), None)
    elif json:
        deliver(render.equations_json(chosen), None)
    else:
        deliver(render.equations_text(chosen), None)
