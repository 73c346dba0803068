"""Verdicts are exact, say by how much, and name the layers that make up an overshoot."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.networks import quickly
from support.snapshots import LAYERS, allowance, appraisal, limit, model, snapshot

from dualcost.gate.appraisal import Time
from dualcost.gate.budget import (
    FAIL,
    LOWER_BOUND,
    OK,
    RATCHET,
    UNCOUNTED,
    UnmatchedError,
    Verdict,
    grown,
    hold,
    judge,
)
from dualcost.gate.limit import WARN, LayerLimits
from dualcost.gate.snapshot import Snapshot

PARAMS = 10 + 300 + 300 + 500
MACS = 100 + 2000 + 4000 + 50


def only(verdicts: tuple[Verdict, ...]) -> Verdict:
    (verdict,) = verdicts
    return verdict


@pytest.mark.parametrize(("high", "status"), [(PARAMS, OK), (PARAMS - 1, FAIL), (PARAMS + 1, OK)])
def test_a_maximum_holds_to_the_integer(high: int, status: str) -> None:
    verdict = only(hold(appraisal(snapshot()), [limit("params", high)]))
    assert (verdict.status, verdict.headroom, verdict.now) == (status, high - PARAMS, PARAMS)


@pytest.mark.parametrize(("low", "status"), [(PARAMS, OK), (PARAMS + 1, FAIL), (PARAMS - 1, OK)])
def test_a_minimum_holds_to_the_integer(low: int, status: str) -> None:
    verdict = only(hold(appraisal(snapshot()), [limit("params", low=low)]))
    assert (verdict.status, verdict.headroom) == (status, PARAMS - low)


def test_a_limit_of_both_kinds_is_two_verdicts() -> None:
    upper, lower = hold(appraisal(snapshot()), [limit("params", high=1, low=1)])
    assert (upper.bound, upper.status, lower.bound, lower.status) == ("max", FAIL, "min", OK)


def test_a_warning_does_not_fail() -> None:
    verdict = only(hold(appraisal(snapshot()), [limit("params", 1, level=WARN)]))
    assert (verdict.passed, verdict.status) == (False, WARN)


@pytest.mark.parametrize("metric", ["macs", "flops"])
def test_a_partial_count_never_passes_a_maximum(metric: str) -> None:
    found = appraisal(snapshot(unknown=2))
    verdict = only(hold(found, [limit(metric, 10**9)]))
    assert (verdict.status, verdict.reason) == (FAIL, LOWER_BOUND)
    # what is at least so much is no less
    assert only(hold(found, [limit(metric, low=1)])).status == OK
    # parameters are all known
    assert only(hold(found, [limit("params", 10**9)])).status == OK


def test_a_partial_count_never_passes_the_ratchet_or_a_saving() -> None:
    partial = snapshot(unknown=1)
    guarded = [allowance("macs", Fraction(10))]
    assert only(grown("small", guarded, partial, snapshot())).reason == LOWER_BOUND
    saving = limit("reduction.macs", low=Fraction(0))
    found = replace(appraisal(partial), references={"": {"macs": 10**9}})
    assert only(hold(found, [saving])).reason == UNCOUNTED


@quickly
@given(st.integers(1, 10**12), st.integers(0, 10**12), st.integers(0, 100))
def test_a_reduction_is_an_exact_share(whole: int, left: int, percent: int) -> None:
    now = snapshot({"all": (left, left)})
    found = replace(appraisal(now), references={"": {"macs": whole}})
    asked = limit("reduction.macs", low=Fraction(percent, 100))
    verdict = only(hold(found, [asked]))
    # cross-multiplied, as one would check it by hand
    assert verdict.passed == (100 * (whole - left) >= percent * whole)


def test_a_reduction_against_another_model_takes_that_one() -> None:
    found = replace(appraisal(snapshot()), references={"": {}, "big": {"params": 4 * PARAMS}})
    asked = limit("reduction.params", low=Fraction(3, 4), against="big")
    verdict = only(hold(found, [asked]))
    assert (verdict.now, verdict.status, verdict.reason) == (Fraction(3, 4), OK, "against big")


@quickly
@given(
    st.integers(0, 10**6),
    st.integers(0, 10**6),
    st.none() | st.integers(0, 50),
    st.none() | st.integers(0, 10**5),
)
def test_of_two_bounds_of_growth_both_must_be_exceeded(
    before: int, after: int, percent: int | None, absolute: int | None
) -> None:
    if percent is None and absolute is None:
        return
    share = None if percent is None else Fraction(percent, 100)
    guarded = [allowance("macs", share, absolute)]
    old, new = (snapshot({"all": (macs, 1)}) for macs in (before, after))
    verdict = only(grown("small", guarded, new, old))
    beyond_share = percent is None or 100 * (after - before) > percent * before
    beyond_absolute = absolute is None or after - before > absolute
    assert verdict.passed != (beyond_share and beyond_absolute)
    assert verdict.passed == (verdict.headroom >= 0)
    assert (verdict.kind, verdict.base, verdict.now) == (RATCHET, before, after)


def changed(**layers: tuple[int, int]) -> Snapshot:
    return snapshot({**LAYERS, **{path.replace("_", "."): cost for path, cost in layers.items()}})


def test_what_grew_is_named_largest_first_until_it_makes_up_the_overshoot() -> None:
    now = changed(body_0=(2000, 1300), body_1=(4000, 700), head=(50, 501), body_2=(1, 200))
    over = limit("params", PARAMS + 201)  # 1000 + 400 + 1 + 200 more: 1400 over
    verdict = only(judge(model(over), appraisal(now), snapshot(), ()))
    assert verdict.difference == 1601
    assert verdict.headroom == -1400
    assert [(one.path, one.amount) for one in verdict.culprits] == [
        ("body.0", 1000),
        ("body.1", 400),
    ]
    assert all(one.grew for one in verdict.culprits)


def test_a_new_layer_grew_by_all_it_has() -> None:
    now = changed(extra=(7, 5000))
    verdict = only(judge(model(limit("params", PARAMS)), appraisal(now), snapshot(), ()))
    assert [(one.path, one.amount) for one in verdict.culprits] == [("extra", 5000)]


def test_without_a_baseline_the_largest_layers_are_named() -> None:
    verdict = only(hold(appraisal(snapshot()), [limit("macs", 1)]))
    assert [(one.path, one.amount, one.grew) for one in verdict.culprits] == [
        ("body.1", 4000, False),
        ("body.0", 2000, False),
        ("stem", 100, False),
        ("head", 50, False),
    ]


def test_layers_of_a_baseline_that_do_not_know_a_metric_are_not_compared() -> None:
    # a lock file keeps no traffic of layers: it would look as if all had grown
    verdict = only(judge(model(limit("traffic", 1)), appraisal(snapshot()), snapshot(), ()))
    assert not any(one.grew for one in verdict.culprits)


@pytest.mark.parametrize("metric", ["params", "macs"])
def test_nobody_is_to_blame_for_too_little(metric: str) -> None:
    verdict = only(hold(appraisal(snapshot()), [limit(metric, low=10**9)]))
    assert (verdict.status, verdict.culprits) == (FAIL, ())


def test_a_saving_that_is_missed_names_what_grew() -> None:
    now = changed(body_0=(2000, 1300), body_1=(4000, 400))
    found = replace(appraisal(now), references={"": {"params": 2 * PARAMS}})
    half = limit("reduction.params", low=Fraction(1, 2))  # 1110 of 2220; 1100 more than that
    verdict = only(judge(model(half), found, snapshot(), ()))
    assert verdict.base == Fraction(1, 2)
    assert [(one.path, one.amount) for one in verdict.culprits] == [
        ("body.0", 1000),
        ("body.1", 100),
    ]


def test_a_peak_names_the_layer_during_which_it_occurs() -> None:
    verdict = only(hold(appraisal(snapshot()), [limit("peak-activations", 1)]))
    assert [(one.path, one.amount) for one in verdict.culprits] == [("body.0", 1024)]


def test_unknown_ops_are_named() -> None:
    verdict = only(hold(appraisal(snapshot(unknown=3)), [limit("unknown-ops", 0)]))
    assert [(one.path, one.amount) for one in verdict.culprits] == [("erfinv", 3)]


def layers(match: str, whole: bool, high: int) -> LayerLimits:
    return LayerLimits(match, whole, (limit("params", high, line=11),), line=10)


@pytest.mark.parametrize(
    ("whole", "high", "now", "status", "culprits"),
    [
        (True, 600, 600, OK, []),
        (True, 599, 600, FAIL, ["body.0", "body.1"]),
        (False, 300, 300, OK, []),
        (False, 299, 300, FAIL, ["body.0", "body.1"]),
    ],
)
def test_layers_are_limited_as_a_sum_or_each(
    whole: bool, high: int, now: int, status: str, culprits: list[str]
) -> None:
    asked = model(layers=(layers("body.*", whole, high),))
    verdict = only(judge(asked, appraisal(snapshot()), None, ()))
    assert (verdict.now, verdict.status, verdict.line) == (now, status, 11)
    assert [one.path for one in verdict.culprits] == culprits


def test_a_glob_that_matches_nothing_is_an_error_with_its_line() -> None:
    asked = model(layers=(layers("boddy.0", True, 1),))
    with pytest.raises(UnmatchedError, match=r"no layer of small fits 'boddy\.0'") as raised:
        judge(asked, appraisal(snapshot()), None, ())
    assert raised.value.line == 10
    assert "did you mean body.0" in raised.value.hint


def test_a_latency_is_held_against_its_own_measurement_or_left_out() -> None:
    limits = [limit("latency.cpu", Fraction(1, 10), threads=n, level=WARN) for n in (1, 2)]
    found = appraisal(snapshot())
    assert hold(found, limits) == ()
    timed = replace(found, times={"latency.cpu 2": Time(0.2, 0.3, "20 rounds")})
    verdict = only(hold(timed, limits))
    assert (verdict.status, verdict.now, verdict.base) == (WARN, 0.2, 0.3)
