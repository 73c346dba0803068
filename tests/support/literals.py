"""The bare strings of a package, and where they stand."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple


class Literal(NamedTuple):
    """A string in a file, and its line."""

    file: str
    line: int
    text: str


def literals(package: Path, names: Collection[str]) -> Iterator[Literal]:
    """Every string of a package that is one of some names and nothing more, file by file."""
    for path in sorted(package.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and node.value in names:
                yield Literal(path.relative_to(package).as_posix(), node.lineno, str(node.value))
