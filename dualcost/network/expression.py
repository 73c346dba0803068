"""Sizes as expressions: symbols such as B, H and W, their exact values, and their text.

An expression is made of integers, symbols that stand for positive integers, sums, products,
powers, `floor` and `Mod` (and `Max`, `Min`). sympy is imported by the functions that need it.
`flattened` says an expression with fewer floors, and `python` writes it for Python's integers.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from fractions import Fraction
from functools import cache
from math import floor, prod
from typing import Any

# An int or a sympy expression.
Expression = Any


@cache
def symbol(name: str) -> Any:
    """The symbol of that name: a positive integer."""
    from sympy import Symbol

    return Symbol(name, integer=True, positive=True)


class Values:
    """Exact values of expressions at given sizes; what was computed once is kept."""

    def __init__(self, sizes: Mapping[str, int]) -> None:
        self._known: dict[Any, Fraction] = {
            symbol(name): Fraction(size) for name, size in sizes.items()
        }

    def of(self, expression: Expression) -> Fraction:
        """The value of an expression.

        Raises:
            KeyError: it has a symbol whose size is not given.
            ValueError: it has a function that is not known here.
        """
        if isinstance(expression, int):
            return Fraction(expression)
        if expression not in self._known:
            self._known[expression] = self._compute(expression)
        return self._known[expression]

    def integer(self, expression: Expression) -> int:
        """The value of an expression that is an integer for all integers.

        Raises:
            ValueError: it is not.
        """
        value = self.of(expression)
        if value.denominator != 1:
            raise ValueError(f"{expression} is {value}, which is not an integer")
        return value.numerator

    def _compute(self, expression: Any) -> Fraction:
        if expression.is_Rational:
            return Fraction(int(expression.p), int(expression.q))
        if expression.is_Symbol:
            raise KeyError(str(expression))
        values = [self.of(argument) for argument in expression.args]
        kind = type(expression).__name__
        if kind == "Add":
            return sum(values, Fraction(0))
        if kind == "Mul":
            return prod(values, start=Fraction(1))
        if kind == "Pow" and values[1].denominator == 1:
            return Fraction(values[0] ** values[1].numerator)
        if kind == "floor":
            return Fraction(floor(values[0]))
        if kind == "Mod":
            return values[0] % values[1]
        if kind in ("Max", "Min"):
            return max(values) if kind == "Max" else min(values)
        raise ValueError(f"{kind} is not part of an expression of sizes")


def parse(text: str) -> Expression:
    """Read an expression that `str` wrote; nothing else is evaluated.

    Raises:
        ValueError: it has another form.
    """
    from sympy import Integer, Max, Min, Mod
    from sympy import floor as sympy_floor

    functions = {"floor": sympy_floor, "Mod": Mod, "Max": Max, "Min": Min}

    def read(node: ast.expr) -> Any:
        match node:
            case ast.Constant(value=int(value)):
                return Integer(value)
            case ast.Name(id=name):
                return symbol(name)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -read(operand)
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return read(left) + read(right)
            case ast.BinOp(left=left, op=ast.Sub(), right=right):
                return read(left) - read(right)
            case ast.BinOp(left=left, op=ast.Mult(), right=right):
                return read(left) * read(right)
            case ast.BinOp(left=left, op=ast.Div(), right=right):
                return read(left) / read(right)
            case ast.BinOp(left=left, op=ast.Pow(), right=ast.Constant(value=int(power))):
                if abs(power) > 9:
                    raise ValueError(f"{text!r} has a power that no size has")
                return read(left) ** power
            case ast.Call(func=ast.Name(id=name), args=arguments) if name in functions:
                return functions[name](*map(read, arguments))
        raise ValueError(f"{text!r} is not an expression of sizes")

    try:
        return read(ast.parse(text, mode="eval").body)
    except (SyntaxError, TypeError, RecursionError, MemoryError) as error:
        raise ValueError(f"{text!r} is not an expression of sizes") from error


def flattened(expression: Expression) -> Expression:
    """The same value for all integers, without a floor in a floor.

    A map that is halved twice, ⌊(⌊(H − 1)/2⌋ + 1 − 1)/2⌋, is ⌊(H − 1)/4⌋. Every floor of a
    fraction is brought to ⌊(n − r)/d⌋ with 0 ≤ r < d, so that equal ones are seen to be equal.
    """
    from sympy import sympify

    return _flattened(sympify(expression))


def _flattened(expression: Any) -> Any:
    if not expression.args:
        return expression
    arguments = [_flattened(argument) for argument in expression.args]
    if type(expression).__name__ == "floor":
        return _floor(arguments[0])
    return expression.func(*arguments)


def _floor(argument: Any) -> Any:
    """⌊argument⌋; ⌊(⌊x⌋ + s)/d⌋ is ⌊(x + s)/d⌋ for integers s and d."""
    from sympy import floor as sympy_floor

    constant, rest = argument.as_coeff_Add()
    coefficient, inner = rest.as_coeff_Mul()
    if coefficient.p != 1 or not inner.is_integer:
        return sympy_floor(argument)
    divisor = int(coefficient.q)
    shift = floor(Fraction(int(constant.p), int(constant.q)) * divisor)  # inner is an integer
    if isinstance(inner, sympy_floor):
        return _floor((inner.args[0] + shift) / divisor)
    whole = -(-shift // divisor)
    return sympy_floor((inner + shift - whole * divisor) / divisor) + whole


def python(expression: Expression, *, factor: bool = False) -> str:
    """An expression as Python source that computes it exactly; a proper fraction is a `Fraction`.

    Args:
        expression: what is written.
        factor: it is going to be multiplied; parentheses stand around it if it needs them.

    Raises:
        ValueError: it has a function that is not known here.
    """
    from sympy import sympify

    return (_factor if factor else _python)(sympify(expression))


def _python(expression: Any) -> str:
    if expression.is_Symbol or expression.is_Integer:
        return str(expression)
    if expression.is_Rational:
        return f"Fraction({expression.p}, {expression.q})"
    arguments = expression.args
    kind = type(expression).__name__
    if kind == "Add":
        terms = " + ".join(map(_python, expression.as_ordered_terms()))
        return terms.replace("+ -", "- ")
    if kind == "Mul":
        return " * ".join(_factor(argument) for argument in arguments)
    if kind == "Pow" and arguments[1].is_Integer and arguments[1] > 0:
        return f"{_operand(arguments[0])} ** {arguments[1]}"
    if kind == "floor":
        numerator, denominator = arguments[0].as_numer_denom()
        return f"{_operand(numerator)} // {_operand(denominator)}"
    if kind == "Mod":
        return f"{_operand(arguments[0])} % {_operand(arguments[1])}"
    if kind in ("Max", "Min"):
        return f"{kind.lower()}({', '.join(map(_python, arguments))})"
    raise ValueError(f"{kind} is not part of an expression of sizes")


def _factor(expression: Any) -> str:
    """Source that stands as a factor of a product."""
    return _python(expression) if expression.is_Mul else _operand(expression)


def _operand(expression: Any) -> str:
    """Source that stands beside any operator: in parentheses unless it is a name or a number."""
    text = _python(expression)
    return text if text.isalnum() or text.startswith("Fraction(") else f"({text})"
