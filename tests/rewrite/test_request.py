"""The text of a request: every way to write one, and back."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dualcost.errors import UnknownNameError, UsageError
from dualcost.kinds.kinds import KINDS
from dualcost.rewrite.request import Request, variants
from dualcost.rewrite.rule import NAMED_RULES

DUAL = Request.parse("dual", G=4)


def lettered(kind: str, number: int) -> str:
    letter = KINDS[kind].letter
    return f"{kind} {letter}={number}" if letter else kind


terms = st.sampled_from(
    ("kernel=3", "stride=1,2", "M>=64", "N!=512", "path=layer3.*,layer4.*", "type=Conv2d")
)
rules = st.one_of(
    st.sampled_from(sorted(NAMED_RULES)),
    st.lists(terms, min_size=1, unique=True).map(" ".join),
)
requests = st.builds(
    Request.parse,
    st.sampled_from(sorted(KINDS)).flatmap(
        lambda kind: st.integers(1, 64).map(lambda number: lettered(kind, number))
    ),
    where=rules,
    indivisible=st.sampled_from(("refuse", "keep", "gcd", "fallback:2")),
    bias=st.sampled_from(("keep", "drop")),
    but=st.lists(
        st.builds("{}: {}".format, rules, st.sampled_from(("keep", "dsc", "dual G=8", "het P=2"))),
        max_size=3,
    ),
)


@given(requests)
def test_the_text_of_a_request_reads_back_as_it(request_: Request) -> None:
    assert Request.parse(str(request_)) == request_
    assert Request.parse(**request_.words()) == request_


@given(st.lists(requests, min_size=1, max_size=4))
def test_texts_that_commas_join_come_apart_again(found: list[Request]) -> None:
    joined = ",".join(map(str, found))
    assert [Request.parse(text) for text in variants(joined)] == found


@pytest.mark.parametrize(
    "text",
    ["dual:4", "dual:G=4", "dual:g=4", "dual G=4", "dual 4", " dual : 4 ", "dual:G=4@default"],
)
def test_all_ways_to_write_one_are_the_same(text: str) -> None:
    assert Request.parse(text) == DUAL


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("dual:4@stride-1", {"where": "stride-1"}),
        ("dual:4,bias=drop", {"bias": "drop"}),
        ("dual:4,indivisible=fallback:2", {"indivisible": "fallback:2"}),
        ("dual:4;M<=32: G=8;path=head.*: keep", {"but": ("M<=32: G=8", "path=head.*: keep")}),
        (
            "dual:4@kernel=3 M>=64;M>512: het P=4",
            {"where": "kernel=3 M>=64", "but": ("M>512: het P=4",)},
        ),
    ],
)
def test_more_words_stand_in_the_text(text: str, words: dict[str, Any]) -> None:
    assert Request.parse(text) == Request.parse("dual", G=4, **words)


@pytest.mark.parametrize("text", ["dualconv:4", "Dual-Conv:G=4", "dual_conv 4", "DUAL:4"])
def test_a_kind_may_be_called_by_an_alias(text: str) -> None:
    assert Request.parse(text) == DUAL
    assert str(Request.parse("dual:4;M<=32: Depthwise-Separable")) == "dual:G=4;M<=32: dsc"


def test_words_beside_the_text_agree_with_it_or_are_refused() -> None:
    assert Request.parse("dual:4", G=4) == DUAL
    for text, words in (
        ("dual:4", {"G": 8}),
        ("dual:4@stride-1", {"where": "separable"}),
        ("dual:4,bias=drop", {"bias": "keep", "indivisible": "gcd", "G": 2}),
    ):
        with pytest.raises(UsageError, match="stands beside it"):
            Request.parse(text, **words)
    own = Request.parse("dual:4@stride-1", where="separable", bias="drop", own_first=True)
    assert own == Request.parse("dual:4", where="stride-1", bias="drop")


def test_a_number_that_nobody_says_is_missing_or_open() -> None:
    with pytest.raises(UsageError, match="dual needs G"):
        Request.parse("dual")
    found = Request.parse("dual", open=True)
    assert found.open and str(found) == "dual" == found.label
    assert found.at(4) == DUAL
    assert not Request.parse("dual:4", open=True).open
    assert not Request.parse("dsc", open=True).open


@pytest.mark.parametrize(
    ("text", "error", "says"),
    [
        ("dul:4", UnknownNameError, "dul"),
        ("dsc:4", UsageError, "takes no number"),
        ("dual:P=4", UsageError, "dual takes G"),
        ("dual:x", UsageError, "'x' in 'dual:x'"),
        ("dual:4,4", UsageError, "says G twice"),
        ("dual:0", UsageError, "not positive"),
        ("", UsageError, "does not say what replaces"),
        (":4", UsageError, "does not say what replaces"),
    ],
)
def test_what_is_no_request_says_so(text: str, error: type[Exception], says: str) -> None:
    with pytest.raises(error) as caught:
        Request.parse(text)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("text", "texts"),
    [
        ("dual", ["dual"]),
        ("dual,het", ["dual", "het"]),
        ("dual:4,bias=drop,het:4", ["dual:4,bias=drop", "het:4"]),
        ("dual:4@path=a,b,het:4", ["dual:4@path=a,b", "het:4"]),
        ("dual:4,grup:8", ["dual:4", "grup:8"]),
        ("DualConv:4,bias=drop,dw-conv", ["DualConv:4,bias=drop", "dw-conv"]),
        ("dual:4@path=stem,conv,grouped:8", ["dual:4@path=stem,conv", "grouped:8"]),
    ],
)
def test_several_are_joined_by_commas(text: str, texts: list[str]) -> None:
    assert variants(text) == texts
