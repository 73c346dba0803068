"""Orderings and rank correlations of the paper's networks, in races whose times are known."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import rankdata
from support.paper_races import as_printed, backbone, raced

from dualcost.lab.measurement import Ratio
from dualcost.paper.correlation import ALL, correlations, spearman
from dualcost.paper.latency import Backbone, Result, backbones
from dualcost.paper.orderings import FAILS, HOLDS, WITHIN, Order, orders


def found_orders(of: Backbone, times: dict[str, float], **words: float) -> tuple[Order, ...]:
    return orders([Result(of, (raced(of, times, **words),))])  # type: ignore[arg-type]


# ------------------------------------------------------------------------------- orderings


def test_times_as_printed_hold_every_ordering_that_has_a_printed_time() -> None:
    count = 0
    for one in backbones(("V", "VI")):
        for order in found_orders(one, as_printed(one)):
            assert order.verdict == HOLDS
            assert order.printed == pytest.approx(order.ratio.value, rel=2e-3)
            count += 1
    # group < dual twice, dual < het in two forms twice, G=32 three times, MobileNets once each
    assert count == 2 + 2 * 2 + 3 + 2


def test_each_form_of_het_has_its_own_verdict() -> None:
    resnet = backbone("ResNet-50")
    times = as_printed(resnet) | {"het P=4, grouped": 0.75, "het P=4, branches": 0.93}
    verdicts = {
        order.slower.implementation: order.verdict
        for order in found_orders(resnet, times)
        if order.slower.row.kind == "het"
    }
    assert verdicts == {"grouped": FAILS, "branches": HOLDS}  # dual takes 0.801


def test_a_difference_that_equals_show_as_well_is_within_the_interval() -> None:
    vgg = backbone("VGG-16")
    times = {"dual G=16": 0.500, "dual G=32": 0.505}
    (sure,) = found_orders(vgg, times)
    assert (sure.faster.row.divisor, sure.slower.row.divisor) == ("G=16", "G=32")
    assert sure.verdict == HOLDS
    assert sure.ratio.value == pytest.approx(1.01, rel=1e-3)
    (unsure,) = found_orders(vgg, times, control=1.03)
    assert unsure.verdict == WITHIN
    assert unsure.ratio.half_width >= 0.03 * unsure.ratio.value * 0.99


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(1.01, 1.02, HOLDS), (0.97, 0.99, FAILS), (0.99, 1.02, WITHIN), (1.0, 1.02, WITHIN)],
)
def test_the_verdict_is_where_the_interval_lies(low: float, high: float, verdict: str) -> None:
    vgg = backbone("VGG-16")
    (order,) = found_orders(vgg, {"dual G=16": 0.5, "dual G=32": 0.6})
    assert replace(order, ratio=Ratio((low + high) / 2, low, high)).verdict == verdict


def test_an_ordering_is_left_out_where_one_of_the_two_was_not_measured() -> None:
    assert found_orders(backbone("VGG-16"), {"dual G=16": 0.5, "dual G=8": 0.6}) == ()


# ----------------------------------------------------------------------------- correlations


@given(order=st.permutations(range(7)))
def test_the_rank_correlation_is_that_of_the_textbook(order: list[int]) -> None:
    squares = sum((rank - other) ** 2 for rank, other in enumerate(order))
    expected = 1 - 6 * squares / (7 * (7**2 - 1))
    pairs = [(float(rank), math.exp(other)) for rank, other in enumerate(order)]
    assert spearman(pairs) == pytest.approx(expected)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=3, max_size=12))
def test_equal_values_share_their_rank(pairs: list[tuple[int, int]]) -> None:
    found = spearman([(float(a), float(b)) for a, b in pairs])
    ranks = [rankdata(column) for column in zip(*pairs, strict=True)]
    if min(np.ptp(rank) for rank in ranks) == 0:
        assert found is None
    else:
        assert found == pytest.approx(np.corrcoef(*ranks)[0, 1])


def test_times_as_printed_correlate_fully_and_reversed_ones_do_not() -> None:
    results = [Result(one, (raced(one, as_printed(one)),)) for one in backbones(("V", "VI"))]
    found = {(one.of, one.column, one.implementation): one for one in correlations(results)}
    for result in results:
        alone = found[result.backbone.name, "cpu", "grouped"]
        assert alone.value == pytest.approx(1)
    counts = [found[one.backbone.name, "cpu", "branches"].count for one in results]
    assert counts == [6, 8, 8, 6]  # VGG-16's het has no printed time
    every = found[ALL, "cpu", "branches"]
    assert every.count == 6 + 8 + 8 + 6 - 4
    assert every.value == pytest.approx(1)
    vgg = results[0].backbone
    backwards = {name: 1 / ratio for name, ratio in as_printed(vgg).items()}
    (first, *_) = correlations([Result(vgg, (raced(vgg, backwards),))])
    assert first.value == pytest.approx(-1)


def test_of_two_forms_of_het_one_is_ranked_at_a_time() -> None:
    resnet = backbone("ResNet-50")
    times = as_printed(resnet) | {"het P=4, grouped": 0.1}
    found = correlations([Result(resnet, (raced(resnet, times),))])
    values = {one.implementation: one.value for one in found if one.column == "cpu"}
    assert values["branches"] == pytest.approx(1)
    # of eight, het is last but one as printed and first here: six others move by one
    assert values["grouped"] == pytest.approx(1 - 6 * (6**2 + 6) / (8 * 63))
