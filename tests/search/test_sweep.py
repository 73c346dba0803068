"""Sweeps: every point costs what its profile costs, and whatever goes wrong, rows are kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import joblib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.calibrations import linear_calibration
from support.networks import conv, linear, network, quickly, site

import dualcost
from dualcost.costs.metrics import COMPARED, METRICS
from dualcost.costs.profile import profile
from dualcost.costs.timed import timed
from dualcost.errors import ModelError, UsageError
from dualcost.kinds.kinds import KINDS
from dualcost.library import networks as library
from dualcost.network.network import Network, TensorSpec
from dualcost.paper.sweep import paper_ways
from dualcost.paper.tables import printed_rows
from dualcost.rewrite.request import POLICIES, Request
from dualcost.search.sweep import curve
from dualcost.search.sweep.arrays import sweep
from dualcost.search.sweep.curve import Curve
from dualcost.search.sweep.rows import DONE, FAILED, UNFIT, Point, Replacing, Swept, fronts, ordered
from dualcost.search.sweep.study import Series, Study, plan, run
from dualcost.units import span

DIVISORS = (*range(1, 13), 16, 24, 32, 40, 48, 64, 128, 1024)
COSTS = ("macs", "params", "traffic", "weight_bytes")


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("4", (4,)),
        ("1,2,4", (1, 2, 4)),
        ("1..32", (1, 2, 4, 8, 16, 32)),
        ("1..33", (1, 2, 4, 8, 16, 32)),
        ("3..24", (3, 6, 12, 24)),
        ("2..8:2", (2, 4, 6, 8)),
        ("2..9:3, 5, 100", (2, 5, 8, 100)),
        ("7..7", (7,)),
    ],
)
def test_a_span_is_a_list_doublings_or_steps(text: str, values: tuple[int, ...]) -> None:
    assert span(text, "--G") == values


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("32..1", "--G 32..1 is empty"),
        ("8..4:2", "is empty"),
        ("0", "not positive"),
        ("0..3:1", "not positive"),
        ("0..8", "doubles 0"),
        ("1..8:0", "steps of 0"),
        ("", "no values ''"),
        ("1,,2", "no values ''"),
        ("-1", "no values '-1'"),
        ("1..", "no values '1..'"),
        ("two", "no values 'two'"),
    ],
)
def test_a_span_without_values_is_refused(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        span(text, "--G")
    assert "1..32" in caught.value.hint


def check_against_profiles(
    traced: Network, kinds: Sequence[str], way: Replacing, divisors: Sequence[int]
) -> int:
    """Compare every entry of a sweep with a profile; how many could be carried out."""
    found = sweep(traced, kinds, np.array(divisors), way=way)
    assert len(found) == sum(len(divisors) if KINDS[name].letter else 1 for name in kinds)
    masked = np.ma.getmaskarray(found.macs)
    fitting = 0
    for index, (name, divisor) in enumerate(zip(found.kind, found.divisor, strict=True)):
        asked = way.request(str(name)).at(int(divisor))
        try:
            wanted = profile(traced, asked)
        except UsageError:
            assert masked[index]
            assert found.reason(index)
            continue
        fitting += 1
        assert not masked[index]
        assert found.reason(index) == ""
        for metric in COSTS:
            assert getattr(found, metric)[index] == getattr(wanted.after, metric)
        assert found.peak_bytes[index] == wanted.peak[1].nbytes
        assert found.replaced[index] == wanted.replaced
    return fitting


@pytest.mark.parametrize("policy", ["refuse", "keep", "gcd", "fallback:8"])
@pytest.mark.parametrize(
    ("name", "where"),
    [
        ("resnet18", "default"),
        ("vgg16-cifar10", "stride-1"),
        ("mobilenetv2-cifar", "inverted-residual"),
        ("mobilenetv1-cifar10", "separable"),
        ("googlenet", "default"),
    ],
)
def test_arrays_equal_profiles_at_every_point(name: str, where: str, policy: str) -> None:
    way = Replacing(where, policy)
    assert check_against_profiles(library.load(name), tuple(KINDS), way, DIVISORS)


def test_arrays_equal_profiles_with_exceptions_and_without_biases() -> None:
    traced = library.load("mobilenetv2-cifar")
    way = Replacing("inverted-residual", "gcd", "drop", ("M<=32: G=8", "path=*.17*: keep"))
    assert check_against_profiles(traced, ("dual", "group"), way, DIVISORS)
    refusing = replace(way, indivisible="refuse", but=("M<=32: G=7",))
    found = sweep(traced, ("dual",), np.array([1, 2, 4]), way=refusing)
    assert found.macs.mask.all()
    # the exception's own number is to blame, whatever G is
    assert all("is not divisible by G=7" in found.reason(index) for index in range(3))


@st.composite
def small_networks(draw: st.DrawFn) -> Network:
    """A stem and some convolutions, some of which share a weight, and a classifier."""
    channels = st.sampled_from([1, 2, 3, 4, 6, 8, 12, 30])
    ops = [conv("stem", site(3, 4))]
    shapes: dict[str, tuple[int, int, int]] = {}
    for index in range(draw(st.integers(1, 5))):
        owner = draw(st.sampled_from([f"c{index}", *shapes]))
        shape = shapes.setdefault(
            owner, (draw(channels), draw(channels), draw(st.sampled_from([1, 3])))
        )
        ops.append(conv(f"c{index}", site(*shape, bias=index % 2 == 0), index, weight=owner))
    return network(*ops, linear("head", 8, 10, len(ops) - 1))


@quickly
@given(
    traced=small_networks(),
    policy=st.sampled_from([*POLICIES[:3], "fallback:2"]),
    divisors=st.lists(st.integers(1, 70), min_size=1, max_size=8),
)
def test_arrays_equal_profiles_on_any_small_network(
    traced: Network, policy: str, divisors: list[int]
) -> None:
    check_against_profiles(traced, tuple(KINDS), Replacing("default", policy), divisors)


def test_a_million_points_take_one_profile_for_each_set_of_replaced_sites(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    traced = library.load("inception_v3")
    calls: list[object] = []

    def counting(*arguments: Any) -> Any:
        calls.append(arguments)
        return profile(*arguments)

    monkeypatch.setattr(curve, "profile", counting)
    divisors = np.random.default_rng(0).integers(1, 10**6, 10**6)
    line = Curve(traced, Replacing(indivisible="gcd").request("dual"))
    replaced, found = line.over(divisors)
    assert len(calls) == 1
    assert not found["macs"].mask.any()
    assert not replaced.mask.any()
    for index in range(0, 10**6, 99_991):
        wanted = profile(traced, line.asked.at(int(divisors[index]))).after
        assert (found["macs"][index], found["params"][index]) == (wanted.macs, wanted.params)


def test_integers_beyond_64_bits_stay_exact() -> None:
    large = site(64, 64, batch=2**50)
    traced = network(conv("stem", site(3, 64)), conv("c", large, 0))
    found = sweep(traced, ("group",), np.array([2, 64]))
    stem = 8 * 8 * 9 * 3 * 64  # D_o*D_o*K*K*M*N
    assert found.macs.dtype == object
    assert found.macs.tolist() == [
        stem + 2**50 * 8 * 8 * 9 * 64 * 64 // G
        for G in (2, 64)  # batch*D_o*D_o*K*K*M*N/G
    ]


@pytest.mark.parametrize("wrong", [[0], [-2, 4], [1.5], ["4"], [2**64 - 1]])
def test_what_is_not_a_positive_integer_is_no_divisor(wrong: list[Any]) -> None:
    with pytest.raises(UsageError, match="not every G is a positive integer"):
        dualcost.sweep("alexnet", G=wrong)


def test_the_python_interface_takes_several_kinds_and_a_shape_of_its_own() -> None:
    found = dualcost.sweep("resnet50", conv=("dual", "het", "dsc"), G=[[2, 4], [8, 3]])
    assert found.kind.tolist() == ["dual"] * 4 + ["het"] * 4 + ["dsc"]
    assert found.divisor.tolist() == [2, 4, 8, 3] * 2 + [1]
    assert found.macs[1] == dualcost.profile("resnet50", conv="dual", G=4).after.macs
    assert found.macs[5] == dualcost.profile("resnet50", conv="het", P=4).after.macs
    assert found.macs[8] == dualcost.profile("resnet50", conv="dsc").after.macs
    assert found.macs.mask.tolist() == [False] * 3 + [True] + [False] * 3 + [True, False]
    assert "P=3" in found.reason(7)
    assert found.before.macs == 4_089_184_256  # torchvision: 4.089 G


def test_latencies_are_those_of_profiles() -> None:
    traced, calibration = library.load("mobilenetv2-cifar"), linear_calibration()
    way = Replacing("inverted-residual", "gcd")
    studies = plan(["mobilenetv2-cifar"], G=DIVISORS, ways=[way])
    for row in run(studies, library.load, calibration=calibration):
        conv = row.point.conv
        asked = way.request(conv).at(row.point.G or row.point.P or 1) if conv else None
        predicted = timed(profile(traced, asked), traced, calibration).latency
        assert predicted is not None
        assert row.latency_s == predicted.after.seconds
        assert row.latency_lower_s == predicted.after.lower_s
        assert row.latency_upper_s == predicted.after.upper_s
    assert {row.latency_s for row in run(studies, library.load)} == {None}


def test_rows_are_sorted_within_their_model_the_largest_first() -> None:
    rows = [*run(plan(["alexnet", "resnet18"], ["dual"], G=[2, 3, 8]), library.load)]
    found = ordered(rows, METRICS["params"])
    assert sorted(map(str, found)) == sorted(map(str, rows))
    assert [row.point.model for row in found] == ["alexnet"] * 4 + ["resnet18"] * 4
    for model in ("alexnet", "resnet18"):
        params = [row.params for row in found if row.point.model == model and row.status == DONE]
        assert params == sorted(params, reverse=True)
    # no model has channels that 3 divides everywhere
    assert [row.status for row in found] == [*[DONE] * 3, UNFIT] * 2


def test_an_empty_array_gives_empty_arrays() -> None:
    assert len(dualcost.sweep("alexnet", G=np.array([], dtype=int))) == 0


# plans and rows


def rows_of(*models: str, load: Any = library.load, **words: Any) -> list[Swept]:
    return list(run(plan(models, **words), load))


def test_without_a_model_the_costs_of_tables_v_and_vi_come_out() -> None:
    rows = {
        (row.point.model, row.point.label): row
        for row in run(plan((), otherwise=paper_ways()), library.load)
    }
    # four networks, each as it is, standard, dsc, and three kinds at six numbers
    assert len(rows) == 4 * (3 + 3 * 6)
    checked = 0
    for printed in printed_rows():
        if printed.dataset != "imagenet" or printed.rewrite is None:
            continue
        row = rows[f"zoo:{printed.network}", printed.rewrite.label]
        for value, said, note in (
            (row.macs, printed.flops, printed.flops_note),
            (row.params, printed.params, printed.params_note),
        ):
            if said is not None and not note:
                assert value is not None
                assert abs(value - said.value) < said.unit, row.point
                checked += 1
    assert checked > 30


def test_a_study_has_as_many_points_as_it_says() -> None:
    ways = [Replacing("default"), Replacing("stride-1")]
    studies = plan(["alexnet", "vgg11"], G=[2, 4, 8], P=[2], sizes=["", "1x3x99x99"], ways=ways)
    assert [study.model for study in studies] == ["alexnet", "alexnet", "vgg11", "vgg11"]
    for study in studies:
        # as it is; two rules × (standard, dsc, group and dual at 3 G, het at 1 P)
        assert len(study) == 1 + 2 * (1 + 1 + 2 * 3 + 1)
        assert len(list(study.points())) == len(study) - 1


def test_what_is_asked_for_twice_is_run_once() -> None:
    ways = [Replacing(), Replacing()]
    (study,) = plan(["alexnet"] * 2, ["dual"] * 2, [2], sizes=[""] * 2, batches=[1, 1], ways=ways)
    assert len(study) == 2


def test_the_values_of_p_are_those_of_g_unless_they_are_given() -> None:
    (study,) = plan(["alexnet"], ["het", "dual"], [2, 8])
    assert [(p.G, p.P) for p, *_ in study.points()] == [(None, 2), (None, 8), (2, None), (8, None)]
    (study,) = plan(["alexnet"], ["het", "dual"], [2], [4])
    assert [(p.G, p.P) for p, *_ in study.points()] == [(None, 4), (2, None)]
    with pytest.raises(UsageError, match="none of dual, dsc takes it"):
        plan(["alexnet"], ["dual", "dsc"], P=[2])


@pytest.mark.parametrize(
    "words",
    [
        {"kinds": ["duel"]},
        {"sizes": ["1x3xx"]},
        {"batches": [0]},
        {"convention": "tor"},
        {"ways": [Replacing("kernal=3")]},
        {"ways": [Replacing(indivisible="ignore")]},
        {"ways": [Replacing(bias="some")]},
        {"ways": [Replacing(but=("M<=32: P=8",))]},
    ],
    ids=str,
)
def test_what_does_not_fit_is_refused_before_any_work(words: dict[str, Any]) -> None:
    words = {"kinds": ["dual"], **words}
    with pytest.raises(UsageError):
        plan(["alexnet"], **words)


class Loading:
    """`library.load`, remembering what was loaded, and failing at some names."""

    def __init__(self, *failing: str) -> None:
        self.loaded: list[tuple[str, tuple[TensorSpec, ...], int | None]] = []
        self.failing = failing

    def __call__(self, model: str, inputs: Sequence[TensorSpec], batch: int | None) -> Network:
        self.loaded.append((model, tuple(inputs), batch))
        if model in self.failing:
            raise ModelError(f"{model} is\nout of cheese")
        return library.load(model)


def test_a_model_is_traced_once_for_each_input_and_batch() -> None:
    load = Loading()
    ways = [Replacing("default"), Replacing("stride-1")]
    rows_of("alexnet", load=load, sizes=["1x3x99x99", "1x3x77x77"], batches=[1, 2], ways=ways)
    assert load.loaded == [
        ("alexnet", (TensorSpec((1, 3, side, side)),), batch)
        for side in (99, 77)
        for batch in (1, 2)
    ]


def test_several_tensors_of_one_input_are_joined_by_commas() -> None:
    load = Loading()
    rows_of("alexnet", load=load, sizes=["ids=1x77:int64,mask=1x77"], kinds=["dsc"])
    (_, inputs, _) = load.loaded[0]
    assert inputs == (TensorSpec((1, 77), "int64", "ids"), TensorSpec((1, 77), name="mask"))


def test_rows_come_before_the_next_model_is_loaded() -> None:
    load = Loading()
    rows = run(plan(["alexnet", "vgg11"], ["dual"], [2, 4]), load)
    assert load.loaded == []
    for _ in range(3):
        assert next(rows).point.model == "alexnet"
    assert [model for model, *_ in load.loaded] == ["alexnet"]


def test_a_model_that_cannot_be_traced_is_a_row_and_the_others_go_on() -> None:
    rows = rows_of("alexnet", "vgg11", "vgg13", load=Loading("vgg11"), kinds=["dual"], G=[2])
    assert [(row.point.model, row.status) for row in rows] == [
        ("alexnet", DONE), ("alexnet", DONE), ("vgg11", FAILED), ("vgg13", DONE), ("vgg13", DONE),
    ]  # fmt: skip
    assert rows[2].reason == "vgg11 is out of cheese"  # on one line, as a file needs it
    assert rows[2].macs is None


def test_a_number_that_divides_nothing_is_a_row_with_the_reason() -> None:
    own, unfit, fits = rows_of("resnet50", kinds=["dual"], G=[3, 4])
    assert (own.status, unfit.status, fits.status) == (DONE, UNFIT, DONE)
    assert unfit.reason == "layer1.0.conv2: M=64 is not divisible by G=3 (so at 15 more sites)"
    assert unfit.macs is None
    assert fits.macs == 2_907_439_104  # Table V prints 2.91 G
    assert fits.macs_ratio == fits.macs / 4_089_184_256


def test_a_rule_that_matches_nothing_says_what_to_try() -> None:
    _, row = rows_of("mobilenet_v2", kinds=["dual"], G=[4])
    assert row.status == UNFIT
    assert "nothing in torchvision:mobilenet_v2 matches" in row.reason
    assert "--where inverted-residual" in row.reason


def test_points_that_are_done_are_left_out_and_their_model_is_not_loaded() -> None:
    studies = plan(["alexnet", "vgg11"], ["dual", "dsc"], [2, 4])
    rows = list(run(studies, library.load))
    load = Loading()
    assert list(run(studies, load, done={row.point for row in rows})) == []
    assert load.loaded == []
    some = {row.point for row in rows[:5]}
    assert list(run(studies, load, done=some)) == rows[5:]


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_several_jobs_give_the_same_rows_in_the_same_order(backend: str) -> None:
    studies = plan(["alexnet", "alexnte", "vgg11"], ["dual", "dsc"], [2, 3])
    alone = list(run(studies, library.load))
    with joblib.parallel_config(backend=backend, n_jobs=2):
        together = list(run(studies, library.load, jobs=None, done={alone[0].point}))
    assert together == alone[1:]


def test_the_front_is_what_no_other_row_beats() -> None:
    rows = rows_of("resnet18", "alexnet", "resnet50", G=[2, 3, 8, 32])
    for x, y in (("traffic", "params"), ("peak_bytes", "macs"), ("params", "macs")):
        by_key = {metric.key: metric for metric in COMPARED.values()}
        kept = fronts(rows, by_key[x], by_key[y])
        for row in rows:
            beaten = any(
                getattr(other, x) <= getattr(row, x)
                and getattr(other, y) <= getattr(row, y)
                and (getattr(other, x), getattr(other, y)) != (getattr(row, x), getattr(row, y))
                for other in rows
                if row.status == DONE == other.status and other.panel == row.panel
            )
            assert (row in kept) == (row.status == DONE and not beaten)


def test_every_kind_of_row_can_be_told_apart_by_its_point() -> None:
    ways = [Replacing(), Replacing(bias="drop"), Replacing(but=("M>64: keep",))]
    words = {"kinds": list(KINDS), "G": [2, 4], "ways": ways, "batches": [1]}
    for convention in ("torch", "paper"):
        rows = rows_of("vgg11", convention=convention, **words)
        assert len({row.point for row in rows}) == len(rows)
        assert {row.point.convention for row in rows} == {convention}


def test_a_study_makes_its_points_only_as_they_are_needed() -> None:
    numbers = tuple(range(1, 10**6))
    study = Study(
        "alexnet", "", None, "torch", (Series(Request.parse("dual", open=True), numbers),)
    )
    assert len(study) == 10**6
    assert next(study.points())[0] == Point(
        "alexnet", conv="dual", G=1, where="default", indivisible="refuse", bias="keep"
    )
