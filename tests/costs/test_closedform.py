"""A closed form says what a profile counts, at every point where it holds."""

from __future__ import annotations

import ast
import json
from fractions import Fraction
from math import gcd
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.commands import Command
from support.forms import B, G, H, W, asked_for, counts, run_alone
from support.networks import conv, network, quickly, site
from sympy import Rational, sympify

import dualcost
from dualcost.costs.closedform import closed_form
from dualcost.costs.profile import profile
from dualcost.costs.sums import Sum, Term
from dualcost.errors import ExitCode, UsageError
from dualcost.kinds.kinds import KINDS
from dualcost.library import networks as library
from dualcost.network.cost import convention
from dualcost.network.expression import Values, flattened, python
from dualcost.render.function import form_python
from dualcost.rewrite.request import Request
from dualcost.rewrite.rule import NAMED_RULES

# network and rule: plain and grouped convolutions, blocks, shared weights, attention, detection
NETWORKS = [
    ("resnet50", "default"),
    ("vgg16", "stride-1"),
    ("densenet121", "default"),
    ("mobilenet_v2", "inverted-residual"),
    ("zoo:mobilenetv1-cifar10", "separable"),
    ("shufflenet_v2_x1_0", "kernel=1"),
    ("inception_v3", "path=Mixed*"),
    ("convnext_tiny", "kernel=2"),
    ("fcn_resnet50", "default"),
    ("retinanet_resnet50_fpn", "default"),
    ("zoo:resnet50-cifar10", "kernel>1 first=no"),
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("name", "where"), NETWORKS)
def test_a_form_is_the_profile_at_every_divisor(name: str, where: str, kind: str) -> None:
    network = library.load(name)
    asked = asked_for(kind, where)
    form = closed_form(network, asked)
    assert form.symbols == tuple(KINDS[kind].letter)
    for divisor in form.divisors or (1,):
        sizes = dict.fromkeys(form.symbols, divisor)
        cost = form.at(**sizes)
        assert (cost.macs, cost.params) == counts(network, asked.at(divisor))
    before = {metric: form.before[metric].at({}) for metric in ("macs", "params")}
    assert tuple(before.values()) == counts(network, None)


def test_the_form_of_one_convolution_is_the_papers_equation() -> None:
    one = network(conv("conv", site(12, 24, side=5)))
    form = closed_form(one, asked_for("dual", "kernel=3"))
    # equations (4) and (5): D_o²·K²·M·N/G + D_o²·M·N
    assert form.macs.expression == 5 * 5 * 12 * 24 * (9 / G + 1)
    assert form.params.expression == 12 * 24 * (9 / G + 1)
    # all that divides M = 12 and N = 24
    assert form.divisors == (1, 2, 3, 4, 6, 12)


def test_exemptions_biases_and_conventions_are_those_of_the_profile() -> None:
    network = library.load("vgg16_bn")
    but = ("M<=64: G=8", "path=features.4*: keep")
    asked = Request.parse("dual", bias="drop", but=but, open=True)
    form = closed_form(network, asked, convention("paper"))
    for divisor in form.divisors:
        there = profile(network, asked.at(divisor), convention("paper")).after
        assert form.at(G=divisor).macs == there.macs
        assert form.at(G=divisor).params == there.params
    assert form.divisors[-1] > 64  # the sites of 64 channels have a G of their own


def test_where_every_site_is_exempted_nothing_depends_on_g() -> None:
    asked = Request.parse("dual", but=("M>=1: G=8",), open=True)
    form = closed_form(library.load("resnet18"), asked)
    assert (form.symbols, form.divisors) == ((), ())
    assert form.at().macs == counts(library.load("resnet18"), asked.at(1))[0]


def test_the_derivative_is_what_differences_tend_to() -> None:
    form = closed_form(library.load("resnet50"), asked_for("dual", "default"))
    step = Rational(1, 10**6)
    for metric in ("macs", "params"):
        ratio, slope = form.ratio(metric), form.derivative(metric)
        fall = form.fall(metric)
        assert fall is not None
        for at in (1, 2, 5, 32):
            between = (ratio.subs(G, at + step) - ratio.subs(G, at - step)) / (2 * step)
            assert abs(between - slope.subs(G, at)) < 1e-9
            assert slope.subs(G, at) == -Rational(fall.numerator, fall.denominator) / at**2


@quickly
@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(1, 99), st.integers(1, 4000))
def test_beyond_the_knee_and_only_there_a_doubling_saves_less(
    a: int, b: int, percent: int, tenths: int
) -> None:
    share, at = Fraction(percent, 100), Fraction(tenths, 10)
    total = Sum((Term(sympify(1), sympify(a), sympify(b)),), "G")
    knee = total.knee(share, {})
    cost = a + b / at
    saves_less = cost - (a + b / (2 * at)) < share * cost
    if cost:
        assert saves_less == (knee is not None and at > knee)


@pytest.mark.parametrize("percent", [1, 5, 20])
def test_the_knee_of_a_network_is_found_by_trying(percent: int) -> None:
    network, asked = library.load("resnet50"), asked_for("dual", "default")
    form, share = closed_form(network, asked), Fraction(percent, 100)
    macs = {g: counts(network, asked.at(g))[0] for g in form.divisors}
    knee = form.macs.knee(share, {})
    assert knee is not None
    for g in form.divisors[:-1]:
        assert (macs[g] - macs[2 * g] < share * macs[g]) == (g > knee)
        assert form.macs.saving(g, {}) == 1 - Fraction(macs[2 * g], macs[g])


expressions = st.recursive(
    st.sampled_from([B, H, W]),
    lambda inner: st.builds(
        lambda x, add, divisor, then: floor_of((x + add) / divisor) + then,
        inner,
        st.integers(-7, 7),
        st.integers(1, 6),
        st.integers(-3, 3),
    ),
    max_leaves=4,
)


def floor_of(expression: Any) -> Any:
    from sympy import floor

    return floor(expression)


@quickly
@given(expressions, st.integers(1, 500))
def test_flattened_expressions_and_their_source_have_the_same_value(
    expression: object, size: int
) -> None:
    sizes = {"B": size, "H": size, "W": size}
    flat = flattened(expression)
    assert Values(sizes).of(flat) == Values(sizes).of(sympify(expression))
    assert eval(python(flat), {}, sizes) == Values(sizes).of(flat)
    assert "(floor(" not in str(flat)  # none stands in another


def test_source_divides_exactly() -> None:
    large = 10**17 + 1
    assert eval(python(floor_of((H + 1) / 2)), {}, {"H": large}) == (large + 1) // 2
    half = eval(python(H / 2 + Rational(1, 2)), {"Fraction": Fraction}, {"H": 2})
    assert half == Fraction(3, 2)
    assert ast.unparse(ast.parse(python((H + 1) * W**2))) == "W ** 2 * (H + 1)"
    assert eval(python(sympify("Mod(64, G)", {"G": G})), {}, {"G": 48}) == 16


@pytest.mark.parametrize("kind", KINDS)
def test_the_python_functions_of_a_packaged_network_agree(kind: str, tmp_path: Path) -> None:
    network, asked = library.load("resnet50"), asked_for(kind, "default")
    form = closed_form(network, asked)
    points: list[dict[str, float]] = [
        dict.fromkeys(form.symbols, divisor) for divisor in form.divisors or (1,)
    ]
    expected = [list(counts(network, asked.at(d))) for d in form.divisors or (1,)]
    assert run_alone(tmp_path, form_python(form, "resnet50"), points) == expected


def test_the_python_interface_takes_words() -> None:
    form = dualcost.formula("resnet50", conv="dual")
    assert form.at(G=4).macs == dualcost.profile("resnet50", conv="dual", G=4).after.macs
    assert dualcost.formula("resnet50", conv="dual", G=4).at() == form.at(G=4)
    with pytest.raises(UsageError, match="G is not a symbol here"):
        dualcost.formula("resnet50", conv="het", symbols="B,G")


def test_the_guard_is_the_greatest_common_divisor_of_all_channels() -> None:
    for name, where in NETWORKS:
        network = library.load(name)
        form = closed_form(network, asked_for("dual", where))
        rows = [row for row in profile(network, asked_for("dual", where, 1)).rows if row.replaced]
        shared = gcd(*(channels for row in rows for channels in (row.M or 0, row.N or 0)))
        assert [str(guard) for guard in form.guards] == [f"G divides {shared}"]
        assert form.divisors == tuple(n for n in range(1, shared + 1) if shared % n == 0)


def test_the_command_prints_maths_that_fits_the_terminal(command: Command) -> None:
    code, out, err = command("formula", "resnet50", "--conv", "dual", "--knee", "4%")
    assert (code, err) == (ExitCode.OK, "")
    assert out.splitlines()[0] == "torchvision:resnet50 with dual in 16 of 53 convolutions"
    assert "G divides 64 (the narrowest is layer1.0.conv2: M=64, N=64)" in out
    # Table V prints 4.09 G → 2.91 G and 25.56 M → 18.33 M for G = 4
    assert ["4", "2.907", "G", "0.711", "18.33", "M", "0.717"] in [
        line.split()[:7] for line in out.splitlines()
    ]
    knee = 1849688064 * (Fraction(100, 8) - 1) / 2445017088
    assert f"MACs: beyond G = {float(knee):.4g} (first G = 16) a doubling saves < 4.0%" in out
    assert max(map(len, out.splitlines())) <= 80


def test_json_has_the_exact_forms(command: Command) -> None:
    code, out, _ = command("formula", "resnet50", "--conv", "dual", "--json")
    document = json.loads(out)
    assert (code, document["schema"]) == (ExitCode.OK, 1)
    names = {"G": G}
    macs = document["counts"]["macs"]
    for divisor in document["divisors"]:
        here = dualcost.profile("resnet50", conv="dual", G=divisor)
        for text in (macs["expression"], macs["factored"]):
            assert sympify(text, names).subs(G, divisor) == here.after.macs
        assert sympify(macs["ratio"], names).subs(G, divisor) == Rational(
            here.after.macs, here.before.macs
        )
    assert document["guards"] == [{"text": "G divides 64", "relation": ["Eq", "Mod(64, G)", "0"]}]
    assert command("formula", "resnet50", "--json")[0] == ExitCode.OK


def test_latex_and_python_are_written_to_files(command: Command, tmp_path: Path) -> None:
    _, out, _ = command("formula", "resnet50", "--conv", "dual", "--latex")
    assert out.splitlines()[0] == r"\mathrm{MACs} = 2445017088 + \frac{1849688064}{G}"
    code, out, _ = command("formula", "resnet50", "--conv", "het", "--python", "-o", "cost.py")
    assert (code, out) == (ExitCode.OK, "")
    assert "def macs(*, P):" in (tmp_path / "cost.py").read_text()


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (["resnt50"], "no model is called 'resnt50'", "did you mean resnet50"),
        (["resnet50", "--G", "4"], "--G says how", "--conv dual"),
        (["resnet50", "--conv", "het", "--G", "4"], "het takes P", "--P 4"),
        (["resnet50", "--symbols", "G"], "G is not a symbol here", "--conv"),
        (["resnet50", "--conv", "dual", "--G", "4", "--symbols", "G"], "G is not a", "number"),
        (["resnet50", "--knee", "5"], "'5' is not a percentage", "5%"),
        (["resnet50", "--knee", "0%"], "0% has no meaning", "more than 0%"),
        (["resnet50", "--latex", "--json"], "exclude each other", "choose one"),
        (["resnet50", "--conv", "dual", "--where", "M=7"], "nothing in", "--sites"),
    ],
)
def test_bad_input_ends_in_one_message_with_a_hint(
    command: Command, arguments: list[str], message: str, hint: str
) -> None:
    code, out, err = command("formula", *arguments)
    assert (code, out) == (ExitCode.USAGE, "")
    lines = [line for line in err.splitlines() if not line.startswith("dualcost: ")]
    assert [line.partition(":")[0] for line in lines] == ["error", "hint"], err
    assert message in lines[0]
    assert hint in lines[1]


def test_the_rules_of_these_tests_are_known() -> None:
    assert {where for _, where in NETWORKS} & set(NAMED_RULES) == set(NAMED_RULES)
