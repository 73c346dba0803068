"""A TOML file knows on which line each key stands."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.networks import quickly

from dualcost.errors import UsageError
from dualcost.toml import Section, parse, quoted, read, word

PATH = Path("some.toml")

TEXT = '''# a comment with [brackets] and = signs
[tool.dualcost] # behind a header
schema = 1   # [ not a table
baseline = "a#b"

[tool.dualcost.models."res.net".budget]
reduction.params = { min = "25 %" }
reduction.macs = "3 %"
list = [
  1, # ]
  2,
]
text = """
[no.table]
no = "key"
"""
after = \'it is here\'

[[tool.dualcost.models."res.net".layer]]
match = "layer4.*"
[[tool.dualcost.models."res.net".layer]]
match = \'a[b\'
[tool.dualcost.models."res.net".layer.macs]
max = 3
'''
MODEL = ("tool", "dualcost", "models", "res.net")


@pytest.mark.parametrize(
    ("key", "starts_with"),
    [
        (("tool", "dualcost"), "[tool.dualcost]"),
        (("tool", "dualcost", "schema"), "schema = 1"),
        (("tool", "dualcost", "baseline"), "baseline"),
        ((*MODEL, "budget"), "[tool.dualcost.models."),
        ((*MODEL, "budget", "reduction"), "reduction.params"),
        ((*MODEL, "budget", "reduction", "macs"), "reduction.macs"),
        ((*MODEL, "budget", "reduction", "params", "min"), "reduction.params"),
        ((*MODEL, "budget", "list"), "list = ["),
        ((*MODEL, "budget", "text"), "text = "),
        ((*MODEL, "budget", "after"), "after = "),
        ((*MODEL, "layer", 0, "match"), 'match = "layer4'),
        ((*MODEL, "layer", 1), "[[tool"),
        ((*MODEL, "layer", 1, "match"), "match = 'a[b'"),
        ((*MODEL, "layer", 1, "macs", "max"), "max = 3"),
    ],
)
def test_a_key_is_found_on_its_line(key: tuple[str | int, ...], starts_with: str) -> None:
    file = parse(TEXT, PATH)
    assert TEXT.splitlines()[file.line(key) - 1].startswith(starts_with)


def test_every_key_that_tomllib_reads_has_a_line_of_its_own_or_of_its_inline_table() -> None:
    file = parse(TEXT, PATH)

    def keys(value: object, here: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
        items = (
            value.items()
            if isinstance(value, dict)
            else enumerate(value)
            if isinstance(value, list) and value and isinstance(value[0], dict)
            else ()
        )
        return [here, *(key for name, one in items for key in keys(one, (*here, name)))]

    without = {key for key in keys(file.data) if key and key not in file.lines}
    assert without == {
        ("tool",),  # headers name what is in it
        ("tool", "dualcost", "models"),
        MODEL,
        (*MODEL, "layer"),
        (*MODEL, "budget", "reduction", "params", "min"),  # inside an inline table
    }


def test_no_key_is_found_inside_of_texts_and_comments() -> None:
    names = {part for key in parse(TEXT, PATH).lines for part in key}
    assert not names & {"no", "table", "a", "brackets"}


def test_malformed_text_is_named_with_line_and_column() -> None:
    with pytest.raises(UsageError, match=r"some.toml is not TOML: .*line 2, column 5"):
        parse("a = 1\nb = \n", PATH)


def test_a_conflict_of_a_merge_is_named_as_one() -> None:
    text = "a = 1\n<<<<<<< HEAD\nb = 1\n=======\nb = 2\n>>>>>>> branch\n"
    with pytest.raises(UsageError, match=r"some\.toml:2: a merge conflict was left in it"):
        parse(text, PATH)


def test_a_line_of_equals_signs_in_a_text_is_no_conflict() -> None:
    assert parse('a = """\n=======\n"""\n', PATH).data == {"a": "=======\n"}


def test_what_cannot_be_read_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot read .*No such file"):
        read(tmp_path / "none.toml")
    (tmp_path / "latin.toml").write_bytes(b'a = "\xe4"')
    with pytest.raises(UsageError, match="is not UTF-8 at byte 5"):
        read(tmp_path / "latin.toml")


@quickly
@given(st.text(st.characters(exclude_categories=["Cs"])), st.text(min_size=1, max_size=9))
def test_what_is_quoted_reads_back_as_it_was(text: str, key: str) -> None:
    key = key.encode("utf-8", "ignore").decode() or "k"
    assert tomllib.loads(f"{word(key)} = {quoted(text)}") == {key: text}


def test_a_plain_key_stays_bare() -> None:
    assert word("peak-activations") == "peak-activations"
    assert word("layer1.0.conv1") == '"layer1.0.conv1"'


def test_an_error_may_be_about_a_text_in_an_array() -> None:
    section = Section.at(
        parse('first = 1\nbut = [\n  "first",\n  "other",\n]\n', Path("x.toml")), ()
    )
    with pytest.raises(UsageError, match=r"^x\.toml:4: no other$"), section.located("but", "other"):
        raise UsageError("no other")
    with pytest.raises(UsageError, match=r"^x\.toml:2: no c$"), section.located("but", "c"):
        raise UsageError("no c")
