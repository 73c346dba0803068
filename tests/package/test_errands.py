"""The errands of CONTRIBUTING.md, carried out as it says."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest
import torch
from support.commands import Command

from dualcost.errors import UnknownNameError
from dualcost.library import catalogue
from dualcost.network.network import TensorSpec
from dualcost.nn.sources import sources
from dualcost.nn.sources.source import Source
from dualcost.render import check as rendered

ROOT = Path(__file__).parents[2]


def test_a_link_to_a_file_of_python_bears_its_name() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    links = re.findall(r"\[([^\]]+)\]\(([^)]+\.py)\)", text)
    named = [(words.replace("\\", ""), target) for words, target in links if "." in words]
    assert named
    assert [pair for pair in named if pair[0] != Path(pair[1]).name] == []


def test_a_form_of_a_check_is_a_file_of_its_name() -> None:
    files = {path.stem for path in (ROOT / "dualcost/render/check").glob("*.py")}
    assert set(rendered.FORMS) <= files
    for form in set(rendered.FORMS) - {"text"}:  # a table, which terminals colour
        assert callable(getattr(import_module(f"dualcost.render.check.{form}"), f"check_{form}"))


def test_every_origin_of_names_has_its_finder() -> None:
    assert set(sources.FINDERS) == set(catalogue.LIBRARIES)


def test_a_front_end_is_a_finder_and_what_its_names_begin_with(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def from_mine(name: str) -> Source:
        if name != "small":
            raise UnknownNameError("model of mine", name, ["small"])
        inputs = (TensorSpec((1, 3, 8, 8)),)
        return Source(f"mine:{name}", lambda: torch.nn.Conv2d(3, 4, 1), inputs)

    monkeypatch.setitem(sources.FINDERS, "mine", from_mine)
    monkeypatch.setattr(catalogue, "LIBRARIES", (*catalogue.LIBRARIES, "mine"))
    code, out, _ = command("profile", "mine:small")
    assert code == 0
    assert f"MACs {8 * 8 * 3 * 4} " in " ".join(out.split())  # positions * M * N
    code, _, err = command("profile", "mine:smal")
    assert code == 2
    assert "error: no model of mine is called 'smal'\n" in err
