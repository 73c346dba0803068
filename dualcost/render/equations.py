"""The paper's equations as terminal maths, LaTeX and JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence

from sympy import Symbol, latex, pretty

from dualcost.kinds.equations import SYMBOLS, Equation

SCHEMA = 1


def equations_text(equations: Sequence[Equation]) -> str:
    """Each equation with its number, name and section, then the symbols they use."""
    parts = []
    for equation in equations:
        maths = pretty(equation.equality, use_unicode=True, wrap_line=False)
        indented = "\n".join(f"    {line}".rstrip() for line in maths.splitlines())
        parts.append(
            f"({equation.number}) {equation.name}, section {equation.section}\n{indented}\n"
        )
    used = {symbol for equation in equations for symbol in equation.right.free_symbols}
    lines = [f"{symbol!s:4}{text}" for symbol, text in SYMBOLS.items() if symbol in used]
    return "\n".join([*parts, *lines]) + "\n"


def equations_latex(equations: Sequence[Equation]) -> str:
    """One LaTeX equation a line, numbered as in the paper."""
    return "".join(f"{_latex(equation)} \\tag{{{equation.number}}}\n" for equation in equations)


def equations_json(equations: Sequence[Equation]) -> str:
    """Number, section, name and both sides; `right` is read by sympy.sympify."""
    facts = [
        {
            "number": equation.number,
            "section": equation.section,
            "name": equation.name,
            "left": equation.left.name,
            "right": str(equation.right),
            "latex": _latex(equation),
        }
        for equation in equations
    ]
    symbols = {symbol.name: text for symbol, text in SYMBOLS.items()}
    whole = {"schema": SCHEMA, "symbols": symbols, "equations": facts}
    return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"


def _latex(equation: Equation) -> str:
    return f"{_subscripted(equation.left)} = {latex(equation.right)}"


def _subscripted(symbol: Symbol) -> str:
    letter, _, index = symbol.name.partition("_")
    return f"{letter}_{{{index}}}"
