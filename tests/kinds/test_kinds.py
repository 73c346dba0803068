"""A recipe costs what the paper's equations say, what a count by hand says, for any number."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.networks import elements, quickly, site
from support.witnesses import WITNESSES
from sympy import simplify, symbols, sympify

from dualcost.errors import IndivisibleError, UnknownNameError, UsageError
from dualcost.kinds.equations import COST_OF_KIND, D_o, G, K, M, N, P
from dualcost.kinds.kinds import KINDS, divisor_of, kind, known
from dualcost.kinds.recipe import ConvKind
from dualcost.network.cost import Cost
from dualcost.spelling import plain

every_kind = pytest.mark.parametrize("name", list(KINDS))
LETTERS = {"": 1, "G": G, "P": P}
I_POSITIONS = symbols("I", positive=True, integer=True)


def closed_form(name: str) -> Any:
    """The recipe in the paper's letters."""
    made_of = KINDS[name]
    return made_of.cost(K**2, M, N, D_o**2, I_POSITIONS, LETTERS[made_of.letter])


# --- the paper's page is one witness


def test_every_kind_has_a_witness_outside_of_its_recipe() -> None:
    assert set(WITNESSES) == set(KINDS)


@every_kind
def test_a_recipe_is_the_printed_equation(name: str) -> None:
    printed = WITNESSES[name]
    found = closed_form(name)
    assert simplify(found.macs - printed) == 0
    # a weight is used once at each of D_o*D_o positions
    assert simplify(found.params * D_o**2 - printed) == 0


def test_there_are_the_five_kinds_of_the_paper_with_their_letters() -> None:
    assert {name: KINDS[name].letter for name in COST_OF_KIND} == {
        "standard": "",
        "dsc": "",
        "group": "G",
        "het": "P",
        "dual": "G",
    }
    assert all(KINDS[name].name == name for name in KINDS)


def test_dual_is_group_and_a_pointwise_convolution() -> None:
    more = closed_form("dual").macs - closed_form("group").macs
    assert simplify(more - D_o**2 * M * N) == 0
    assert simplify(more - closed_form("standard").macs.subs(K, 1)) == 0


# --- a count by hand is the other: no formulas

Use = tuple[str, int, int, int]  # part, filter, channel, tap: names one weight


def uses(name: str, M: int, N: int, taps: int, divisor: int) -> Iterator[Use]:
    """Every weight that is applied at one position, as the paper draws the filters."""
    filters, channels, kernel = range(N), range(M), range(taps)
    for c, tap in product(channels, kernel):
        if name == "dsc":
            yield "depthwise", c, c, tap
    for n, c in product(filters, channels):
        # the n-th block of filters meets the n-th block of channels
        same_group = n * divisor // N == c * divisor // M
        # the K×K kernels of a heterogeneous filter sit at every P-th channel, each filter's shifted
        its_turn = n % divisor == c % divisor
        square = {"standard": True, "group": same_group, "dual": same_group, "het": its_turn}
        if square.get(name, False):
            yield from (("spatial", n, c, tap) for tap in kernel)
        point = {"dsc": True, "dual": True, "het": not its_turn}
        if point.get(name, False):
            yield "pointwise", n, c, 0


def tensors(name: str, M: int, N: int, taps: int, divisor: int, here: int, there: int) -> int:
    """Elements of all tensors read and written; a channel has `here` before and `there` after."""
    before, between, after = (M, here), (M, there), (N, there)
    add = (after, after, after)  # two are read, one is written
    point = (before, (N, M), after)
    group = (before, (N, M // divisor, taps), after)
    shapes: dict[str, tuple[tuple[int, ...], ...]] = {
        "standard": (before, (N, M, taps), after),
        "group": group,
        "dsc": (before, (M, 1, taps), between, between, (N, M), after),
        "dual": (*group, *point, *add),
        "het": (*group, before, (N, M - M // divisor), after, *add),
    }
    if name == "het" and divisor == 1:  # nothing is left for the 1×1 kernels
        return elements(*shapes["standard"])
    return elements(*shapes[name])


def additions(name: str, N: int, divisor: int, there: int, bias: bool) -> int:
    """Operations that are no products: two maps are added element by element, and so is a bias."""
    two = {"dual": True, "het": divisor > 1}.get(name, False)
    return (two + bias) * N * there


small = st.integers(1, 4)


@every_kind
@quickly
@given(small, small, small, small, small, small, st.booleans())
def test_a_recipe_costs_what_a_count_of_weights_and_tensors_says(
    name: str, m: int, n: int, taps: int, number: int, here: int, there: int, bias: bool
) -> None:
    divisor = number if KINDS[name].letter else 1
    M, N = m * divisor, n * divisor
    used = list(uses(name, M, N, taps, divisor))
    found = KINDS[name].cost(taps, M, N, there, here, divisor, bias)
    assert found.macs == sum(1 for _ in product(range(there), used))
    assert found.params == len(set(used)) + (N if bias else 0)
    assert found.traffic == tensors(name, M, N, taps, divisor, here, there) + (N if bias else 0)
    assert found.operations == additions(name, N, divisor, there, bias)
    # bytes are a matter of a network's dtypes
    assert found.weight_bytes == found.activation_bytes == 0


@every_kind
@quickly
@given(small, small, small)
def test_a_filter_sees_the_channels_that_the_paper_draws(
    name: str, m: int, n: int, number: int
) -> None:
    divisor = number if KINDS[name].letter else 1
    M, N = m * divisor, n * divisor
    drawn = {(part, f, c) for part, f, c, _ in uses(name, M, N, 1, divisor)}
    seen = set()
    for part in KINDS[name].parts:
        filters = M if part.per_channel else N
        for f in range(filters):
            channels = [c for c in range(M) if part.sight.sees(f, c, M, filters, divisor)]
            assert len(channels) == part.sight.count(M, divisor)
            seen |= {(part.name, f, c) for c in channels}
    assert seen == drawn


@quickly
@given(small, small, small, small, small)
def test_het_with_p_1_is_the_standard_convolution_traffic_included(
    M: int, N: int, taps: int, here: int, there: int
) -> None:
    one = KINDS["het"].cost(taps, M, N, there, here, 1)
    assert one == KINDS["standard"].cost(taps, M, N, there, here)


@quickly
@given(small, small, small, small, st.integers(5, 9))
def test_a_transposed_convolution_starts_from_every_input_position(
    m: int, n: int, taps: int, number: int, there: int
) -> None:
    here = 4
    for name, made_of in KINDS.items():
        divisor = number if made_of.letter else 1
        M, N = m * divisor, n * divisor
        used = list(uses(name, M, N, taps, divisor))
        # the 1×1 after a depthwise one meets the map that is enlarged already
        enlarged = [use for use in used if name == "dsc" and use[0] == "pointwise"]
        macs = (len(used) - len(enlarged)) * here + len(enlarged) * there
        plain = made_of.cost(taps, M, N, there, here, divisor)
        transposed = made_of.cost(taps, M, N, there, here, divisor, transposed=True)
        assert transposed == Cost(
            macs, plain.params, plain.traffic, additions(name, N, divisor, there, bias=False)
        )


# --- one recipe, every type of number


@every_kind
@quickly
@given(st.lists(st.tuples(small, small, small, st.integers(2, 5), small, small), min_size=1))
def test_integers_fractions_arrays_and_symbols_cost_the_same(
    name: str, points: list[tuple[int, int, int, int, int, int]]
) -> None:
    made_of = KINDS[name]
    rows = [
        (taps, m * d, n * d, there, here, d if made_of.letter else 1)
        for m, n, taps, d, here, there in points
    ]
    whole = [made_of.cost(*row) for row in rows]
    fractions = [tuple(map(Fraction, row)) for row in rows]
    exact = [made_of.cost(t, m, n, there, here, d) for t, m, n, there, here, d in fractions]
    arrays: Any = made_of.cost(*np.array(rows).T)
    form = closed_form(name)
    for index, (cost, row) in enumerate(zip(whole, rows, strict=True)):
        taps, M_, N_, there, here, divisor = row
        at = {K**2: taps, M: M_, N: N_, D_o**2: there, I_POSITIONS: here, G: divisor, P: divisor}
        for field in ("macs", "params", "traffic", "operations"):
            value = getattr(cost, field)
            assert isinstance(value, int)
            assert getattr(exact[index], field) == value
            array = np.broadcast_to(getattr(arrays, field), len(rows))  # 0 stays a plain 0
            assert np.issubdtype(array.dtype, np.integer)
            assert array[index] == value
            assert sympify(getattr(form, field)).subs(at) == value


@pytest.mark.parametrize("name", ["het", "dual", "group"])
def test_an_array_may_hold_p_or_g_1_next_to_others(name: str) -> None:
    divisors = np.array([1, 2, 4, 8])
    found: Any = KINDS[name].cost(9, 16, 32, 64, 64, divisors)
    each = [KINDS[name].cost(9, 16, 32, 64, 64, int(d)) for d in divisors]
    assert found.macs.tolist() == [cost.macs for cost in each]
    assert found.params.tolist() == [cost.params for cost in each]
    assert found.traffic.tolist() == [cost.traffic for cost in each]
    assert np.broadcast_to(found.operations, 4).tolist() == [cost.operations for cost in each]


def test_a_fraction_may_leave_the_integers_and_an_integer_may_not() -> None:
    made_of = KINDS["group"]
    # 24 channels in 16 groups: every filter sees 1.5
    assert made_of.cost(9, Fraction(24), 32, 1, 1, 16).macs == 9 * Fraction(3, 2) * 32
    with pytest.raises(IndivisibleError, match="24 is not divisible by 16"):
        made_of.cost(9, 24, 32, 1, 1, 16)
    with pytest.raises(IndivisibleError, match="is not divisible by 16"):
        made_of.cost(9, np.array([32, 24]), 32, 1, 1, 16)


def test_big_integers_stay_exact() -> None:
    odd = 10**30 + 57
    assert KINDS["standard"].cost(9, odd, 1, 1, 1).macs == 9 * odd


# --- at a traced site


def test_a_kind_at_a_site_reads_its_sizes() -> None:
    at = site(64, 128, 3, 56, stride=2, bias=True, batch=2)
    assert KINDS["dual"].at(at, 4) == Cost(
        macs=2 * 28 * 28 * 128 * (3 * 3 * 64 // 4 + 64),  # B*D_o*D_o*N*(K*K*M/G + M)
        params=128 * (3 * 3 * 64 // 4 + 64) + 128,
        traffic=(
            2 * (2 * 64 * 56 * 56)  # both parts read the input
            + 2 * (2 * 128 * 28 * 28)  # and write an output
            + 3 * (2 * 128 * 28 * 28)  # which are read and added
            + 128 * (3 * 3 * 64 // 4 + 64)
            + 128
        ),
        operations=(1 + 1) * (2 * 128 * 28 * 28),  # the sum of the parts, and the bias
    )
    assert KINDS["dual"].at(at, 4, bias=False).params == 128 * (3 * 3 * 64 // 4 + 64)
    unbiased = site(64, 128)
    assert KINDS["group"].at(unbiased, 4, bias=True).params == 3 * 3 * 16 * 128 + 128


def test_a_kernel_need_not_be_square_nor_flat() -> None:
    assert KINDS["group"].at(site(4, 6, kernel=(1, 7)), 2).params == 1 * 7 * 2 * 6
    assert KINDS["group"].at(site(4, 6, kernel=(3, 3, 3)), 2).macs == 8**3 * 27 * 2 * 6
    assert KINDS["dsc"].at(site(4, 6, kernel=(5,))).macs == 8 * (5 * 4 + 4 * 6)


@every_kind
def test_no_number_is_one(name: str) -> None:
    assert KINDS[name].cost(9, 8, 16, 100, 100) == KINDS[name].cost(9, 8, 16, 100, 100, 1)


@every_kind
def test_what_a_kind_costs_at_a_site_is_whole_and_by_default_undivided(name: str) -> None:
    at = site(8, 12, stride=2)
    cost = KINDS[name].at(at)
    assert cost == KINDS[name].at(at, 1)
    assert {type(number) for number in vars(cost).values()} == {int}
    assert type(KINDS[name].scratch(at)) is int
    assert KINDS[name].scratch(at) == KINDS[name].scratch(at, 1)


def test_a_chain_holds_its_largest_inner_map_and_a_chain_of_one_none() -> None:
    depthwise, pointwise = KINDS["dsc"].parts
    at = site(8, 12, stride=2)  # to 4×4
    assert ConvKind("deep", "", (depthwise, pointwise, pointwise), True).scratch(at) == 12 * 4 * 4
    assert ConvKind("deep", "", (depthwise, depthwise, pointwise), True).scratch(at) == 8 * 4 * 4
    assert ConvKind("one", "", (pointwise,), True).scratch(at) == 0


@quickly
@given(small, small, small, st.booleans(), st.booleans(), st.integers(1, 3))
def test_the_standard_kind_costs_what_the_site_itself_does(
    M: int, N: int, K: int, bias: bool, transposed: bool, stride: int
) -> None:
    at = site(M, N, K, 6, stride=stride, bias=bias, transposed=transposed, batch=3)
    cost = KINDS["standard"].at(at)
    assert cost.macs == at.macs
    assert cost.params == at.weights + (N if bias else 0)
    assert cost.traffic == at.in_elements + at.out_elements + cost.params


@pytest.mark.parametrize(
    ("name", "M", "N", "message"),
    [
        ("dual", 24, 32, "M=24 is not divisible by G=16"),
        ("group", 32, 24, "N=24 is not divisible by G=16"),
        ("het", 24, 32, "M=24 is not divisible by P=16"),
    ],
)
def test_an_indivisible_site_is_refused_with_both_numbers(
    name: str, M: int, N: int, message: str
) -> None:
    with pytest.raises(IndivisibleError) as refused:
        KINDS[name].at(site(M, N), 16)
    assert refused.value.message == message
    assert refused.value.hint == f"choose a {KINDS[name].letter} that divides M and N"


def test_a_kind_without_a_letter_divides_everything() -> None:
    for name in ("standard", "dsc"):
        KINDS[name].check(7, 11, 16)


# --- the words of a user


def test_a_label_names_the_kind_and_its_number() -> None:
    labels = [KINDS[name].label(4) for name in COST_OF_KIND]
    assert labels == ["standard", "dsc", "group G=4", "het P=4", "dual G=4"]


def test_a_kind_is_found_by_its_name_and_a_near_miss_is_named() -> None:
    assert all(kind(name) is KINDS[name] for name in KINDS)
    with pytest.raises(UnknownNameError, match="no kind of convolution is called 'daul'") as near:
        kind("daul")
    assert near.value.hint.startswith("did you mean dual?")
    with pytest.raises(UnknownNameError) as far:
        kind("winograd")
    assert far.value.hint.startswith("kinds: standard, dsc, group, het, dual")


WORDS = {
    "standard": ("conv", "regular"),
    "dsc": ("depthwise", "dwconv", "depthwise-separable", "dws"),
    "group": ("groupconv", "grouped"),
    "het": ("hetconv", "heterogeneous"),
    "dual": ("dualconv", "dual-conv"),
}


@pytest.mark.parametrize(
    ("word", "name"), [(word, name) for name, words in WORDS.items() for word in (name, *words)]
)
@given(data=st.data())
def test_a_kind_is_found_by_its_aliases_however_they_are_spelt(
    word: str, name: str, data: st.DataObject
) -> None:
    spelt = "".join(data.draw(st.sampled_from([c, c.upper(), f"{c}-", f"_{c}"])) for c in word)
    assert kind(spelt) is KINDS[name] is known(spelt)
    with pytest.raises(UnknownNameError):
        kind(f"{spelt}x")
    assert known(f"{spelt}x") is None


def test_no_two_kinds_share_a_word() -> None:
    words = [plain(word) for one in KINDS.values() for word in (one.name, *one.aliases)]
    assert len(set(words)) == len(words)


def test_g_and_p_go_to_the_kind_that_takes_them() -> None:
    assert divisor_of(KINDS["dual"], G=4) == 4
    assert divisor_of(KINDS["het"], P=8) == 8
    assert divisor_of(KINDS["dsc"]) == divisor_of(KINDS["standard"]) == 1


@pytest.mark.parametrize(
    ("name", "given", "message", "hint"),
    [
        ("dual", {}, "dual needs G", "add --G 4, for example"),
        ("het", {}, "het needs P", "add --P 4, for example"),
        ("dual", {"P": 4}, "dual takes G, but P=4 was given", "write --G 4"),
        ("het", {"G": 2}, "het takes P, but G=2 was given", "write --P 2"),
        ("dual", {"G": 4, "P": 2}, "dual takes G, but P=2 was given", "write --G 2"),
        ("dsc", {"G": 4}, "dsc takes neither G nor P, but G=4 was given", "leave --G out"),
        ("standard", {"P": 4}, "standard takes neither G nor P, but P=4 was given", "leave --P"),
        ("dual", {"G": 0}, "G=0 is not positive", "give G = 1, 2, 4, …"),
        ("het", {"P": -3}, "P=-3 is not positive", "give P = 1, 2, 4, …"),
    ],
)
def test_a_number_that_does_not_fit_the_kind_is_refused(
    name: str, given: dict[str, int], message: str, hint: str
) -> None:
    with pytest.raises(UsageError) as refused:
        divisor_of(KINDS[name], **given)
    assert refused.value.message == message
    assert refused.value.hint.startswith(hint)


def test_a_sixth_kind_is_one_more_record() -> None:
    # a dual convolution without its K×K part is a pointwise one
    sixth = ConvKind("point", "", KINDS["dual"].parts[1:])
    assert sixth.cost(K**2, M, N, D_o**2, D_o**2).macs == M * N * D_o**2
