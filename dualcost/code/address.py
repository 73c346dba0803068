"""Where a user's own model is, in words: a file or a module, a factory in it, and its arguments.

unet.py:UNet                        a class or a function of a file
unet.py:UNet(base=32, out=2)        called with arguments, which are literals
nets.vision:Family.small            of a package that Python can import
"""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from inspect import Signature, signature
from typing import Any

from dualcost.errors import ModelError, UsageError

CODE = ".py"
LITERALS = "an argument is a number, a text, a list, a tuple, a dict, True, False or None"

_ADDRESS = re.compile(r"(.*?):([^\W\d]\w*(?:\.[^\W\d]\w*)*)\s*(\(.*\))?", re.DOTALL)


@dataclass(frozen=True)
class Address:
    """A factory in a user's code, and what it is called with.

    Attributes:
        place: "path/to/file.py" or "package.module".
        name: of the factory, with dots where it stands in a class.
        arguments: as the user wrote them, "(base=32)"; "" without any.
        args: their values in order.
        kwargs: their values by name.
    """

    place: str
    name: str
    arguments: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read one of the forms above.

        Raises:
            UsageError: it is none of them, or an argument is not a literal.
        """
        match = _ADDRESS.fullmatch(text)
        if match is None:
            place = text.partition(":")[0]
            raise UsageError(f"{text!r} names no factory", f"write {place or 'file.py'}:NAME")
        place, name, arguments = match[1], match[2], match[3] or ""
        args, kwargs = _values(arguments) if arguments else ((), {})
        return cls(place, name, arguments, args, kwargs)

    @property
    def in_file(self) -> bool:
        """Its place is a file, and no module."""
        return self.place.endswith(CODE)

    def __str__(self) -> str:
        return f"{self.place}:{self.name}{self.arguments}"

    def check(self, factory: Callable[..., Any]) -> None:
        """Refuse arguments that a factory does not take.

        Raises:
            ModelError: with the signature of the factory.
        """
        try:
            taken = signature(factory)
        except (TypeError, ValueError):  # it has none: what it is called with, it may refuse
            return
        try:
            taken.bind(*self.args, **self.kwargs)
        except TypeError as error:
            so = "so" if self.arguments else "without arguments"
            hint = f"its signature is {self.name}{_shown(taken)}"
            if not self.arguments:
                hint = f"write {shlex.quote(f'{self}({_blanks(taken)})')}; {hint}"
            raise ModelError(f"{self} cannot be called {so}: {error}", hint) from None


def is_file(text: str) -> bool:
    """Whether a text is a file of code without a factory in it."""
    return text.removesuffix(":").endswith(CODE)


def _values(arguments: str) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The values of "(3, base=32)".

    Raises:
        UsageError: one is not a literal.
    """
    try:
        call = ast.parse(f"f{arguments}", mode="eval").body
    except (SyntaxError, ValueError):
        call = None
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
        raise UsageError(f"{arguments} is not a list of arguments", "write (3, base=32)")
    args = tuple(_literal(node) for node in call.args)
    return args, {str(word.arg): _keyword(word) for word in call.keywords}


def _keyword(word: ast.keyword) -> Any:
    if word.arg is None:
        raise UsageError(f"**{ast.unparse(word.value)} is not a literal", LITERALS)
    return _literal(word.value)


def _literal(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        raise UsageError(f"{ast.unparse(node)} is not a literal", LITERALS) from None


def _shown(taken: Signature) -> str:
    """A signature without its annotations."""
    bare = [one.replace(annotation=one.empty) for one in taken.parameters.values()]
    return str(taken.replace(parameters=bare, return_annotation=Signature.empty))


def _blanks(taken: Signature) -> str:
    """What must be said where a signature is called: "width=…, depth=…"."""
    return ", ".join(
        f"{name}=…"
        for name, one in taken.parameters.items()
        if one.default is one.empty and one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)
    )
