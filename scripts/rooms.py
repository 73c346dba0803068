"""The rooms of the package, floor by floor, each with its sentence.

The floors are those of the linter's contract in pyproject.toml; a sentence is the first paragraph
of a docstring. A file in a room is in no list: the room's folder shows it.
"""

from __future__ import annotations

import ast
import re
import textwrap
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "dualcost"
INDENT, WIDTH = 17, 104  # columns: where sentences begin, where lines end


def floors() -> list[list[str]]:
    """The names of the rooms, and of the files outside of them, from the top floor down."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    contracts = project["tool"]["importlinter"]["contracts"]
    (layers,) = (contract["layers"] for contract in contracts if contract["id"] == "floors")
    return [re.split(r"\s*[|:]\s*", layer) for layer in layers]


def rooms() -> str:
    """Every floor as lines of text, with an empty line between two."""
    return "\n\n".join(
        "\n".join(line for name in names for line in _lines(PACKAGE / name)) for names in floors()
    )


def _lines(place: Path, depth: int = 0) -> Iterator[str]:
    """A file; or a room, and the rooms in it."""
    is_room = place.is_dir()
    name = "  " * depth + place.name + "/" * is_room
    text = sentence(place / "__init__.py" if is_room else place.with_suffix(".py"))
    yield from textwrap.wrap(
        text, WIDTH, initial_indent=name.ljust(INDENT), subsequent_indent=" " * INDENT
    )
    for inner in sorted(place.glob("*/__init__.py")):
        yield from _lines(inner.parent, depth + 1)


def sentence(path: Path) -> str:
    """The first paragraph of a file's docstring, as one line.

    Raises:
        ValueError: it has none.
    """
    text = ast.get_docstring(ast.parse(path.read_text()))
    if not text:
        raise ValueError(f"{path} does not say what is there")
    return " ".join(text.partition("\n\n")[0].split())
