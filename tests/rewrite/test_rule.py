"""A rule reads as it is written, and means what it says about every site."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.networks import quickly, site

from dualcost.errors import RuleError, UnknownNameError, UsageError
from dualcost.kinds.kinds import KINDS
from dualcost.network.network import BLOCK_KINDS
from dualcost.network.site import ConvSite
from dualcost.render.rewrite import why
from dualcost.rewrite.decision import FailedTerm, Outcome
from dualcost.rewrite.exemption import Exemption
from dualcost.rewrite.rule import NAMED_RULES, OPERATORS, READERS, Candidate, Rule, Term

PLAIN = Candidate("layer3.0.conv2", "Conv2d", "", False, site(64, 128))

numbers = st.integers(0, 10**6).map(str)
yes_no = st.sampled_from(["yes", "no"])
dims = st.lists(st.integers(1, 99).map(str), min_size=1, max_size=3).map("x".join)
# anything that is one word and holds no comma; patterns are made of more than letters
globs = st.text(
    st.characters(exclude_categories=("Z", "C"), exclude_characters=","), min_size=1, max_size=8
)
VALUES = {
    **dict.fromkeys(("kernel", "stride", "dilation"), dims),
    **dict.fromkeys(("groups", "M", "N", "dims"), numbers),
    **dict.fromkeys(("first", "transposed", "bias"), yes_no),
    **dict.fromkeys(("path", "type"), globs),
    "block": st.sampled_from(BLOCK_KINDS),
}
NOT_ORDERED = ("first", "transposed", "bias", "path", "type", "block")


@st.composite
def terms(draw: st.DrawFn) -> Term:
    field = draw(st.sampled_from(sorted(READERS)))
    sign = draw(st.sampled_from(["=", "!="] if field in NOT_ORDERED else OPERATORS))
    return Term(field, sign, tuple(draw(st.lists(VALUES[field], min_size=1, max_size=3))))


candidates = st.builds(
    lambda first, K, M, groups, transposed, dims: Candidate(
        "layer3.0.conv2", "Conv2d", "", first,
        site(8 * M, 16, kernel=(K,) * dims, groups=groups, transposed=transposed),
    ),
    st.booleans(), st.sampled_from([1, 3]), st.integers(1, 20), st.sampled_from([1, 2]),
    st.booleans(), st.integers(1, 3),
)  # fmt: skip
rules = st.lists(terms(), max_size=4).map(lambda found: Rule(tuple(found)))


def holds(text: str, candidate: Candidate = PLAIN) -> bool:
    return Rule.parse(text).refusal(candidate) is None


def at(*, stride: int = 1, groups: int = 1) -> Candidate:
    return replace(PLAIN, site=site(64, 128, stride=stride, groups=groups))


# --- the text form


@quickly
@given(rules)
def test_a_rule_read_from_its_own_text_is_the_same_rule(rule: Rule) -> None:
    assert Rule.parse(str(rule)) == rule
    assert Rule.parse(f"  {'   '.join(map(str, rule.terms))}\n") == rule


@pytest.mark.parametrize("name", list(NAMED_RULES))
def test_a_named_rule_stands_for_its_terms_anywhere_in_a_rule(name: str) -> None:
    stands_for = Rule.parse(NAMED_RULES[name])
    assert Rule.parse(name) == stands_for
    around = Rule.parse(f"path=a {name} M>3")
    assert around.terms == (
        Term("path", "=", ("a",)),
        *stands_for.terms,
        Term("M", ">", ("3",)),
    )


# --- the rule of a rewrite

narrowing = st.lists(
    terms().filter(lambda term: term.field not in ("kernel", "groups", "transposed", "block")),
    max_size=3,
).map(lambda found: Rule(tuple(found)))


@quickly
@given(rules)
def test_the_rule_of_a_rewrite_reads_back_as_the_same_rule(rule: Rule) -> None:
    read = Rule.replacing(str(rule))
    assert Rule.replacing(str(read)) == read
    assert read.alone


@quickly
@given(narrowing, candidates)
def test_a_rule_without_kernel_groups_transposed_or_block_narrows_the_default_one(
    rule: Rule, candidate: Candidate
) -> None:
    seen, named = candidate.site, {term.field for term in rule.terms}
    usual = max(seen.kernel) > 1 and seen.groups == 1 and not seen.transposed
    usual = usual and ("first" in named or not candidate.first)
    wanted = usual and rule.refusal(candidate) is None
    assert (Rule.replacing(str(rule)).refusal(candidate) is None) == wanted


@quickly
@given(rules, st.sampled_from(["kernel=3", "groups>1", "transposed=yes", "block=separable"]))
def test_a_rule_with_one_of_them_stands_alone(rule: Rule, term: str) -> None:
    whole = Rule((*rule.terms, *Rule.parse(term).terms))
    assert Rule.replacing(str(whole)) == whole


@pytest.mark.parametrize("name", list(NAMED_RULES))
def test_a_named_rule_stands_alone(name: str) -> None:
    assert Rule.replacing(name) == Rule.parse(name)


def test_what_a_rule_says_of_a_field_takes_the_place_of_what_the_default_says() -> None:
    assert str(Rule.replacing("first=yes M>=64")) == (
        "kernel>1 groups=1 transposed=no first=yes M>=64"
    )
    assert Rule.replacing("") == Rule.replacing("default") == Rule.parse(NAMED_RULES["default"])


def test_an_exception_selects_among_the_sites_that_the_rule_chose() -> None:
    exemption = Exemption.parse("path=layer3.*: keep", KINDS["dual"])
    assert exemption.rule == Rule((Term("path", "=", ("layer3.*",)),))
    assert str(exemption) == "path=layer3.*: keep"


def test_the_named_rules_are_these() -> None:
    assert NAMED_RULES == {
        "default": "kernel>1 groups=1 transposed=no first=no",
        "stride-1": "kernel>1 groups=1 transposed=no first=no stride=1",
        "separable": "block=separable",
        "inverted-residual": "block=inverted-residual stride=1",
    }


def test_the_page_of_rules_shows_every_named_rule_with_its_terms() -> None:
    page = (Path(__file__).parents[2] / "docs/reference/rules.md").read_text()
    _, _, table = page.partition("| named rule | terms |\n| --- | --- |\n")
    shown = re.findall(r"\| `(\S+)` \| `(.+)` \|", table.partition("\n\n")[0])
    assert dict(shown) == NAMED_RULES


def test_only_a_rule_that_names_blocks_wants_them() -> None:
    wanting = {name for name in NAMED_RULES if Rule.parse(name).wants_blocks}
    assert wanting == {"separable", "inverted-residual"}
    assert not Rule.parse("").wants_blocks


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("kernel", "1x7"), ("stride", "2"), ("dilation", "1"), ("groups", "8"), ("M", "64"),
        ("N", "128"), ("dims", "2"), ("first", "no"), ("transposed", "no"), ("bias", "yes"),
        ("path", "layer3.0.conv2"), ("type", "Conv2d"), ("block", BLOCK_KINDS[0]),
    ],
)  # fmt: skip
def test_a_value_is_written_as_a_term_has_it(field: str, text: str) -> None:
    seen = replace(site(64, 128), kernel=(1, 7), stride=(2, 2), groups=8, bias=True)
    candidate = replace(PLAIN, site=seen, block=BLOCK_KINDS[0])
    assert candidate.written(field) == text
    assert holds(f"{field}={text}", candidate) and not holds(f"{field}!={text}", candidate)


# --- what terms mean


def fits(value: tuple[int, ...] | int, sign: str, wanted: tuple[int, ...]) -> bool:
    """A witness for sizes and numbers: the largest side is compared, all sides are equal."""
    sides = value if isinstance(value, tuple) else (value,)
    full = wanted * len(sides) if len(wanted) == 1 else wanted
    compare: dict[str, Callable[[int, int], bool]] = {
        ">": operator.gt,
        "<": operator.lt,
        ">=": operator.ge,
        "<=": operator.le,
    }
    if sign in compare:
        return compare[sign](sorted(sides)[-1], sorted(wanted)[-1])
    return sides == full


near = st.integers(1, 4)
pairs = st.tuples(near, near)


@quickly
@given(
    kernel=pairs,
    stride=pairs,
    dilation=pairs,
    channels=pairs,
    groups=near,
    field=st.sampled_from(["kernel", "stride", "dilation", "M", "N", "groups", "dims"]),
    sign=st.sampled_from(OPERATORS),
    wanted=st.lists(st.lists(near, min_size=1, max_size=2).map(tuple), min_size=1, max_size=3),
)
def test_every_operator_of_every_size_and_number_means_what_it_says(
    kernel: tuple[int, int],
    stride: tuple[int, int],
    dilation: tuple[int, int],
    channels: tuple[int, int],
    groups: int,
    field: str,
    sign: str,
    wanted: list[tuple[int, ...]],
) -> None:
    M, N = channels[0] * groups, channels[1] * groups
    here = ConvSite(M, N, kernel, stride, (0, 0), dilation, groups, False, False, (8, 8), (8, 8))
    value = {"M": M, "N": N, "groups": groups, "dims": 2}.get(field)
    if value is not None:
        wanted = [one[:1] for one in wanted]
    else:
        sizes = {"kernel": kernel, "stride": stride, "dilation": dilation}
        value = sizes[field]  # type: ignore[assignment]  # a size after a number
    assert value is not None
    # a comma is "or"; != is none of them
    expected = any(fits(value, sign if sign != "!=" else "=", one) for one in wanted)
    values = ",".join("x".join(map(str, one)) for one in wanted)
    found = holds(f"{field}{sign}{values}", replace(PLAIN, site=here))
    assert found == (expected != (sign == "!="))


@pytest.mark.parametrize(
    ("text", "kernel", "expected"),
    [
        ("kernel=1x7", (1, 7), True),
        ("kernel=1×7", (1, 7), True),
        ("kernel=1x7", (7, 1), False),
        ("kernel=7", (1, 7), False),
        ("kernel>1", (1, 7), True),  # any side larger than 1 makes it spatial
        ("kernel>1", (1, 1), False),
        ("kernel=3", (3, 3, 3), True),
        ("kernel=3x3", (3, 3, 3), False),
        ("kernel=3", (3,), True),
        ("kernel=1x7,7x1", (7, 1), True),
        ("kernel!=1x7,7x1", (7, 1), False),
        ("kernel!=1x7,7x1", (3, 3), True),
        ("dims=3", (3, 3, 3), True),
        ("dims=3", (3, 3), False),
    ],
)
def test_a_size_is_one_number_for_all_sides_or_one_for_each(
    text: str, kernel: tuple[int, ...], expected: bool
) -> None:
    assert holds(text, replace(PLAIN, site=site(64, 128, kernel=kernel))) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("path=layer3.*", True),
        ("path=layer3", False),  # the whole path, not a part of it
        ("path=*.conv?", True),
        ("path=layer[1-3].*", True),
        ("path=LAYER3.*", False),
        ("path=layer1.*,layer3.*", True),
        ("path!=layer1.*,layer3.*", False),
        ("path!=layer1.*", True),
        ("type=Conv*", True),
        ("type!=Conv2d", False),
        ("path=layer3.* type=Linear", False),  # every term must hold
    ],
)
def test_paths_and_types_are_patterns(text: str, expected: bool) -> None:
    assert holds(text) is expected


@pytest.mark.parametrize("field", ["first", "transposed", "bias"])
def test_yes_and_no_are_answers(field: str) -> None:
    yes = replace(PLAIN, first=True, site=site(64, 128, bias=True, transposed=True))
    for candidate, answer, other in ((yes, "yes", "no"), (PLAIN, "no", "yes")):
        assert holds(f"{field}={answer}", candidate)
        assert holds(f"{field}!={other}", candidate)
        assert not holds(f"{field}={other}", candidate)
        assert holds(f"{field}=yes,no", candidate)


def test_a_block_is_asked_for_by_its_kind() -> None:
    block = replace(PLAIN, block="separable")
    assert holds("separable", block)
    assert not holds("inverted-residual", block)
    assert holds("block=separable,inverted-residual", block)
    assert not holds("separable", PLAIN)


def test_no_terms_refuse_nothing() -> None:
    assert holds("")


@quickly
@given(rules)
def test_a_rule_refuses_with_its_first_term_that_does_not_hold(rule: Rule) -> None:
    alone = [Rule((term,)).refusal(PLAIN) is None for term in rule.terms]
    expected = rule.terms[alone.index(False)] if False in alone else None
    assert rule.refusal(PLAIN) is expected


@quickly
@given(terms().filter(lambda term: term.operator in ("=", "!=")))
def test_not_equal_is_the_opposite_of_equal(term: Term) -> None:
    opposite = replace(term, operator="!=" if term.operator == "=" else "=")
    assert opposite.holds(PLAIN) is not term.holds(PLAIN)


@pytest.mark.parametrize(
    ("text", "candidate", "message"),
    [
        ("stride=1", at(stride=2), "stride=1 wanted, is 2×2"),
        ("M>=512", PLAIN, "M>=512 wanted, is 64"),
        ("first=no", replace(PLAIN, first=True), "first=no wanted, is yes"),
        ("transposed=yes", PLAIN, "transposed=yes wanted, is no"),
        ("type=Linear", replace(PLAIN, module=""), "type=Linear wanted, is none"),
        ("path=a,b", PLAIN, "path=a,b wanted, is layer3.0.conv2"),
        ("default", at(groups=4), "groups=1 wanted, is 4"),
    ],
)
def test_a_refusal_says_what_was_wanted_and_what_is(
    text: str, candidate: Candidate, message: str
) -> None:
    term = Rule.parse(text).refusal(candidate)
    assert term is not None
    assert why(Outcome.KEPT, FailedTerm(term, candidate.value(term.field))) == message


# --- what cannot be read


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("kernal=3", "no field of a rule is called 'kernal'", "did you mean kernel? fields: "),
        ("strides>1", "no field of a rule is called 'strides'", "did you mean stride? fields: "),
        ("colour=red", "no field of a rule is called 'colour'", "fields: kernel, stride, "),
        ("stirde-1", "no rule is called 'stirde-1'", "did you mean stride-1? named rules: "),
        ("everything", "no rule is called 'everything'", "named rules: default, stride-1, "),
    ],
)
def test_an_unknown_name_is_refused_with_what_is_near(text: str, message: str, hint: str) -> None:
    with pytest.raises(UnknownNameError) as refused:
        Rule.parse(text)
    assert refused.value.message == message
    assert refused.value.hint.startswith(hint)


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("M=many", "M=many: 'many' does not fit M", "expected a whole number"),
        ("M=64,", "M=64,: '' does not fit M", "expected a whole number"),
        ("M=-1", "M=-1: '-1' does not fit M", "expected a whole number"),
        ("M=²", "M=²: '²' does not fit M", "expected a whole number"),
        ("kernel=3x", "kernel=3x: '3x' does not fit kernel", "expected a number or numbers joined"),
        ("kernel=²", "kernel=²: '²' does not fit kernel", "expected a number or numbers joined"),
        ("first=true", "first=true: 'true' does not fit first", "expected yes or no"),
        (
            "block=mb",
            "block=mb: 'mb' does not fit block",
            "expected separable or inverted-residual",
        ),
        ("path>a", "path>a: path cannot be compared with >", "use = or !="),
        ("bias<=no", "bias<=no: bias cannot be compared with <=", "use = or !="),
        ("block>separable", "block>separable: block cannot be compared with >", "use = or !="),
        ("M=", "'M=' is not a term of a rule", "write field=value, such as kernel=3"),
        ("=3", "'=3' is not a term of a rule", "write field=value, such as kernel=3"),
        ("2M=3", "'2M=3' is not a term of a rule", "write field=value, such as kernel=3"),
    ],
)
def test_a_term_that_cannot_be_read_is_refused_with_what_was_expected(
    text: str, message: str, hint: str
) -> None:
    with pytest.raises(RuleError) as refused:
        Rule.parse(f"stride=1 {text}")
    assert refused.value.message == message
    assert refused.value.hint.startswith(hint)


@quickly
@given(st.text(max_size=12) | st.from_regex(r"(kernel|M|first|path)[<>=!]{1,2}\S{0,5}"))
def test_any_text_is_a_rule_or_a_usage_error(text: str) -> None:
    try:
        rule = Rule.parse(text)
    except UsageError as error:
        assert error.message and error.hint
    else:
        assert Rule.parse(str(rule)) == rule
        rule.refusal(PLAIN)
