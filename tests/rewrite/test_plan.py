"""A plan is a rewrite in a file: read as it was written, and refused by line where it is wrong."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.commands import Command
from support.networks import chain, quickly, replaced

import dualcost
from dualcost.costs.profile import profile
from dualcost.errors import ExitCode, IndivisibleError, UsageError
from dualcost.kinds.kinds import KINDS
from dualcost.lab.race import Variant
from dualcost.render.rewrite import why
from dualcost.rewrite import plan
from dualcost.rewrite.exemption import Exemption
from dualcost.rewrite.request import Bias, Indivisible, Request
from dualcost.rewrite.rewrite import rewrite
from dualcost.rewrite.rule import Rule, Term
from dualcost.toml import quoted

MIXED = ("path=c1: het P=4", "path=c2: dsc", "path=c3: keep", "M>=64: G=2", "N=64: group G=16")


# --- exceptions that name a kind


def test_an_exception_may_name_another_kind() -> None:
    asked = Request.parse("dual", G=8, but=MIXED)
    found = rewrite(chain(3, 32, 32, 32, 32, 64, 64, 32), asked).checked()
    assert {one.path: (one.kind.name, one.divisor) for one in found.replacements} == {
        "c1": ("het", 4),
        "c2": ("dsc", 1),
        "c4": ("group", 16),
        "c5": ("dual", 2),
        "c6": ("dual", 2),
    }
    reasons = {d.candidate.path: why(d.outcome, d.reason) for d in found.decisions}
    assert reasons["c1"] == "het P=4 by “path=c1: het P=4”"
    assert reasons["c2"] == "dsc by “path=c2: dsc”"
    assert reasons["c3"] == "kept by “path=c3: keep”"
    assert reasons["c5"] == "G=2 by “M>=64: G=2”"


def test_a_recipe_of_an_exception_costs_what_its_kind_costs() -> None:
    network = chain(3, 32, 32, 32)
    asked = Request.parse("dual", G=8, but=("path=c1: dsc",))
    after = {row.path: row.after for row in profile(network, asked).rows}
    assert after["c1"].params == 3 * 3 * 32 + 32 * 32  # K*K*M + M*N
    assert after["c2"].params == 32 * (3 * 3 * 32 // 8 + 32)  # N*(K*K*M/G + M)


def test_a_rewrite_of_several_kinds_says_so() -> None:
    assert Request.parse("dual", G=8, but=MIXED).label == "dual G=8 and others"
    assert Request.parse("dual:8;M>=64: G=2;N=64: keep").label == "dual G=8"


def test_a_policy_holds_for_the_kind_of_an_exception() -> None:
    network = chain(3, 12, 12)
    with pytest.raises(IndivisibleError, match=r"c1: M=12 is not divisible by P=8$"):
        rewrite(network, Request.parse("dual", G=4, but=("path=c1: het P=8",))).checked()
    with pytest.raises(IndivisibleError) as refused:  # dsc has no letter to name
        rewrite(network, Request.parse("dsc", but=("path=c1: het P=8",))).checked()
    assert refused.value.hint.startswith("choose another G or P, or say what to do there:")
    asked = Request.parse("dual", G=4, but=("path=c1: het P=8",), indivisible="gcd")
    assert replaced(rewrite(network, asked)) == {"c1": 4}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("M<=32: dual", "'M<=32: dual' is not an exception"),
        ("M<=32: dual 8", "'M<=32: dual 8' is not an exception"),
        ("M<=32: dsc G=4", "dsc takes neither G nor P, but G=4 was given"),
        ("M<=32: het G=4", "het takes P, but G=4 was given"),
        ("M<=32: duel G=4", "no kind of convolution is called 'duel'"),
        ("M<=32: dual G=0", "G=0 is not positive"),
        ("M<=32: dual keep", "'M<=32: dual keep' is not an exception"),
    ],
)
def test_an_exception_with_a_kind_that_cannot_be_read_is_refused(text: str, message: str) -> None:
    with pytest.raises(UsageError) as refused:
        Exemption.parse(text, KINDS["het"])
    assert refused.value.message == message
    assert refused.value.hint


# --- plans

_words = st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters=","), min_size=1)
_rules = st.builds(
    lambda pattern, M: Rule((Term("path", "=", (pattern,)), Term("M", ">=", (str(M),)))),
    _words.filter(lambda word: ":" not in word),
    st.integers(0, 9999),
)


@st.composite
def rewrites(draw: st.DrawFn) -> Request:
    """Any rewrite, with exceptions of all forms."""

    def divisor(name: str) -> int:
        return draw(st.integers(1, 512)) if KINDS[name].letter else 1

    name = draw(st.sampled_from(sorted(KINDS)))
    exemptions = []
    for rule in draw(st.lists(_rules, max_size=4)):
        other = draw(st.sampled_from([*sorted(KINDS), None]))
        if other is None:
            exemptions.append(Exemption(rule, None))
        else:
            named = KINDS[other]
            exemptions.append(Exemption(rule, divisor(other), named.letter, named))
    return Request(
        KINDS[name],
        divisor(name),
        Rule.replacing(str(draw(_rules))),
        Indivisible.parse(draw(st.sampled_from(["refuse", "keep", "gcd", "fallback:8"]))),
        draw(st.sampled_from(Bias)),
        tuple(exemptions),
    )


@quickly
@given(rewrites())
def test_a_plan_is_read_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, asked: Request
) -> None:
    path = tmp_path_factory.mktemp("plan") / "plan.toml"
    plan.write(asked, path, ["for a network", "# twice"])
    assert plan.read(path) == asked
    assert tomllib.loads(path.read_text())["schema"] == 1
    assert path.read_text().startswith("# for a network\n# # twice\nschema = 1\n")


@given(st.text())
def test_any_text_is_quoted_as_toml_reads_it(text: str) -> None:
    text = text.encode(errors="replace").decode()  # TOML has no lone surrogates
    assert tomllib.loads(f"text = {quoted(text)}") == {"text": text}


def test_a_plan_may_leave_out_what_is_usual(tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    path.write_text('schema = 1\nkind = "het"\nP = 4\n')
    assert plan.read(path) == Request.parse("het", P=4)


GOOD = 'schema = 1\nkind = "dual"\nG = 4\nwhere = "default"\nbut = [\n  "M<=32: G=2",\n]\n'


@pytest.mark.parametrize(
    ("old", "new", "message", "hint"),
    [
        ("G = 4", "G = ", "is not TOML: Invalid value (at line 3, column 5)", ""),
        ("where", "were", ":4: no key of a plan is called 'were'", "did you mean where?"),
        ("schema = 1\n", "", ": schema is missing", "add a line schema = 1"),
        ('kind = "dual"\n', "", ": kind is missing", 'add a line kind = "dual"'),
        ("schema = 1", "schema = 2", ":1: schema 2 is not known", "this dualcost reads 1"),
        ('"dual"', '"duel"', ":2: no kind of convolution is called 'duel'", "did you mean dual?"),
        ("G = 4\n", "", ":2: dual needs G", "add a line G = 4"),
        ("G = 4", "P = 4", ":2: dual needs G", "add a line G = 4"),
        ("G = 4", "G = 4\nP = 4", ":3: dual takes G, but P=4 was given", "write --G 4"),
        ("G = 4", "G = 0", ":3: G=0 is not positive", "give G"),
        ("G = 4", 'G = "4"', ":3: G is not a whole number", "write a whole number"),
        ("G = 4", "G = true", ":3: G is not a whole number", "write a whole number"),
        ('"default"', '"kernal=3"', ":4: no field of a rule is called 'kernal'", "did you mean"),
        ('"M<=32: G=2"', '"M>=1: keep", "M<=32: P=2"', ":6: dual takes G, but P=2 was", "write"),
        ('"M<=32: G=2"', "4", ":5: but is not a list of texts", "write a list of texts"),
        ("G = 4", 'G = 4\nbias = "none"', ":4: bias 'none' is not known", "one of keep, drop"),
        ("G = 4", 'G = 4\nindivisible = "x"', ":4: 'x' does not say what to do", "one of refuse"),
    ],
)
def test_a_plan_that_is_wrong_is_refused_by_its_line(
    tmp_path: Path, old: str, new: str, message: str, hint: str
) -> None:
    path = tmp_path / "plan.toml"
    path.write_text(GOOD)
    assert plan.read(path).divisor == 4
    path.write_text(GOOD.replace(old, new, 1))
    with pytest.raises(UsageError) as refused:
        plan.read(path)
    assert refused.value.message.startswith(str(path))
    assert message in refused.value.message
    assert hint in refused.value.hint


def test_a_plan_that_is_missing_or_no_text_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot read .*: No such file"):
        plan.read(tmp_path / "none.toml")
    (tmp_path / "image.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="is not UTF-8"):
        plan.read(tmp_path / "image.toml")


# --- where plans go

PLAN = (
    'schema = 1\nkind = "dual"\nG = 8\n'
    'but = ["path=layer1.*: keep", "path=layer2.*: het P=4", "path=layer4.*: group G=2"]\n'
)
WORDS = {"conv": "dual", "G": 8, "but": tuple(tomllib.loads(PLAN)["but"])}


@pytest.fixture
def written(tmp_path: Path) -> str:
    (tmp_path / "plan.toml").write_text(PLAN)
    return "plan.toml"


def test_a_profile_by_a_plan_is_that_of_its_words(command: Command, written: str) -> None:
    code, out, _ = command("profile", "resnet18", "--plan", written, "--format", "json")
    assert code == ExitCode.OK
    after = json.loads(out)["total"]["after"]
    same = dualcost.profile("resnet18", **WORDS).after  # type: ignore[arg-type]  # words
    assert (after["macs"], after["params"]) == (same.macs, same.params)


def test_an_explanation_tells_what_a_plan_does(command: Command, written: str) -> None:
    _, out, _ = command("profile", "resnet18", "--plan", written, "--sites")
    assert "het P=4 by “path=layer2.*: het P=4”" in out


@pytest.mark.parametrize(
    ("words", "option"),
    [
        (["--conv", "dual"], "--conv"),
        (["--G", "4"], "--G"),
        (["--where", "stride-1"], "--where"),
        (["--but", "M>1: keep"], "--but"),
        (["--indivisible", "keep"], "--indivisible"),
        (["--bias", "drop"], "--bias"),
    ],
)
@pytest.mark.parametrize("name", ["profile", "verify"])
def test_a_plan_stands_alone(
    command: Command, written: str, name: str, words: list[str], option: str
) -> None:
    code, _, err = command(name, "resnet18", "--plan", written, *words)
    assert code == ExitCode.USAGE
    assert err.startswith(f"error: --plan {written} says it all, and {option} stands beside it")


def test_a_comparison_takes_a_plan(command: Command, written: str) -> None:
    code, out, _ = command("compare", "resnet18", f"resnet18+{written}", "--json")
    assert code == ExitCode.OK
    same = dualcost.profile("resnet18", **WORDS)  # type: ignore[arg-type]  # words
    assert str(same.after.macs) in out
    code, _, err = command("compare", "resnet18", written)
    assert code == ExitCode.USAGE
    assert "says how to change, but not what" in err


def test_a_race_runs_a_plan(written: str, tmp_path: Path) -> None:
    asked = plan.read(tmp_path / written)
    variant = Variant(asked)
    assert Variant.from_json(variant.to_json()) == variant


def test_other_words_beside_a_whole_rewrite_are_refused() -> None:
    asked = Request.parse("dual", G=4)
    assert Request.parse(asked) is asked
    with pytest.raises(UsageError) as refused:
        dualcost.profile("resnet18", conv=asked, G=2)
    assert refused.value.message == "dual G=4 is a whole rewrite, and other words stand beside it"
    assert refused.value.hint == "leave G, P, where, but, indivisible and bias out"
