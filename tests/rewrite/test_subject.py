"""A network in words: what is its model, and what is its request."""

from __future__ import annotations

from pathlib import Path

import pytest

from dualcost.errors import UnknownNameError, UsageError
from dualcost.rewrite import plan
from dualcost.rewrite.request import Request
from dualcost.rewrite.subject import Subject


@pytest.mark.parametrize(
    ("text", "model", "request_"),
    [
        ("resnet50", "resnet50", None),
        ("resnet50+dual:G=4", "resnet50", "dual:4"),
        ("resnet50+dual:4", "resnet50", "dual:4"),
        ("resnet50+dsc", "resnet50", "dsc"),
        ("timm:x+dual G=4@kernel=3 stride=1", "timm:x", "dual:4@kernel=3 stride=1"),
        ("zoo:vgg16-imagenet+dsc", "zoo:vgg16-imagenet", "dsc"),
        ("a+b.py:make+group:G=16", "a+b.py:make", "group:16"),
        ("m+dual:G=8@kernel=3 path=a.*,b+c", "m", "dual:8@kernel=3 path=a.*,b+c"),
        ("a+b/model.py:make", "a+b/model.py:make", None),
        ("a+b/model.py:make+het:4", "a+b/model.py:make", "het:4"),
        ("user@host/model.py:make", "user@host/model.py:make", None),
    ],
)
def test_a_plus_comes_before_what_replaces(text: str, model: str, request_: str | None) -> None:
    found = Subject.parse(text)
    assert (found.model, found.text) == (model, text)
    assert found.request == (Request.parse(request_) if request_ else None)


def test_a_plan_stands_behind_a_plus(tmp_path: Path) -> None:
    asked = Request.parse("dual:4@stride-1")
    plan.write(asked, tmp_path / "plan.toml")
    assert Subject.parse(f"resnet50+{tmp_path}/plan.toml") == Subject(
        "resnet50", asked, f"resnet50+{tmp_path}/plan.toml"
    )
    with pytest.raises(UsageError, match="says it all"):
        Subject.parse(f"resnet50+{tmp_path}/plan.toml", where="stride-1")


def test_words_beside_hold_for_what_the_text_does_not_say() -> None:
    assert Subject.parse("resnet50", "dual", 4).request == Request.parse("dual:4")
    assert Subject.parse("resnet50+dual", G=4).request == Request.parse("dual:4")
    assert Subject.parse("resnet50+dual", open=True).request == Request.parse("dual", open=True)
    several = Subject.parse("resnet50+dual:4@stride-1", where="separable", several=True)
    assert several.request == Request.parse("dual:4@stride-1")
    assert Subject.parse("resnet50", where="separable", several=True).request is None


@pytest.mark.parametrize(
    ("text", "words", "says"),
    [
        ("resnet50+dual:4", {"conv": "het:4"}, "stands beside it"),
        ("resnet50+dual:4", {"G": 8}, "stands beside it"),
        ("resnet50", {"where": "stride-1"}, "where says how to replace, but not by what"),
        ("resnet50", {"G": 4}, "G says how to replace, but not by what"),
        ("resnet50@stride-1", {}, "says where, but not by what"),
        ("+dual:4", {}, "says how to change, but not what"),
    ],
)
def test_what_does_not_go_together_is_refused(
    text: str, words: dict[str, object], says: str
) -> None:
    with pytest.raises(UsageError, match=says.replace("+", r"\+")):
        Subject.parse(text, **words)  # type: ignore[arg-type]


def test_a_kind_with_a_typing_error_is_no_model() -> None:
    with pytest.raises(UnknownNameError, match="dul"):
        Subject.parse("resnet50+dul:4")
