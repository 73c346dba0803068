"""Sizes as expressions: symbols such as B, H and W, their exact values, and their text.

An expression is made of integers, symbols that stand for positive integers, sums, products,
powers, `floor` and `Mod` (and `Max`, `Min`). sympy is imported by the functions that need it.
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
