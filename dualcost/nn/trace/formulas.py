"""The functions with which torch writes sizes (FloorDiv, CleanDiv, …), in those of sympy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# torch's symbolic shapes are sympy's expressions: it is imported by now
from sympy import Max, Min, Mod, Rational, floor

RELATIONS = {
    "Equality": "Eq",
    "Unequality": "Ne",
    "GreaterThan": "Ge",
    "StrictGreaterThan": "Gt",
    "LessThan": "Le",
    "StrictLessThan": "Lt",
}


def plain(expression: Any, symbols: Mapping[Any, Any]) -> Any:
    """An expression of torch's own functions in sympy's, and in other symbols.

    Raises:
        ValueError: it has a function or a symbol that is not known here.
    """
    if expression in symbols:
        return symbols[expression]
    if expression.is_Float:
        return Rational(float(expression))  # exact: floats are binary fractions
    if not expression.args:
        if expression.is_Symbol:
            raise ValueError(f"{expression} is not a symbol of the input")
        return expression
    parts = [plain(argument, symbols) for argument in expression.args]
    match type(expression).__name__:
        case "FloorDiv" | "CleanDiv":
            return floor(parts[0] / parts[1])
        case "CeilDiv":
            return -floor(-parts[0] / parts[1])
        case "Mod" | "PythonMod":
            return Mod(*parts)
        case "IntTrueDiv" | "FloatTrueDiv":
            return parts[0] / parts[1]
        case "FloorToInt" | "TruncToInt" | "TruncToFloat" | "Floor":  # sizes are positive
            return floor(parts[0])
        case "CeilToInt":
            return -floor(-parts[0])
        case "ToFloat" | "Identity":
            return parts[0]
        case "Max":
            return Max(*parts)
        case "Min":
            return Min(*parts)
        case "Add" | "Mul" | "Pow" | "floor":
            return expression.func(*parts)
    raise ValueError(f"{type(expression).__name__} is not a function of sizes")
