"""The filter designs against the costs of the same recipes, and against the paper's Figure 1."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.commands import Command
from support.witnesses import WITNESSES

from dualcost.errors import ExitCode
from dualcost.kinds.equations import D_o, G, K, M, N, P
from dualcost.kinds.filters import Sees, design
from dualcost.kinds.kinds import KINDS, kind

WEIGHTS = {Sees.NOTHING: 0, Sees.SPATIAL: 9, Sees.POINTWISE: 1, Sees.BOTH: 9 + 1}  # K = 3


@given(
    st.sampled_from(sorted(KINDS)),
    st.integers(1, 4),
    st.integers(1, 4),
    st.sampled_from([1, 2, 4]),
)
def test_the_drawn_kernels_add_up_to_the_equation_of_their_kind(
    name: str, m: int, n: int, divisor: int
) -> None:
    drawn = design(kind(name), m * divisor, n * divisor, divisor)
    weights = sum(WEIGHTS[s] for stage in drawn.stages for cells in stage.cells for s in cells)
    values = {D_o: 1, K: 3, M: m * divisor, N: n * divisor, G: divisor, P: divisor}
    assert weights == WITNESSES[name].subs(values)


@given(st.sampled_from(["group", "het", "dual"]), st.sampled_from([2, 4]), st.integers(1, 3))
def test_every_filter_has_its_share_of_spatial_kernels(name: str, divisor: int, m: int) -> None:
    (stage,) = design(kind(name), m * divisor, 2 * divisor, divisor).stages
    for cells in stage.cells:
        assert sum(sees in (Sees.SPATIAL, Sees.BOTH) for sees in cells) == m  # M/G or M/P


def test_dual_filters_are_arranged_as_in_figure_1e() -> None:
    (stage,) = design(kind("dual"), 4, 4, 2).stages
    both, only = Sees.BOTH, Sees.POINTWISE
    assert stage.cells == (
        (both, both, only, only),
        (both, both, only, only),
        (only, only, both, both),
        (only, only, both, both),
    )


def test_het_filters_are_shifted_as_in_figure_1d() -> None:
    (stage,) = design(kind("het"), 4, 4, 2).stages
    big, one = Sees.SPATIAL, Sees.POINTWISE
    assert stage.cells == (
        (big, one, big, one),
        (one, big, one, big),
        (big, one, big, one),
        (one, big, one, big),
    )


def test_depthwise_separable_filters_are_two_stages() -> None:
    depthwise, pointwise = design(kind("dsc"), 3, 5, 1).stages
    assert (depthwise.filters, depthwise.channels) == (3, 3)
    assert (pointwise.filters, pointwise.channels) == (5, 3)


def test_the_terminal_shows_a_sign_for_each_filter_and_channel(command: Command) -> None:
    code, out, _ = command("draw", "--conv", "dual", "--M", "8", "--N", "4", "--G", "2")
    assert code == ExitCode.OK
    grid = [line for line in out.splitlines() if line.startswith(("▣ ▣", "▪ ▪"))]
    assert [line.split() for line in grid] == [["▣"] * 4 + ["▪"] * 4] * 2 + [
        ["▪"] * 4 + ["▣"] * 4
    ] * 2


@pytest.mark.parametrize("name", sorted(KINDS))
def test_a_figure_has_a_square_for_each_filter_and_channel(
    command: Command,
    tmp_path: Path,
    name: str,
) -> None:
    letter = KINDS[name].letter
    options = [f"--{letter}", "2"] if letter else []
    words = ["draw", "--conv", name, "--M", "4", "--N", "6", *options, "-o", "a.svg"]
    assert command(*words)[0] == ExitCode.OK
    ids = {
        element.get("id", "")
        for element in ElementTree.parse(tmp_path / "a.svg").iter("{http://www.w3.org/2000/svg}g")
    }
    drawn = design(kind(name), 4, 6, 2)
    for stage in drawn.stages:
        for n, cells in enumerate(stage.cells):
            for m, sees in enumerate(cells):
                assert f"{stage.name}-filter{n}-channel{m}-{sees.name}" in ids
