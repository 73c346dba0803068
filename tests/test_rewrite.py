"""What a rewrite replaces, what it keeps and why, on networks small enough to count by hand."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from math import gcd
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from networks import conv, linear, mobile, network, norm, plain, quickly, relu, site

from dualcost import library
from dualcost.blocks import find_blocks
from dualcost.cost import Cost
from dualcost.errors import IndivisibleError, RuleError, UnknownNameError, UsageError
from dualcost.kinds import KINDS
from dualcost.profiles import REMOVED, Profile, profile
from dualcost.rewrite import (
    Exemption,
    Indivisible,
    Replacement,
    Rewrite,
    Rewritten,
    rewrite,
)
from dualcost.site import INVERTED_RESIDUAL, SEPARABLE, Network

SIDE = 8


def chain(*channels: int, bias: bool = False) -> Network:
    """3×3 convolutions c0, c1, … from channels to channels, then a classifier."""
    pairs = enumerate(pairwise(channels))
    convs = [conv(f"c{i}", site(M, N, bias=bias), i - 1) for i, (M, N) in pairs]
    return network(*convs, linear("head", channels[-1], 10, len(convs) - 1))


def asked(conv: str = "dual", number: int = 16, **words: Any) -> Rewrite:
    """Dual with G=16, unless words say otherwise; `number` is G or P, whichever the kind takes."""
    made_of = KINDS.get(conv)
    if made_of and made_of.letter:
        words = {made_of.letter: number, **words}
    return Rewrite.parse(conv, **words)


def replaced(found: Rewritten) -> dict[str, int]:
    """Path → G or P of what is replaced."""
    return {one.path: one.divisor for one in found.replacements}


def reasons(found: Rewritten) -> dict[str, tuple[bool, str]]:
    """Path → whether it is replaced, and the reason given."""
    return {one.candidate.path: (one.replaced, one.reason) for one in found.decisions}


def dual_macs(M: int, N: int, G: int) -> int:
    return SIDE * SIDE * N * (3 * 3 * M // G + M)  # D_o*D_o*N*(K*K*M/G + M)


def in_bytes(elements: Cost, made: int) -> Cost:
    """A cost whose elements take four bytes each; `made` counts those of the maps it makes."""
    return replace(
        elements,
        traffic=4 * elements.traffic,
        weight_bytes=4 * elements.params,
        activation_bytes=4 * made,
    )


def group_total(found: Profile, group: str) -> tuple[Cost, Cost]:
    """A total, added up again from the rows of one group."""
    before, after = Cost(), Cost()
    for row in found.rows:
        if row.group == group:
            before, after = before + row.before, after + row.after
    return before, after


# --- which sites, and why


def test_the_first_convolution_stays_and_says_so() -> None:
    found = rewrite(chain(16, 32, 64), asked()).checked()
    assert reasons(found) == {"c0": (False, "first=no wanted, is yes"), "c1": (True, "")}
    assert found.replacements == (
        Replacement(
            ops=(1,),
            path="c1",
            module="Conv2d",
            block="",
            site=site(32, 64),
            kind=KINDS["dual"],
            divisor=16,
            cost=KINDS["dual"].at(site(32, 64), 16),
        ),
    )


def test_the_first_convolution_is_the_first_that_runs_not_the_first_op() -> None:
    shape = (1, 16, SIDE, SIDE)
    late = network(
        plain("mul", "elementwise", shape, -1),
        conv("a", site(16, 32), 0),
        conv("b", site(32, 32), 1),
    )
    assert replaced(rewrite(late, asked())) == {"b": 16}
    assert replaced(rewrite(late, asked(where="kernel>1"))) == {"a": 16, "b": 16}


def test_every_kept_site_names_the_term_that_refused_it() -> None:
    found = rewrite(
        network(
            conv("stem", site(3, 16)),
            conv("point", site(16, 32, 1), 0),
            conv("grouped", site(32, 32, groups=4), 1),
            conv("up", site(32, 32, transposed=True, stride=2), 2),
            conv("down", site(32, 32, stride=2), 3),
            conv("plain", site(32, 32), 4),
        ),
        asked(where="stride-1"),
    )
    assert reasons(found) == {
        "stem": (False, "first=no wanted, is yes"),
        "point": (False, "kernel>1 wanted, is 1×1"),
        "grouped": (False, "groups=1 wanted, is 4"),
        "up": (False, "transposed=no wanted, is yes"),
        "down": (False, "stride=1 wanted, is 2×2"),
        "plain": (True, ""),
    }


def test_a_rule_that_matches_nothing_is_refused_with_a_way_on() -> None:
    found = rewrite(chain(16, 32, 64), asked(where="kernel=5"))
    assert found.replacements == ()
    with pytest.raises(UsageError) as refused:
        found.checked()
    assert refused.value.message == "nothing in hand-made matches “kernel=5”"
    assert refused.value.hint == "--explain lists every site and the term that refused it"


def test_where_nothing_matches_a_network_with_blocks_its_blocks_are_named() -> None:
    ops = mobile(8, 32, 16)
    with_blocks = network(*ops, blocks=find_blocks(ops, {}))
    with pytest.raises(UsageError) as refused:
        rewrite(with_blocks, asked()).checked()
    assert refused.value.hint.endswith("try --where inverted-residual or --where separable")
    with pytest.raises(UsageError) as refused:
        rewrite(with_blocks, asked(where="block=separable M=7")).checked()
    assert "--where" not in refused.value.hint


def test_a_network_without_convolutions_has_nothing_to_replace() -> None:
    only = network(linear("head", 8, 10, -1))
    found = rewrite(only, asked())
    assert found.decisions == ()
    with pytest.raises(UsageError, match="nothing in hand-made matches"):
        found.checked()


def test_a_weight_that_is_computed_is_kept() -> None:
    at = site(32, 32, bias=True)
    whole = conv("whole", at, 0)
    # as with a weight norm: the bias is a parameter of the convolution, the weight is not
    bias_alone = replace(conv("bias_alone", at, 1), parameters=("bias_alone.bias",))
    nothing = replace(conv("nothing", at, 2), parameters=())
    made = network(conv("stem", site(3, 32)), whole, bias_alone, nothing)
    found = rewrite(made, asked())
    computed = "its weight is computed, not a parameter"
    assert reasons(found) == {
        "stem": (False, "first=no wanted, is yes"),
        "whole": (True, ""),
        "bias_alone": (False, computed),
        "nothing": (False, computed),
    }


# --- indivisible channels


def test_refuse_names_the_site_and_both_numbers() -> None:
    found = rewrite(chain(16, 32, 24, 64), asked())
    with pytest.raises(IndivisibleError) as refused:
        found.checked()
    assert refused.value.message == (
        "c1: N=24 is not divisible by G=16; c2: M=24 is not divisible by G=16"
    )
    assert refused.value.hint.startswith("choose another G, or say what to do there:")
    assert reasons(found)["c1"] == (False, "N=24 is not divisible by G=16")


@pytest.mark.parametrize(("sites", "more"), [(2, 0), (3, 0), (4, 1), (6, 3)])
def test_refuse_shows_three_sites_and_counts_the_others(sites: int, more: int) -> None:
    found = rewrite(chain(16, *[20] * (sites + 1)), asked())
    with pytest.raises(IndivisibleError) as refused:
        found.checked()
    shown = [f"c{i}: M=20 is not divisible by G=16" for i in range(1, min(sites, 3) + 1)]
    assert refused.value.message.split("; ") == shown + ([f"and {more} more"] if more else [])


def test_keep_keeps_the_indivisible_site_and_replaces_the_others() -> None:
    found = rewrite(chain(16, 32, 24, 64, 64), asked(indivisible="keep")).checked()
    assert replaced(found) == {"c3": 16}
    assert reasons(found)["c2"] == (False, "kept: M=24 is not divisible by G=16")


def test_gcd_takes_the_largest_number_that_divides() -> None:
    found = rewrite(chain(16, 32, 24, 7, 64, 64), asked(indivisible="gcd")).checked()
    # gcd(16, 32, 24), gcd(16, 24, 7), gcd(16, 7, 64), gcd(16, 64, 64)
    assert replaced(found) == {"c1": 8, "c2": 1, "c3": 1, "c4": 16}
    assert reasons(found)["c1"] == (True, "G=8: N=24 is not divisible by G=16")
    assert [one.note for one in found.replacements][-1] == ""


@quickly
@given(st.integers(1, 48), st.integers(1, 48), st.integers(1, 16), st.sampled_from(["dual", "het"]))
def test_gcd_always_fits_and_is_the_number_asked_for_where_that_fits(
    M: int, N: int, wanted: int, name: str
) -> None:
    one = rewrite(chain(3, M, N), asked(name, wanted, indivisible="gcd")).checked()
    (found,) = one.replacements
    # the largest of all candidates, found without a gcd
    fitting = [d for d in range(1, wanted + 1) if not (wanted % d or M % d or N % d)]
    assert found.divisor == max(fitting) == gcd(wanted, M, N)
    assert (found.note == "") == (found.divisor == wanted)


def test_a_fallback_is_used_only_where_it_is_needed_and_divides() -> None:
    found = rewrite(chain(16, 32, 24, 64, 64), asked(indivisible="fallback:8")).checked()
    assert replaced(found) == {"c1": 8, "c2": 8, "c3": 16}
    assert reasons(found)["c1"] == (True, "G=8: N=24 is not divisible by G=16")


def test_a_fallback_that_does_not_divide_either_is_refused() -> None:
    with pytest.raises(IndivisibleError) as refused:
        rewrite(chain(16, 32, 20, 64), asked(indivisible="fallback:8")).checked()
    assert refused.value.message == (
        "c1: N=20 is not divisible by G=16, nor is M=32, N=20 by the fallback 8; "
        "c2: M=20 is not divisible by G=16, nor is M=20, N=64 by the fallback 8"
    )


@pytest.mark.parametrize("text", ["refuse", "keep", "gcd", "fallback:8"])
def test_a_policy_reads_as_it_is_written(text: str) -> None:
    assert str(Indivisible.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    ["", "ignore", "fallback", "fallback:", "fallback:0", "fallback:-2", "fallback:²", "gcd:4"],
)
def test_an_unknown_policy_is_refused_with_the_known_ones(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        Indivisible.parse(text)
    assert refused.value.message.startswith(repr(text))
    assert refused.value.hint == "one of refuse, keep, gcd, fallback:N, such as fallback:8"


# --- exemptions


def test_the_first_exemption_that_holds_wins() -> None:
    words = ("path=c1: keep", "M<=32: G=8", "M<=64: G=4")
    found = rewrite(chain(16, 32, 32, 64, 128, 128), asked(but=words)).checked()
    assert replaced(found) == {"c2": 8, "c3": 4, "c4": 16}
    assert reasons(found) == {
        "c0": (False, "first=no wanted, is yes"),
        "c1": (False, "kept by “path=c1: keep”"),
        "c2": (True, "G=8 by “M<=32: G=8”"),
        "c3": (True, "G=4 by “M<=64: G=4”"),
        "c4": (True, ""),
    }


def test_the_policy_holds_for_the_number_of_an_exemption() -> None:
    but = ("path=c1: G=12",)
    with pytest.raises(IndivisibleError, match=r"c1: M=32 is not divisible by G=12$"):
        rewrite(chain(16, 32, 64), asked(but=but)).checked()
    shared = rewrite(chain(16, 32, 64), asked(indivisible="gcd", but=but)).checked()
    assert replaced(shared) == {"c1": 4}  # gcd(12, 32, 64)


def test_an_exemption_reads_as_it_is_written() -> None:
    for text, name in (("M<=32 path=a.*: G=8", "dual"), ("M>9: P=2", "het"), ("N>9: keep", "dsc")):
        assert str(Exemption.parse(text, KINDS[name])) == text
    assert str(Exemption.parse(" M<=32 :  G=8 ", KINDS["dual"])) == "M<=32: G=8"


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("M<=32", RuleError, "'M<=32' is not an exception"),
        (": keep", RuleError, "': keep' is not an exception"),
        ("M<=32: ", RuleError, "'M<=32: ' is not an exception"),
        ("M<=32: G", RuleError, "'M<=32: G' is not an exception"),
        ("M<=32: G=x", RuleError, "'M<=32: G=x' is not an exception"),
        ("M<=32: G=²", RuleError, "'M<=32: G=²' is not an exception"),
        ("M<=32: Q=8", RuleError, "'M<=32: Q=8' is not an exception"),
        ("M<=32: G=0", UsageError, "G=0 is not positive"),
        ("M<=32: P=8", UsageError, "dual takes G, but P=8 was given"),
        ("m<=32: G=8", UnknownNameError, "no field of a rule is called 'm'"),
    ],
)
def test_an_exemption_that_cannot_be_read_is_refused(
    text: str, error: type[UsageError], message: str
) -> None:
    with pytest.raises(error) as refused:
        asked(but=(text,))
    assert refused.value.message == message
    assert refused.value.hint


# --- the words


def test_the_words_of_a_user_are_checked_one_by_one() -> None:
    with pytest.raises(UnknownNameError, match="no kind of convolution is called 'duel'"):
        asked("duel")
    with pytest.raises(UsageError, match="het needs P"):
        Rewrite.parse("het")
    with pytest.raises(UsageError, match="bias 'none' is not known") as refused:
        asked(bias="none")
    assert refused.value.hint == "one of keep, drop"
    assert str(asked()) == "dual G=16"
    assert str(asked("dsc")) == "dsc"


def test_a_bias_is_kept_where_there_was_one_or_dropped() -> None:
    weights = 64 * (3 * 3 * 32 // 16 + 32)  # N*(K*K*M/G + M)
    with_bias, without = chain(16, 32, 64, bias=True), chain(16, 32, 64)
    params = {
        (word, net is with_bias): rewrite(net, asked(bias=word)).replacements[0].cost.params
        for word in ("keep", "drop")
        for net in (with_bias, without)
    }
    assert params == {
        ("keep", True): weights + 64,
        ("keep", False): weights,
        ("drop", True): weights,
        ("drop", False): weights,
    }


# --- shared weights


def test_a_module_that_runs_twice_costs_its_macs_twice_and_its_parameters_once() -> None:
    twice = network(
        conv("stem", site(3, 32)),
        conv("shared", site(32, 32, bias=True), 0),
        conv("shared", site(32, 32, bias=True), 1),
    )
    found = profile(twice, asked())
    stem = Cost(SIDE * SIDE * 3 * 3 * 3 * 32, 3 * 3 * 3 * 32)
    assert found.before.macs == stem.macs + 2 * SIDE * SIDE * 3 * 3 * 32 * 32
    assert found.before.params == stem.params + 3 * 3 * 32 * 32 + 32
    assert found.after.macs == stem.macs + 2 * dual_macs(32, 32, 16)
    assert found.after.params == stem.params + dual_macs(32, 32, 16) // (SIDE * SIDE) + 32
    assert [(row.path, row.before.params > 0, row.after.params > 0) for row in found.rows] == [
        ("stem", True, True),
        ("shared", True, True),
        ("shared", False, False),
    ]


def test_a_weight_that_a_kept_layer_shares_stays() -> None:
    tied = network(
        conv("stem", site(3, 32)),
        conv("a", site(32, 32), 0),
        conv("b", site(32, 32), 1, weight="a"),
    )
    found = profile(tied, asked(but=("path=b: keep",)))
    stem = 3 * 3 * 3 * 32
    assert found.before.params == stem + 3 * 3 * 32 * 32
    # a becomes new kernels, and b still needs the old ones
    assert found.after.params == stem + 32 * (3 * 3 * 32 // 16 + 32) + 3 * 3 * 32 * 32
    by_path = {row.path: row for row in found.rows}
    assert by_path["b"].before.params == 0
    assert by_path["b"].after.params == 3 * 3 * 32 * 32


# --- blocks


def found_in(ops_of: Network) -> list[tuple[str, str, tuple[int, ...]]]:
    return [(b.kind, b.path, b.ops) for b in find_blocks(ops_of.ops, {})]


def test_an_inverted_residual_and_the_pair_inside_it_are_found() -> None:
    ops = mobile(8, 32, 16)
    pair, whole = find_blocks(ops, {})
    assert (pair.kind, pair.path, pair.ops) == (SEPARABLE, "b", (4, 5, 6, 7))
    assert (whole.kind, whole.path, whole.ops) == (INVERTED_RESIDUAL, "b", (1, 2, 3, 4, 5, 6, 7))
    # M of the first, N of the last, and the kernel of the depthwise one
    assert (pair.site.M, pair.site.N, pair.site.kernel, pair.site.groups) == (32, 16, (3, 3), 1)
    assert (whole.site.M, whole.site.N, whole.site.kernel, whole.site.groups) == (8, 16, (3, 3), 1)


def test_a_block_keeps_the_stride_of_its_depthwise_convolution() -> None:
    deep = site(8, 8, groups=8, stride=2)
    ops = (conv("d", deep), conv("p", site(8, 16, 1, 4, bias=True), 0))
    (found,) = find_blocks(ops, {})
    assert (found.site.stride, found.site.in_size, found.site.out_size) == ((2, 2), (8, 8), (4, 4))
    assert found.site.bias


def test_a_map_that_is_read_from_elsewhere_too_is_no_part_of_a_block() -> None:
    deep = conv("d", site(8, 8, groups=8))
    last = conv("p", site(8, 16, 1), 1)
    alone = (deep, relu(8, SIDE, 0), last)
    assert [b.ops for b in find_blocks(alone, {})] == [(0, 1, 2)]
    assert find_blocks((*alone, relu(8, SIDE, 0)), {}) == ()
    assert find_blocks((*alone, relu(8, SIDE, 1)), {}) == ()


def test_two_separable_pairs_in_a_row_are_no_inverted_residual() -> None:
    ops = (
        conv("a.d", site(8, 8, groups=8)),
        conv("a.p", site(8, 16, 1), 0),
        conv("b.d", site(16, 16, groups=16), 1),
        conv("b.p", site(16, 32, 1), 2),
    )
    # 1×1, depthwise, 1×1 is there too, but it does not narrow at its end
    assert [(b.kind, b.ops) for b in find_blocks(ops, {})] == [
        (SEPARABLE, (0, 1)),
        (SEPARABLE, (2, 3)),
    ]


def test_a_known_module_type_makes_a_block_without_expansion_an_inverted_residual() -> None:
    ops = (
        conv("stem", site(3, 8)),
        conv("f.1", site(8, 8, groups=8), 0),
        relu(8, SIDE, 1),
        conv("f.2", site(8, 16, 1), 2),
    )
    # as in torchvision, where the norm and the activation run below the module as well
    ops = (*ops[:2], replace(ops[2], path="f.act"), ops[3])
    assert [b.kind for b in find_blocks(ops, {})] == [SEPARABLE]
    kinds = [b.kind for b in find_blocks(ops, {"f": "InvertedResidual"})]
    assert kinds == [SEPARABLE, INVERTED_RESIDUAL]


def squeezed() -> Network:
    """An inverted residual with a channel gate between its depthwise and its last convolution."""
    wide = (1, 32, SIDE, SIDE)
    ops = (
        conv("stem", site(3, 8)),
        conv("b.expand", site(8, 32, 1), 0),
        conv("b.depth", site(32, 32, groups=32), 1),
        plain("mean", "pooling", (1, 32, 1, 1), 2),
        conv("b.gate", site(32, 32, 1, 1, bias=True), 3),
        plain("sigmoid", "activation", (1, 32, 1, 1), 4),
        plain("mul", "elementwise", wide, 5, 2),
        conv("b.project", site(32, 16, 1), 6),
        norm("b.norm", 16, SIDE, 7),
    )
    return network(*ops, blocks=find_blocks(ops, {}))


def test_a_channel_gate_belongs_to_its_block_and_leaves_with_it() -> None:
    gated = squeezed()
    assert found_in(gated) == [(INVERTED_RESIDUAL, "b", (1, 2, 3, 4, 5, 6, 7))]
    found = profile(gated, asked(number=4, where="inverted-residual"))
    stem = SIDE * SIDE * 3 * 3 * 3 * 8
    gate = 32 * 32  # at 1×1
    inside = SIDE * SIDE * (8 * 32 + 3 * 3 * 32 + 32 * 16) + gate
    assert found.before.macs == stem + inside
    assert found.after.macs == stem + dual_macs(8, 16, 4)
    outside = 3 * 3 * 3 * 8 + 2 * 16
    inner = 8 * 32 + 3 * 3 * 32 + (32 * 32 + 32) + 32 * 16
    assert found.before.params == outside + inner
    assert found.after.params == outside + 16 * (3 * 3 * 8 // 4 + 8)
    removed = {row.op: row.group for row in found.rows if row.becomes == REMOVED}
    assert removed == {"mean": "pooling", "sigmoid": "activation", "mul": "elementwise"}


def test_a_gated_map_that_is_read_from_elsewhere_too_is_no_part_of_a_block() -> None:
    ops = squeezed().ops
    assert [b.ops for b in find_blocks(ops, {})] == [(1, 2, 3, 4, 5, 6, 7)]
    for inner in range(1, 7):
        channels, side = ops[inner].out_shapes[0][1], ops[inner].out_shapes[0][-1]
        assert find_blocks((*ops, relu(channels, side, inner)), {}) == (), inner
    # the result of the block may be read by anyone
    assert len(find_blocks((*ops, relu(16, SIDE, 7)), {})) == 1
    # a gate that was computed before the block is no part of it either
    early = (*ops[:6], replace(ops[6], inputs=(0, 2)), *ops[7:])
    assert find_blocks(early, {}) == ()
    # nor is a convolution of the gate whose weight was computed outside
    computed = (*ops[:4], replace(ops[4], inputs=(3, 0)), *ops[5:])
    assert find_blocks(computed, {}) == ()


def test_a_block_is_replaced_as_a_whole_and_every_total_is_exact() -> None:
    ops = mobile(8, 32, 16)
    found = profile(
        network(*ops, blocks=find_blocks(ops, {})), asked(number=4, where="inverted-residual")
    )
    positions = SIDE * SIDE
    stem = in_bytes(Cost(positions * 27 * 8, 27 * 8, positions * (3 + 8) + 27 * 8), positions * 8)
    head = Cost(positions * 16 * 10, positions * 16 * 10 + 10)
    weights = {"expand": 8 * 32, "depth": 3 * 3 * 32, "project": 32 * 16}
    traffic = {"expand": 8 + 32, "depth": 32 + 32, "project": 32 + 16}
    before, after = found.totals["convolution"]
    assert before == stem + in_bytes(
        Cost(
            positions * sum(weights.values()),
            sum(weights.values()),
            positions * sum(traffic.values()) + sum(weights.values()),
        ),
        made=positions * (32 + 32 + 16),
    )
    dual = replace(KINDS["dual"].at(site(8, 16), 4), operations=0)  # counted by `all` alone
    assert after == stem + in_bytes(dual, made=positions * (16 + 16))
    assert after.macs == stem.macs + dual_macs(8, 16, 4)
    # of three norms the one behind the block is left
    norms = in_bytes(Cost(0, 2 * 16, 2 * positions * 16 + 2 * 16), positions * 16)
    inner = in_bytes(Cost(0, 2 * 32, 2 * positions * 32 + 2 * 32), positions * 32)
    assert found.totals["norm"] == (inner + inner + norms, norms)
    assert found.totals["linear"][0] == found.totals["linear"][1]
    assert (found.totals["linear"][1].macs, found.totals["linear"][1].params) == (
        head.macs,
        head.params,
    )
    # two activations leave
    left = in_bytes(Cost(traffic=2 * 2 * positions * 32), made=2 * positions * 32)
    assert found.totals["rest"] == (left, Cost())
    assert all(group_total(found, g) == found.totals[g] for g in ("convolution", "norm", "linear"))
    assert [(row.path, row.kind, row.becomes) for row in found.rows] == [
        ("stem", "standard", ""),
        ("b", INVERTED_RESIDUAL, "dual G=4"),
        ("b", "", REMOVED),
        ("b", "", REMOVED),
        ("b.norm3", "", ""),
        ("head", "", ""),
    ]
    assert found.replaced == 1


def test_of_two_blocks_that_overlap_the_first_is_replaced() -> None:
    ops = mobile(8, 32, 16)
    both = network(*ops, blocks=find_blocks(ops, {}))
    found = rewrite(both, asked(number=4, where="block=separable,inverted-residual")).checked()
    assert [one.ops for one in found.replacements] == [(4, 5, 6, 7)]
    assert [(d.candidate.block, d.replaced, d.reason) for d in found.decisions] == [
        (SEPARABLE, True, ""),
        (INVERTED_RESIDUAL, False, "overlaps a block that is replaced already"),
    ]


def test_of_two_blocks_of_the_same_ops_one_decision_says_replaced() -> None:
    # a bottleneck without expansion is a separable pair as well
    net = library.load("torchvision:mobilenet_v2")
    same = [b.ops for b in net.blocks if b.path.startswith("features.1.") or b.path == "features.1"]
    assert len(same) == 2 and same[0] == same[1]
    found = rewrite(net, asked(number=1, where="block=separable,inverted-residual")).checked()
    assert sum(d.replaced for d in found.decisions) == len(found.replacements)
    assert all(not d.replaced for d in found.decisions if d.reason.startswith("overlaps"))


def test_the_first_convolution_is_protected_inside_a_block_too() -> None:
    ops = (conv("d", site(8, 8, groups=8)), conv("p", site(8, 16, 1), 0))
    blocks = find_blocks(ops, {})
    net = network(*ops, blocks=blocks)
    found = rewrite(net, asked(number=4, where="separable first=no"))
    assert [d.reason for d in found.decisions] == ["first=no wanted, is yes"]
    assert replaced(rewrite(net, asked(number=4, where="separable"))) == {"": 4}


# --- invariants


@quickly
@given(
    st.lists(st.sampled_from([8, 12, 16, 24, 32]), min_size=3, max_size=6),
    st.sampled_from(list(KINDS)),
    st.sampled_from(["keep", "gcd"]),
    st.booleans(),
)
def test_every_convolution_is_decided_once_and_rows_add_up(
    channels: list[int], name: str, policy: str, bias: bool
) -> None:
    net = chain(*channels, bias=bias)
    wanted = asked(name, 8, indivisible=policy)
    found = rewrite(net, wanted)
    convs = [op.path for op in net.ops if op.site]
    assert [d.candidate.path for d in found.decisions] == convs
    assert [d.candidate.path for d in found.decisions if d.replaced] == list(replaced(found))
    if not found.replacements:
        return
    costed = profile(net, wanted)
    assert len(costed.rows) == len(net.ops)
    kept = [row for row in costed.rows if not row.replaced]
    assert all(row.before == row.after for row in kept)
    after = sum((row.before for row in kept), Cost())
    for one in found.replacements:
        M, N = one.site.M, one.site.N
        # het with P = 1 has no second part
        two = {"dsc": M, "dual": N, "het": N if one.divisor > 1 else 0}.get(name, 0)
        after += in_bytes(replace(one.cost, operations=0), made=SIDE * SIDE * (N + two))
    assert costed.after == after
