"""The README's picture and its comparison are what was printed and measured."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
from session import PROMPT
from update_docs import FIGURES, PICTURE, ROOT, output_of

from dualcost.library import networks as library

COUNTERS = ("dualcost", "FlopCounterMode", "fvcore", "ptflops", "thop", "torchinfo", "calflops")


@pytest.mark.usefixtures("warm_python")
def test_the_picture_shows_what_the_command_prints() -> None:
    drawn = ElementTree.parse(ROOT / FIGURES / "profile.svg")
    texts = [text for one in drawn.iter("{http://www.w3.org/2000/svg}text") if (text := one.text)]
    shown = f"dualcost{PROMPT}{PICTURE}{output_of(PICTURE)}"  # the title, and the prompt
    assert "".join("".join(texts).split()) == "".join(shown.split())


def test_a_picture_loads_nothing_and_is_light() -> None:
    text = (ROOT / FIGURES / "profile.svg").read_text()
    assert len(text) < 100_000
    assert not re.search(r"@font-face|url\((?!#)|href", text)


def test_the_comparison_of_the_readme_is_what_was_measured() -> None:
    """Its totals are those of the page about benchmarks; so is who left nothing in the model."""
    counts: dict[str, list[str]] = {}
    left: dict[str, str] = {}
    for cells in rows_of((ROOT / "docs/develop/benchmarks.md").read_text()):
        if len(cells) == 5 and cells[1] in COUNTERS:
            counts.setdefault(cells[1], []).append(cells[2])
        elif len(cells) == 3 and cells[0] in COUNTERS:
            left[cells[0]] = cells[2]
    compared = [cells for cells in rows_of((ROOT / "README.md").read_text()) if len(cells) == 5]
    assert [cells[0] for cells in compared[1:]] == [*COUNTERS]
    for name, *totals, leaves in compared[1:]:
        assert counts[name][:3] == totals
        assert (left[name] == "nothing") == (leaves == "nothing")
    for name, total in zip(compared[0][1:4], compared[1][1:4], strict=True):
        assert f"{library.load(name).macs:,}" == total


def rows_of(page: str) -> list[list[str]]:
    """The cells of every line of every table, but those of its rule."""
    lines = (line for line in page.splitlines() if line.startswith("| ") and "---" not in line)
    return [[cell.strip() for cell in line[1:-1].split("|")] for line in lines]
