"""The table of a profile: it fits, its numbers line up, no name is torn, totals come first."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from support.commands import Command

from dualcost.cli.suggestion import TAKES
from dualcost.costs.profile import profile
from dualcost.errors import ExitCode
from dualcost.library import networks as library
from dualcost.render.glyphs import CELLS, aligned, bar, encodable, guides, shortened
from dualcost.render.profile.columns import place
from dualcost.views.listing import listing

pytestmark = pytest.mark.usefixtures("warm_python")

DUAL = ("--conv", "dual", "--G", "4")
ASKED = [
    ("resnet50",),
    ("resnet50", *DUAL),
    ("resnet50", *DUAL, "--top", "0"),
    ("resnet50", *DUAL, "--depth", "3", "--top", "2", "--sort", "macs"),
    ("mobilenet_v2", "--conv", "dsc", "--where", "separable", "--convention", "all"),
    ("mobilenet_v2", "--conv", "dual", "--G", "8", "--where", "inverted-residual"),
    ("vit_b_16", "--depth", "9"),
    ("vgg16", *DUAL, "--unit", "1"),
    ("densenet121", "--sort", "params"),
    ("raft_small",),
    ("r3d_18", "--conv", "dual", "--G", "2", "--depth", "0"),
]


def shown(command: Command, *arguments: str) -> list[str]:
    code, out, _ = command("profile", *arguments)
    assert code == ExitCode.OK
    return out.splitlines()


def blocks(lines: list[str]) -> list[list[str]]:
    """What stands between empty lines."""
    text = "\n".join(lines)
    return [block.splitlines() for block in text.split("\n\n")]


ALL = (
    *("layer", "kind", "M→N", "K/s", "groups", "out", "MACs before", "MACs after"),
    *("params before", "params after", "traffic after", "of MACs", "ratio"),
)


def headings(table: list[str]) -> set[str]:
    """The titles of a table, each of which has its last word in the second line."""
    starts = [match.start() for match in re.finditer(r"\S+", table[0])]
    above = {start + len(word): word for start, word in zip(starts, table[0].split(), strict=True)}
    found = set()
    for match in re.finditer(r"of \S+|\S+", table[1]):
        over = next((word for end, word in above.items() if match.start() < end <= match.end()), "")
        found.add(f"{over} {match[0]}".strip())
    return found


def commands(lines: list[str]) -> dict[str, list[str]]:
    """The commands at the end of a table, by their labels."""
    found = (re.fullmatch(r"(reproduce|next) +(dualcost .*)", line) for line in lines)
    return {match[1]: shlex.split(match[2]) for match in found if match}


@pytest.mark.parametrize("width", [80, 160])
@pytest.mark.parametrize("arguments", ASKED, ids=" ".join)
def test_a_table_fits_its_terminal(
    command: Command, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], width: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    lines = shown(command, *arguments)
    assert max(len(line) for line in lines if not re.match("reproduce|next", line)) <= width
    assert not any(line.endswith(" ") for line in lines)


def test_no_name_is_torn_at_80_columns(command: Command) -> None:
    lines = shown(command, "resnet50", *DUAL, "--top", "0")
    names = {line.split()[0] for line in lines if line}
    rows = listing(profile(library.load("resnet50")))
    assert {place(row) for row in rows} - names == {"53 × norm"}


def test_what_leaves_a_narrow_terminal_is_there_in_a_wide_one(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    titles = []
    for width in (60, 80, 100, 160):
        monkeypatch.setenv("COLUMNS", str(width))
        table = blocks(shown(command, "resnet50", *DUAL, "--top", "0"))[1]
        titles.append(headings(table))
        left_out = re.findall(r"no room for (.*): use", " ".join(table))
        missing = ", ".join(one for one in ALL if one not in titles[-1])
        assert left_out == ([missing] if missing else [])
    assert [narrow < wide for narrow, wide in pairwise(titles)] == [True] * 3
    assert titles[0] == {"layer", "kind", "MACs after", "of MACs", "ratio"}
    assert titles[-1] - titles[-2] == {"traffic after", "MACs before", "params before"}


@pytest.mark.parametrize("arguments", ASKED, ids=" ".join)
def test_numbers_line_up_on_their_units(command: Command, arguments: tuple[str, ...]) -> None:
    table = blocks(shown(command, *arguments))[1]
    heads = 2 if table[1].startswith("layer") else 1
    places: set[int] = set()
    for line in table[heads:]:
        places |= {match.start(1) for match in re.finditer(r"\d ([KMGT])(?= |$)", line)}
    if "--unit" in arguments:
        assert not places
    else:
        titles = re.sub(r"of \w+", "", " ".join(table[:heads]))
        assert len(places) == len(re.findall(r"MACs|params|ops", titles))


@pytest.mark.parametrize("arguments", ASKED, ids=" ".join)
def test_the_totals_come_first_and_the_next_command_last(
    command: Command, arguments: tuple[str, ...]
) -> None:
    lines = shown(command, *arguments)
    labels = [line.split()[0] for line in blocks(lines)[0]]
    start = labels.index("MACs")
    assert labels[start + 1 : labels.index("input")][-2:] == ["FLOPs", "parameters"]
    # above them only the title, which may need two lines
    assert len(" ".join(blocks(lines)[0][:start])) < 2 * 80
    assert [line.split()[0] for line in lines[-2:]] == ["reproduce", "next"]


def test_what_is_not_shown_is_said(command: Command) -> None:
    folded = "folded by module at --depth 2; --top 0 lists every layer"
    assert folded in shown(command, "resnet50")
    assert not any("--top 0" in line for line in shown(command, "vgg16"))
    assert not any("folded" in line for line in shown(command, "resnet50", "--top", "0"))
    # 54 layers and a line for the norms, of which 53
    (rest,) = (line for line in shown(command, "resnet50", "--top", "9") if "and " in line[:4])
    assert rest.startswith(f"and {54 - 9 + 53} more, use --top 0")


def test_a_file_holds_every_layer(command: Command, tmp_path: Path) -> None:
    assert command("profile", "resnet50", "-o", "table.txt")[0] == ExitCode.OK
    text = (tmp_path / "table.txt").read_text()
    assert all(place(row) in text for row in listing(profile(library.load("resnet50"))))
    assert commands(text.splitlines())["reproduce"] == ["dualcost", "profile", "resnet50"]


# --- the commands at its end ---


@pytest.mark.parametrize("arguments", ASKED, ids=" ".join)
def test_the_command_that_reproduces_a_table_does(
    command: Command, arguments: tuple[str, ...]
) -> None:
    lines = shown(command, *arguments)
    assert commands(lines)["reproduce"] == ["dualcost", "profile", *arguments]
    assert shown(command, *commands(lines)["reproduce"][2:]) == lines


DENSE = """
import torch
class Dense(torch.nn.Linear):
    def __init__(self):
        super().__init__(8, 4)
INPUT = "1x8"
"""
UNKNOWN = """
import torch
class Odd(torch.nn.Module):
    def forward(self, x):
        return torch.fft.fft(x).real
INPUT = "1x3x8x8"
"""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("resnet50",), "profile resnet50 --conv dual --G 4"),
        (("resnet50", "--depth", "2", "--batch", "2"),
         "profile resnet50 --batch 2 --conv dual --G 4"),
        # its 3×3 are depthwise; a pair with a 1×1 can be replaced
        (("mobilenet_v2",), "profile mobilenet_v2 --conv dual --G 4 --where separable"),
        (("dense.py:Dense",), "verify dense.py:Dense"),  # nothing to be replaced
        (("resnet18", *DUAL, "--convention", "paper"),
         "fit resnet18 --budget macs=744M --convention paper"),
        (("resnet18", "--conv", "het", "--P", "2", "--where", "stride-1"),
         "fit resnet18 --budget macs=1.15G --conv het --where stride-1"),
        (("zoo:vgg16a-cifar10", *DUAL, "--indivisible", "keep"),
         "verify zoo:vgg16a-cifar10 --conv dual --G 4 --indivisible keep"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)  # fmt: skip
def test_the_next_command_is_valid(
    command: Command, tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    (tmp_path / "dense.py").write_text(DENSE)
    found = commands(shown(command, *arguments))["next"]
    assert shlex.join(found) == f"dualcost {words}"
    code, out, err = command(*found[1:])
    assert (code, bool(out)) == (ExitCode.OK, True), err


def test_an_op_that_no_rule_knows_asks_for_a_rule(command: Command, tmp_path: Path) -> None:
    (tmp_path / "odd.py").write_text(UNKNOWN)
    found = commands(shown(command, "odd.py:Odd"))["next"]
    assert found[1:] == ["profile", "odd.py:Odd", "--rules", "rules.py"]


@pytest.mark.parametrize("name", TAKES)
def test_a_suggested_command_has_the_options_that_it_is_given(command: Command, name: str) -> None:
    _, out, _ = command(name, "--help")
    assert {option for option in TAKES[name] if f"{option} " not in out} == set()


# --- characters ---


def test_a_bar_is_as_long_as_its_share() -> None:
    assert bar(1) == "█" * CELLS
    assert bar(0.5) == "████    "
    assert bar(1 / 64) == "▏       "
    assert bar(1e-9) == "▏       "  # more than nothing is seen
    assert bar(0) == " " * CELLS
    lengths = [len(bar(n / 64).rstrip()) for n in range(65)]
    assert lengths == [-(-n // 8) for n in range(65)]


def test_guides_draw_a_tree() -> None:
    assert [guides(ends) for ends in ((), (False,), (False, True), (True, False))] == [
        "",
        "├ ",
        "│ └ ",
        "  ├ ",
    ]


def test_numbers_are_aligned_whether_they_have_a_unit_or_not() -> None:
    assert aligned(["9408", "13.31 K", ""]) == ["9408  ", "13.31 K", "  "]
    assert aligned(["512 B", "1.5 MiB"]) == ["512 B  ", "1.5 MiB"]
    assert aligned(["3→64", "64→128"], "→") == ["3→64 ", "64→128"]
    assert aligned([]) == []


def test_a_long_name_keeps_its_start_and_its_end() -> None:
    assert shortened("layer1.0.downsample.0", 21) == "layer1.0.downsample.0"
    assert shortened("layer1.0.downsample.0", 16) == "layer1.…sample.0"
    assert shortened("abc", 1) == "…"


def test_where_the_encoding_knows_no_bars_plainer_characters_stand() -> None:
    assert encodable("├ 0  64→128 3×3 █▎ 5 µs", "ascii") == "| 0  64>128 3x3 #- 5 us"
    assert encodable("3×3 → 56² …", "cp1252") == "3×3 > 56² …"
    assert encodable("名", "ascii") == "?"


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_every_encoding_of_standard_output_gets_the_whole_table(encoding: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "dualcost", "profile", "resnet50", *DUAL],
        env={**os.environ, "PYTHONIOENCODING": encoding, "COLUMNS": "80"},
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    text = done.stdout.decode(encoding)
    assert "4,089,184,256" in text
    assert ("├ 0" in text) == (encoding == "utf-8")
    assert ("| 0" in text) == (encoding != "utf-8")
