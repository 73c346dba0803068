"""The linter's contracts name rooms: a new file needs no entry, and each refuses something.

The linter runs on a copy of the package, once with files that may stand there and once with files
that may not.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from rooms import PACKAGE, floors, rooms, sentence

from dualcost.cli import COMMANDS

ROOT = Path(__file__).parents[2]
FITTING = {
    "costs/extra.py": "from dualcost.network.cost import Cost",
    "render/extra/__init__.py": "",
    "render/extra/rich.py": "import rich\nfrom dualcost.costs import extra",
    "nn/trace/extra.py": "import torch",
}
UPWARD = {"network/upward.py": "def read():\n    from dualcost.costs.profile import profile"}
TORCH = {"views/tensors.py": "import torch"}
TERMINAL = {"gate/colours.py": "from rich.text import Text"}
CIRCLE = {
    "search/fit/there.py": "from dualcost.search.fit import back",
    "search/fit/back.py": "from dualcost.search.fit import there",
}


def lint(folder: Path) -> str:
    """What the linter says of the package in a folder."""
    done = subprocess.run(
        ["lint-imports", "--no-cache"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package and the contracts in a folder of their own."""
    folder = tmp_path_factory.mktemp("house")
    shutil.copy(ROOT / "pyproject.toml", folder)
    for path in (ROOT / "dualcost").rglob("*.py"):
        place = folder / path.relative_to(ROOT)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, place)
    add(folder, FITTING)
    return folder


def add(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / "dualcost" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)


def test_a_new_file_in_a_room_needs_no_entry_anywhere(copy: Path) -> None:
    assert "Contracts: 4 kept, 0 broken." in lint(copy)


def test_each_contract_refuses_what_it_is_for(copy: Path) -> None:
    add(copy, {**UPWARD, **TORCH, **TERMINAL, **CIRCLE})
    said = lint(copy)
    assert "Contracts: 0 kept, 4 broken." in said
    refused = [line for line in said.splitlines() if line.startswith("- ")]
    assert refused == [
        "- dualcost.network.upward -> dualcost.costs.profile (l.2)",
        "- .there -> .back (1 import)",
        "- dualcost.views.tensors -> torch (l.1)",
        "- dualcost.gate.colours -> rich (l.1)",
    ]
    assert "No cycles are allowed in dualcost.search.fit." in said


@pytest.mark.parametrize(
    "path", sorted(PACKAGE.glob("**/__init__.py")), ids=lambda path: path.parent.name
)
def test_a_room_says_in_one_sentence_what_is_there(path: Path) -> None:
    text = sentence(path)
    assert path.read_text().startswith(f'"""{text}')  # on the first line
    if path.parent != PACKAGE:
        assert text.endswith(".")
        assert ". " not in text


def test_a_file_without_a_sentence_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.py").write_text("import this\n")
    with pytest.raises(ValueError, match=r"empty\.py does not say what is there"):
        sentence(tmp_path / "empty.py")


def test_the_list_has_every_room_and_every_file_outside_of_them() -> None:
    outside = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__", "__main__"}
    inside = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert {name for names in floors() for name in names} == outside | inside
    assert len(inside) == 15
    listed = [line.split()[0] for line in rooms().splitlines() if line[:3].strip()]
    assert {name.removesuffix("/") for name in listed} >= outside | inside


# --- the command is the file


def test_a_command_is_a_file_in_commands_and_one_in_what_renders() -> None:
    commands = {path.stem for path in (PACKAGE / "cli/commands").iterdir() if path.stem[0] != "_"}
    assert commands == {*COMMANDS}
    rendered = {path.stem for path in (PACKAGE / "render").iterdir()}
    assert {*COMMANDS} - rendered == {"report"}  # it is a page: render/html/


def test_only_commands_and_code_of_users_are_imported_by_a_string() -> None:
    importing = {
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        if "import_module(" in path.read_text()
    }
    assert importing == {"cli/__init__.py", "nn/sources/code.py", "nn/verify/counters.py"}
