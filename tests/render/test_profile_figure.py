"""The figure of a profile: its bars are the numbers of its rows, and add up."""

from __future__ import annotations

from pathlib import Path

import pytest
from matplotlib.container import BarContainer
from support.commands import Command

import dualcost
from dualcost.errors import ExitCode
from dualcost.render.figure import drawing
from dualcost.render.profile.figure import profile_figure
from dualcost.units import MEBI
from dualcost.views.tree import outline


def widths(model: str, sort: str = "order") -> list[list[float]]:
    """The lengths of the bars, of each set of bars."""
    result = dualcost.profile(model)
    with drawing():
        (axes,) = profile_figure(result, outline(result, None, sort, None), sort).axes
    return [
        [bar.get_width() for bar in bars]
        for bars in axes.containers
        if isinstance(bars, BarContainer)
    ]


@pytest.mark.parametrize(
    "model", ["resnet50+dual:4", "vgg16+het:4", "mobilenet_v2+dual:8@separable"]
)
def test_the_bars_before_and_after_add_up_to_the_network(model: str) -> None:
    result = dualcost.profile(model)
    before, after, _ = widths(model)
    assert sum(before) == result.before.macs
    assert sum(after) == result.after.macs
    assert len(before) == len(after) > 3


def test_a_network_as_it_is_has_one_set_of_bars() -> None:
    (only,) = widths("resnet18")
    assert sum(only) == dualcost.profile("resnet18").before.macs


def test_bars_are_of_what_rows_are_sorted_by_the_longest_first() -> None:
    result = dualcost.profile("resnet18+dual:4")
    before, after, _ = widths("resnet18+dual:4", "params")
    assert sum(after) == result.after.params
    assert after[:-1] == sorted(after[:-1], reverse=True)  # the last is the rest, if there is one
    before, after, _ = widths("resnet18+dual:4", "weights")
    assert sum(before) * MEBI == pytest.approx(result.before.weight_bytes)


def test_the_command_draws_it_and_the_same_file_each_time(command: Command, tmp_path: Path) -> None:
    for name in ("a.svg", "b.svg", "a.png", "a.pdf"):
        words = ("profile", "resnet18", "--conv", "dual:4", "-o", str(tmp_path / name))
        assert command(*words) == (ExitCode.OK, "", f"dualcost: wrote {tmp_path / name}\n")
    text = (tmp_path / "a.svg").read_text()
    assert text == (tmp_path / "b.svg").read_text()
    for shown in ("layer4.1.conv2", "after: dual G=4 (743.1 M)", "before (1.814 G)"):
        assert shown in text
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
