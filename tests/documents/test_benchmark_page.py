"""The page of benchmarks: a section for each script that writes one, with the machine named."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from results import PAGE, machine, replaced

ROOT = Path(__file__).parents[2]
SCRIPTS = sorted(
    path.stem
    for path in (ROOT / "benchmarks").glob("*.py")
    if "deliver(" in path.read_text() and path.stem != "results"
)
SECTION = re.compile(r"<!-- (\w+) -->\n(.*?)<!-- /\1 -->", re.DOTALL)


def test_each_script_has_its_section() -> None:
    text = PAGE.read_text()
    assert [name for name in SCRIPTS if f'"{name}"' in (ROOT / f"benchmarks/{name}.py").read_text()]
    assert sorted(name for name, _ in SECTION.findall(text)) == SCRIPTS
    for name in SCRIPTS:
        assert f"`python benchmarks/{name}.py`" in text


@pytest.mark.parametrize(("name", "body"), SECTION.findall(PAGE.read_text()))
def test_a_section_is_a_table_and_its_machine(name: str, body: str) -> None:
    *table, said = body.split("\n\n")[:-1]
    assert "\n| --- |" in "\n\n".join(table), name
    assert re.search(
        r"cores?, torch [\d.]+(, \d{4}-\d\d-\d\d)?; shared with other programs\.$", said
    )


def test_one_section_is_replaced_and_nothing_else() -> None:
    page = "a\n<!-- one -->\nold\n<!-- /one -->\nb\n<!-- two -->\nkept\n<!-- /two -->\n"
    new = replaced(page, "one", "| 1 | \\1 |\n")
    assert new == page.replace("old\n", "\n| 1 | \\1 |\n\n")
    assert replaced(new, "one", "old\n") == page.replace("old\n", "\nold\n\n")
    with pytest.raises(ValueError, match="no section <!-- three -->"):
        replaced(page, "three", "")


def test_the_machine_is_said_as_on_the_page() -> None:
    assert re.search(r", \d+ cores?, torch [\d.]+, \d{4}-\d\d-\d\d; shared with ", machine())
