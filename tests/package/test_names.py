"""What a record knows by its name is asked of the record: its name stands nowhere else."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest
from support.literals import Literal, literals

import dualcost
from dualcost.kinds.kinds import KINDS

PACKAGE = Path(dualcost.__file__).parent
# where a kind may be named: its records, its modules, and the tables that the paper prints
ROOMS = ("kinds/", "nn/layers/", "paper/")
# a file and a word that is also the name of a kind, and why it stands there
PLACES = {
    ("api.py", "dual"): "what `sweep` and `fit` do by default, as `help` shows it",
    ("cli/commands/fit.py", "dual"): "the same, as --help shows it",
    ("render/compare.py", "group"): "a key of the JSON: the group of an op",
    ("render/profile/columns.py", "group"): "a key of the JSON: the group of an op",
    ("views/side.py", "group"): "a key of the JSON: the group of an op",
}


def misplaced(strings: Iterable[Literal]) -> list[Literal]:
    return [
        string
        for string in strings
        if not string.file.startswith(ROOMS) and (string.file, string.text) not in PLACES
    ]


def test_a_kind_is_named_by_its_record_alone() -> None:
    strings = [*literals(PACKAGE, KINDS)]
    assert misplaced(strings) == []
    # and no exception outlives its reason
    assert PLACES.keys() <= {(string.file, string.text) for string in strings}


@pytest.mark.parametrize("name", KINDS)
def test_a_kind_that_is_named_elsewhere_would_be_noticed(name: str, tmp_path: Path) -> None:
    for room in ("kinds", "views"):
        (tmp_path / room).mkdir()
        (tmp_path / room / "colours.py").write_text(
            f'"""Not {name!r} alone."""\n\nCOLOURS = {{\n    {name!r}: "#000000",\n}}\n'
        )
    assert misplaced(literals(tmp_path, KINDS)) == [Literal("views/colours.py", 4, name)]
