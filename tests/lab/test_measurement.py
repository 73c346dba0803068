"""The statistics of a race, on samples whose truth is known."""

from __future__ import annotations

from dataclasses import replace
from statistics import median

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from support.races import HERE, TRUE_S, contender, run_of

from dualcost.errors import UsageError
from dualcost.lab.measurement import (
    BETWEEN,
    QUIET,
    Comparison,
    Ratio,
    Run,
    Sample,
    Trust,
    at_best_pace,
    felt_ratio,
    spread,
    undisturbed_ratio,
)
from dualcost.lab.race import EAGER, GRAPH, Conditions, Race, Variant, field_of
from dualcost.latency.machine import Machine
from dualcost.render.bench import sentence
from dualcost.rewrite.request import Request


def disturbed(
    scale: float, rounds: int, seed: int, share: float = 0.3, noise: float = 0.002
) -> NDArray[np.float64]:
    """Forwards of TRUE_S × scale, with a little noise and interruptions of 3 ms."""
    rng = np.random.default_rng(seed)
    times = TRUE_S * scale * (1 + rng.exponential(noise, (rounds, len(TRUE_S))))
    return np.asarray(times + 3e-3 * (rng.random(times.shape) < share))


def compared(*runs: Run) -> Comparison:
    race = Race(tuple(run.contender for run in runs))
    return Comparison(race, runs, HERE, 1.0, "budget", {})


def test_the_undisturbed_time_is_the_sum_of_least_segments_and_no_forward_need_have_been_so() -> (
    None
):
    run = run_of(np.array([[1.0, 9, 1, 1], [9, 2, 1, 1], [1, 2, 9, 9]]) * 1e-3)
    assert run.undisturbed_s == pytest.approx((1 + 2 + 1 + 1) * 1e-3)
    assert min(sample.wall_s for sample in run.samples) == pytest.approx(12e-3)


def test_a_few_segments_that_were_counted_too_short_do_not_matter() -> None:
    segments = np.tile(TRUE_S, (100, 1))
    for row in range(5):  # 5 of 100, in every segment
        segments[row] *= 0.7
    assert run_of(segments).undisturbed_s == pytest.approx(TRUE_S.sum())
    segments[5] *= 0.7
    assert run_of(segments).undisturbed_s == pytest.approx(TRUE_S.sum() * 0.7)


def test_the_ratio_of_undisturbed_times_survives_what_spoils_every_single_forward() -> None:
    first, other = run_of(disturbed(1, 40, 1)), run_of(disturbed(0.8, 40, 2))
    found = undisturbed_ratio(first, other)
    assert found.value == pytest.approx(0.8, rel=0.002)
    assert found.low <= 0.8 <= found.high
    # the same forwards by their whole times are off by far more
    whole = median(s.wall_s for s in other.samples) / median(s.wall_s for s in first.samples)
    assert abs(whole - 0.8) > 0.02


@settings(max_examples=25, deadline=None)
@given(scale=st.floats(0.2, 5), seed=st.integers(0, 10**6))
def test_the_interval_is_about_the_estimate_and_scales_with_it(scale: float, seed: int) -> None:
    first, other = run_of(disturbed(1, 30, seed)), run_of(disturbed(scale, 30, seed + 1))
    found = undisturbed_ratio(first, other)
    assert found.low <= found.value <= found.high
    assert found.value == pytest.approx(scale, rel=0.02)
    # another unit of time is the same ratio
    slower = undisturbed_ratio(run_of(disturbed(1, 30, seed) * 7), other)
    assert slower.value * 7 == pytest.approx(found.value)
    assert slower.half_width * 7 == pytest.approx(found.half_width)


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    held = 0
    for seed in range(100):
        first = run_of(disturbed(1, 24, 2 * seed, noise=0.01))
        other = run_of(disturbed(0.9, 24, 2 * seed + 1, noise=0.01))
        found = undisturbed_ratio(first, other)
        held += found.low <= 0.9 <= found.high
    assert held >= 90  # 95 are promised; by chance they are fewer than 90 in 3 of 100 cases


def test_more_rounds_narrow_the_interval_and_the_spread() -> None:
    few = [run_of(disturbed(1, 12, 3)), run_of(disturbed(0.9, 12, 4))]
    many = [run_of(disturbed(1, 200, 3)), run_of(disturbed(0.9, 200, 4))]
    assert undisturbed_ratio(*many).half_width < undisturbed_ratio(*few).half_width / 2
    assert spread(many) < spread(few) / 2


def test_a_run_without_noise_has_no_spread() -> None:
    still = [run_of(np.tile(TRUE_S, (12, 1))), run_of(np.tile(TRUE_S * 2, (12, 1)))]
    assert spread(still) == 0
    assert undisturbed_ratio(*still) == Ratio(2, 2, 2)
    assert felt_ratio(*still) == Ratio(2, 2, 2)


def test_the_felt_ratio_is_the_median_of_the_rounds_and_its_interval_holds_it() -> None:
    rng = np.random.default_rng(0)
    first, other = np.tile(TRUE_S, (41, 1)), np.tile(TRUE_S * 0.7, (41, 1))
    busy = 1 + rng.random((41, 1))  # what slows a round slows both
    noise = 1 + 0.01 * rng.standard_normal((41, 1))
    found = felt_ratio(run_of(first * busy), run_of(other * busy * noise))
    assert found.value == pytest.approx(float(np.median(0.7 * noise)))
    assert found.low < found.value < found.high
    assert found.low <= 0.7 <= found.high


def test_waiting_for_the_processor_is_not_felt_but_tells_of_a_busy_machine() -> None:
    first = run_of(np.tile(TRUE_S, (12, 1)), waited=0.5)
    control = run_of(np.tile(TRUE_S, (12, 1)), contender(control=True), waited=0.5)
    assert first.felt_s == pytest.approx(5e-3)
    assert compared(first, control).slowdown == pytest.approx(0.5)
    assert compared(first, control).disturbed


def test_no_interval_is_narrower_than_what_the_control_strays() -> None:
    first = run_of(np.tile(TRUE_S, (12, 1)))
    other = run_of(np.tile(TRUE_S * 0.97, (12, 1)))
    control = run_of(np.tile(TRUE_S * 1.04, (12, 1)), contender(control=True))
    _, standing = compared(first, other, control).standings
    assert standing.undisturbed.half_width == pytest.approx(0.04 * 0.97)
    assert standing.verdict == "not told apart"  # 3 % less is no claim where equals differ by 4 %
    exact = run_of(np.tile(TRUE_S, (12, 1)), contender(control=True))
    assert compared(first, other, exact).standings[1].verdict == "faster"
    slow = run_of(np.tile(TRUE_S * 1.2, (12, 1)))
    assert compared(first, slow, control).standings[1].verdict == "slower"


def test_a_busy_machine_is_called_disturbed_and_a_quiet_one_is_not() -> None:
    def race(share: float) -> Comparison:
        runs = [run_of(disturbed(scale, 30, seed, share)) for scale, seed in ((1, 1), (0.8, 2))]
        return compared(*runs, run_of(disturbed(1, 30, 3, share), contender(control=True)))

    assert race(0.5).disturbed
    assert race(0.5).trust in (Trust.BEST, Trust.INTERVALS)
    assert "was disturbed" in sentence(race(0.5))
    median_s = median(sample.wall_s for sample in race(0.5).runs[0].samples)
    assert race(0.5).slowdown == pytest.approx(median_s / 5e-3 - 1, rel=0.1)
    assert not race(0).disturbed
    assert race(0).trust is Trust.BOTH
    assert "quiet" in sentence(race(0))


def test_ratios_that_disagree_tell_of_a_disturbance_even_if_both_are_steady() -> None:
    first = run_of(np.tile(TRUE_S, (12, 1)))
    slower = np.tile(TRUE_S * 1.05, (12, 1))
    slower[::4] = TRUE_S  # only now and then does it take what it could
    other = run_of(slower)
    control = run_of(np.tile(TRUE_S, (12, 1)), contender(control=True))
    result = compared(first, other, control)
    assert result.slowdown == pytest.approx(0)
    assert result.standings[1].disagrees
    assert result.disturbed


def test_equals_that_differ_by_more_than_the_target_tell_of_a_disturbance() -> None:
    first = run_of(np.tile(TRUE_S, (12, 1)))
    for strays, disturbed_by_it in ((1.01, False), (1.03, True)):  # the target is 2 %
        control = run_of(np.tile(TRUE_S * strays, (12, 1)), contender(control=True))
        assert compared(first, control).disturbed is disturbed_by_it


def test_each_mode_is_compared_to_its_own_first() -> None:
    runs = [
        run_of(np.tile(TRUE_S * scale, (12, 1)), contender(mode, control=control))
        for mode, scale, control in (
            (EAGER, 4, False), (EAGER, 2, False), (EAGER, 4, True),
            (GRAPH, 1, False), (GRAPH, 0.9, False), (GRAPH, 1, True),
        )
    ]  # fmt: skip
    found = [standing.undisturbed.value for standing in compared(*runs).standings]
    assert found == pytest.approx([1, 0.5, 1, 0.9])
    assert spread(runs) == 0


def test_the_field_of_a_race_has_a_control_for_each_mode() -> None:
    plain, dual = contender(), replace(contender(), variant=Variant(Request.parse("dual:4")))
    field = [*field_of([plain, dual], Conditions(device="cuda").modes)]
    assert [(str(one.variant), one.mode, one.control) for one in field] == [
        ("as it is", EAGER, False), ("dual G=4", EAGER, False), ("as it is", EAGER, True),
        ("as it is", GRAPH, False), ("dual G=4", GRAPH, False), ("as it is", GRAPH, True),
    ]  # fmt: skip


def test_layers_and_gaps_sum_to_the_whole() -> None:
    first = run_of(disturbed(1, 20, 5))
    control = run_of(disturbed(1, 20, 6), contender(control=True))
    result = compared(first, control)
    assert [layer.path for layer in result.layers] == ["a", "b", BETWEEN]
    assert sum(layer.seconds[0] or 0 for layer in result.layers) == pytest.approx(
        first.undisturbed_s
    )
    least = np.sort(first.segments, axis=0)[1]  # 1 of 20 is left out
    assert result.layers[0].seconds[0] == pytest.approx(least[0] + least[3])


def test_forwards_that_take_different_paths_are_timed_as_a_whole() -> None:
    samples = (Sample((1e-3, 2e-3, 3e-3, 1e-3), 7e-3), Sample((1e-3, 5e-3), 6e-3))
    run = Run(contender(), samples, ("a", BETWEEN, "b", "a"))
    assert run.undisturbed_s == pytest.approx(6e-3)
    assert run.by_place == {BETWEEN: pytest.approx(6e-3)}


def test_the_race_survives_its_way_to_the_measuring_process() -> None:
    import json

    variant = Variant(Request.parse("dual:4@kernel=3;M<=32: G=8"))
    race = Race(
        (contender(), replace(contender(), variant=variant)),
        Conditions(threads=2, dtype="bfloat16", channels_last=True),
        target=0.01,
        budget_s=3,
        by_layer=True,
    )
    assert Race.from_json(json.loads(json.dumps(race.to_json()))) == race


def test_a_race_refuses_what_cannot_be_measured() -> None:
    with pytest.raises(UsageError, match="no device is called 'tpu'"):
        Conditions(device="tpu")
    with pytest.raises(UsageError, match="'int8' cannot be measured"):
        Conditions(dtype="int8")
    with pytest.raises(UsageError, match="target of 0%"):
        Race((contender(),), target=0)
    with pytest.raises(UsageError, match="no time measures nothing"):
        Race((contender(),), budget_s=0)
    for conditions in (Conditions(compile=True), Conditions(device="cuda")):
        with pytest.raises(UsageError, match="only an eager model on the processor"):
            Race((contender(),), conditions, by_layer=True)


def test_a_machine_is_read_back_and_known_again_by_its_fingerprint() -> None:
    assert Machine.from_json(HERE.to_json()) == HERE
    assert replace(HERE, cores=1, memory_bytes=1).fingerprint == HERE.fingerprint
    for other in ({"torch": "2.16.0"}, {"threads": 2}, {"l2_bytes": 2**21}, {"gpu": "a GPU"}):
        assert replace(HERE, **other).fingerprint != HERE.fingerprint
    assert HERE.differences(replace(HERE, torch="2.16.0", cores=1)) == (
        "torch 2.15.0 is not 2.16.0",
    )


@pytest.mark.parametrize(
    "change",
    [{"threads": "1"}, {"threads": True}, {"cores": -1}, {"processor": None}, {"torch": "2.16.0"}],
)
def test_a_machine_whose_facts_do_not_fit_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="description of a machine cannot be read"):
        Machine.from_json({**HERE.to_json(), **change})
    with pytest.raises(UsageError, match="it is no object"):
        Machine.from_json([])


@given(
    st.lists(st.floats(1e-6, 1.0), min_size=1, max_size=9),
    st.lists(st.tuples(*[st.floats(1.0, QUIET - 0.01)] * 2), min_size=1, max_size=6),
    st.lists(st.tuples(st.floats(QUIET, 3.0), st.floats(1.0, 3.0)), max_size=20),
)
def test_what_slows_a_quiet_processor_is_taken_out_and_what_disturbs_it_does_not_count(
    times: list[float], quiet: list[tuple[float, float]], loud: list[tuple[float, float]]
) -> None:
    best_s = 4e-5
    slowed = np.array([*quiet, *loud])
    runs = np.outer(np.sqrt(slowed.prod(axis=1)), times)
    runs[len(quiet) :] *= 7
    assert at_best_pace(runs, best_s * slowed, best_s) == pytest.approx(times)


def test_of_no_quiet_run_the_least_disturbed_counts() -> None:
    paces = np.array([[1.0, 2.0], [1.4, 1.4], [1.0, 1.5]])
    times = np.array([[5.0], [2.8], [9.0]])
    assert at_best_pace(times, paces, 1.0) == pytest.approx([2.0])
