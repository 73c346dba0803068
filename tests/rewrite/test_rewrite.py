"""Which convolutions a rewrite replaces, which it keeps and why, counted by hand."""

from __future__ import annotations

from dataclasses import replace
from math import gcd
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.networks import (
    SIDE,
    asked,
    chain,
    conv,
    dual_macs,
    in_bytes,
    linear,
    mobile,
    network,
    plain,
    quickly,
    replaced,
    site,
)

from dualcost.costs.profile import profile
from dualcost.errors import IndivisibleError, RuleError, UnknownNameError, UsageError
from dualcost.kinds.kinds import KINDS
from dualcost.network.blocks import find_blocks
from dualcost.network.cost import Cost
from dualcost.render.rewrite import why
from dualcost.rewrite.exemption import Exemption
from dualcost.rewrite.request import Indivisible, Request
from dualcost.rewrite.rewrite import Replacement, Rewritten, rewrite


def reasons(found: Rewritten) -> dict[str, tuple[bool, str]]:
    """Path → whether it is replaced, and the reason given."""
    return {
        one.candidate.path: (one.replaced, why(one.outcome, one.reason)) for one in found.decisions
    }


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


def test_every_convolution_that_reads_the_input_is_a_first_one() -> None:
    shape = (1, 16, SIDE, SIDE)
    branches = network(
        plain("sub", "elementwise", shape, -1, -1),
        conv("a", site(16, 16), 0),
        conv("b", site(16, 16), -1),
        plain("add", "elementwise", shape, 1, 2),
        conv("c", site(16, 16), 3),
        plain("cat", "free", shape, 0, 4),
        conv("features", site(16, 16), 5),
    )
    assert replaced(rewrite(branches, asked())) == {"c": 16, "features": 16}


def test_what_is_made_of_constants_alone_is_not_the_input() -> None:
    shape = (1, 16, SIDE, SIDE)
    grid = network(
        plain("arange", "free", shape),
        conv("grid", site(16, 16), 0),
        conv("stem", site(16, 16), -1),
    )
    assert grid.first == {2}


@pytest.mark.parametrize("group", ["linear", "matmul", "embedding", "unknown"])
def test_what_has_gone_through_weights_is_not_the_input(group: str) -> None:
    late = network(plain("op", group, (1, 16, SIDE, SIDE), -1), conv("a", site(16, 16), 0))
    assert not late.first


@pytest.mark.parametrize("group", ["free", "norm", "elementwise", "resize", "pooling"])
def test_what_is_reshaped_or_normalised_is_still_the_input(group: str) -> None:
    late = network(plain("op", group, (1, 16, SIDE, SIDE), -1), conv("a", site(16, 16), 0))
    assert late.first == {1}


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
    assert refused.value.hint == "--sites lists every site and the term that refused it"


def test_where_the_default_rule_refuses_what_a_rule_names_the_hint_says_how_to_take_it() -> None:
    found = rewrite(chain(16, 32, 64), asked(where="path=c0"))
    with pytest.raises(UsageError) as refused:
        found.checked()
    assert refused.value.message == (
        "nothing in hand-made matches “kernel>1 groups=1 transposed=no first=no path=c0”"
    )
    assert refused.value.hint == (
        "1 fit “path=c0”, but not first=no, which the default rule wants: "
        "write “kernel>0 path=c0” to take them"
    )
    assert replaced(rewrite(chain(16, 32, 64), asked(where="kernel>0 path=c0"))) == {"c0": 16}


def test_where_nothing_matches_a_network_with_blocks_its_blocks_are_named() -> None:
    ops = mobile(8, 32, 16)
    with_blocks = network(*ops, blocks=find_blocks(ops, {}))
    with pytest.raises(UsageError) as refused:
        rewrite(with_blocks, asked()).checked()
    assert refused.value.hint == (
        "--sites lists every site and the term that refused it; this network has blocks: "
        "try --where inverted-residual or --where separable"
    )
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
    assert [one.reason for one in found.replacements][-1] is None


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
    assert (found.reason is None) == (found.divisor == wanted)


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
        Request.parse("het")
    with pytest.raises(UsageError, match="bias 'none' is not known") as refused:
        asked(bias="none")
    assert refused.value.hint == "one of keep, drop"
    assert str(asked()) == "dual:G=16"
    assert str(asked("dsc")) == "dsc"
    with pytest.raises(UsageError) as refused:
        Request(KINDS["dual"], 0)
    assert refused.value.message == "dual G=0 is not positive"
    assert refused.value.hint == "give 1, 2, 4, …"


@pytest.mark.parametrize(
    "words",
    [
        {"conv": "dual", "G": 4},
        {"conv": "het", "P": 8, "where": "stride-1", "indivisible": "fallback:8"},
        {"conv": "dsc", "where": "block=separable M>=64", "bias": "drop"},
        {"conv": "group", "G": 2, "indivisible": "gcd", "but": ("M<=32: keep", "N=64: dual G=8")},
    ],
)
def test_a_rewrite_says_the_words_that_make_it_and_not_those_that_are_assumed(
    words: dict[str, Any],
) -> None:
    made = Request.parse(**words)
    assert made.words() == words
    assert Request.parse(**made.words()) == made


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
        parts = [part for part in KINDS[name].parts if part.weights(9, M, N, one.divisor)]
        channels_made = sum(M if part.per_channel else N for part in parts)
        after += in_bytes(replace(one.cost, operations=0), made=SIDE * SIDE * channels_made)
    assert costed.after == after
