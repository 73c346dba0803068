"""A closed form says what a profile counts, at every point where it holds."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from math import gcd
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.commands import Command
from support.networks import quickly
from sympy import Rational, limit, oo, sympify
from torch import nn

import dualcost
from dualcost.costs.closedform import ClosedForm, closed_form
from dualcost.costs.profile import profile
from dualcost.costs.sums import Sum, Term
from dualcost.errors import ExitCode, UsageError
from dualcost.kinds.kinds import KINDS
from dualcost.library import networks as library
from dualcost.network.cost import convention
from dualcost.network.expression import Values, flattened, python, symbol
from dualcost.network.network import Network, TensorSpec
from dualcost.nn.trace.symbolic import symbolic_trace
from dualcost.nn.trace.trace import trace
from dualcost.render.function import form_python
from dualcost.rewrite.request import Rewrite
from dualcost.rewrite.rule import NAMED_RULES

G, H, W = map(symbol, "GHW")
B = symbol("B")

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


def asked_for(kind: str, where: str, divisor: int = 1) -> Rewrite:
    letter = KINDS[kind].letter
    G, P = (divisor if letter == one else None for one in "GP")
    return Rewrite.parse(kind, G, P, where=where)


def counts(network: Network, asked: Rewrite | None) -> tuple[int, int]:
    after = profile(network, asked).after
    return after.macs, after.params


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
        assert (cost.macs, cost.params) == counts(network, replace(asked, divisor=divisor))
    before = {metric: form.before[metric].at({}) for metric in ("macs", "params")}
    assert tuple(before.values()) == counts(network, None)


def test_the_form_of_one_convolution_is_the_papers_equation() -> None:
    network = trace(nn.Conv2d(12, 24, 3, padding=1, bias=False), [TensorSpec((1, 12, 5, 5))])
    form = closed_form(network, asked_for("dual", "kernel=3"))
    # equations (4) and (5): D_o²·K²·M·N/G + D_o²·M·N
    assert form.macs.expression == 5 * 5 * 12 * 24 * (9 / G + 1)
    assert form.params.expression == 12 * 24 * (9 / G + 1)
    # all that divides M = 12 and N = 24
    assert form.divisors == (1, 2, 3, 4, 6, 12)


def test_weights_that_are_shared_and_layers_that_never_run_count_once() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Conv2d(4, 8, 3, padding=1)
            self.conv = nn.Conv2d(8, 8, 3, padding=1)
            self.idle = nn.Linear(5, 7)

        def forward(self, x):  # type: ignore[no-untyped-def]
            return self.conv(self.conv(self.first(x)))

    network = trace(Twice(), [TensorSpec((1, 4, 6, 6))])
    form = closed_form(network, asked_for("group", "kernel=3 M=8"))
    for divisor in (1, 2, 4, 8):
        asked = asked_for("group", "kernel=3 M=8", divisor)
        cost = form.at(G=divisor)
        assert (cost.macs, cost.params) == counts(network, asked)
        # two runs, one set of weights, and what never runs
        own = 9 * 8 * 8 // divisor
        assert cost.macs == 36 * (9 * 4 * 8 + 2 * own)
        assert cost.params == 9 * 4 * 8 + 8 + own + 8 + 5 * 7 + 7


def test_exemptions_biases_and_conventions_are_those_of_the_profile() -> None:
    network = library.load("vgg16_bn")
    but = ("M<=64: G=8", "path=features.4*: keep")
    asked = Rewrite.parse("dual", G=1, bias="drop", but=but)
    form = closed_form(network, asked, convention("paper"))
    for divisor in form.divisors:
        there = profile(network, replace(asked, divisor=divisor), convention("paper")).after
        assert form.at(G=divisor).macs == there.macs
        assert form.at(G=divisor).params == there.params
    assert form.divisors[-1] > 64  # the sites of 64 channels have a G of their own


def test_where_every_site_is_exempted_nothing_depends_on_g() -> None:
    asked = Rewrite.parse("dual", G=1, but=("M>=1: G=8",))
    form = closed_form(library.load("resnet18"), asked)
    assert (form.symbols, form.divisors) == ((), ())
    assert form.at().macs == counts(library.load("resnet18"), asked)[0]


def symbolic(name: str) -> tuple[nn.Module, TensorSpec]:
    from dualcost.nn.sources.build import build
    from dualcost.nn.sources.sources import find

    source = find(name)
    return build(source.factory, name), source.inputs[0]


@pytest.mark.parametrize(
    ("name", "where", "kind"),
    [
        ("torchvision:resnet18", "default", "dual"),
        ("torchvision:mobilenet_v2", "inverted-residual", "het"),
        ("torchvision:squeezenet1_1", "kernel=3", "dsc"),
        ("zoo:mobilenetv1-cifar10", "separable", "dual"),
    ],
)
def test_a_form_in_batch_height_and_width_is_the_profile_of_a_trace(
    name: str, where: str, kind: str
) -> None:
    model, _ = symbolic(name)
    form = closed_form(symbolic_trace(model, [TensorSpec((1, 3, 64, 64))]), asked_for(kind, where))
    letter = KINDS[kind].letter
    assert form.symbols == ("B", "H", "W", *letter)
    for shape, divisor in (((1, 64, 64), 1), ((3, 97, 130), 4), ((2, 224, 65), 8)):
        network = trace(model, [TensorSpec((shape[0], 3, *shape[1:]))])
        sizes = dict(zip("BHW", shape, strict=True)) | dict.fromkeys(letter, divisor)
        cost = form.at(**sizes)
        assert (cost.macs, cost.params) == counts(network, asked_for(kind, where, divisor))


def small() -> ClosedForm:
    """With floors in floors, guards, and G."""
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2, padding=1),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3, stride=2),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(16, 10),
    )
    traced = symbolic_trace(model, [TensorSpec((1, 3, 40, 40))], "small")
    return closed_form(traced, asked_for("dual", "default"))


def test_sizes_for_which_a_form_does_not_hold_are_refused() -> None:
    form = small()
    with pytest.raises(UsageError, match="holds for G divides 8, not for B = 1"):
        form.at(B=1, H=40, W=40, G=3)
    with pytest.raises(UsageError, match="holds for H ≥ 11"):
        form.at(B=1, H=10, W=40, G=1)
    with pytest.raises(UsageError, match="has the symbols B, H, W, G"):
        form.at(G=1)
    with pytest.raises(UsageError, match="G = 0 is not positive"):
        form.at(B=1, H=40, W=40, G=0)
    with pytest.raises(UsageError, match="has no symbols"):
        closed_form(library.load("resnet18")).at(G=4)


def test_the_limit_and_the_derivative_are_those_of_sympy() -> None:
    for form in (small(), closed_form(library.load("resnet50"), asked_for("het", "default"))):
        letter = symbol(form.letter)
        for metric in ("macs", "params"):
            expression = form.sum(metric).expression
            assert (limit(expression, letter, oo) - form.sum(metric).limit).expand() == 0
            ratio = expression / form.before[metric].expression
            assert (ratio.diff(letter) - form.derivative(metric)).simplify() == 0


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
    macs = {g: counts(network, replace(asked, divisor=g))[0] for g in form.divisors}
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


def run_alone(folder: Path, source: str, calls: Sequence[Mapping[str, float]]) -> list[object]:
    """What the functions of a source return, in a Python that has no other module than its own."""
    (folder / "cost.py").write_text(source)
    script = (
        "import json, sys, cost\n"
        "found = []\n"
        f"for sizes in {calls!r}:\n"
        "    try:\n"
        "        found.append([cost.macs(**sizes), cost.params(**sizes)])\n"
        "    except ValueError as error:\n"
        "        found.append(str(error))\n"
        "assert not {'dualcost', 'sympy'} & set(sys.modules)\n"
        "print(json.dumps(found))\n"
    )
    # -S and -I: no site-packages, so that dualcost cannot be imported
    done = subprocess.run(
        [sys.executable, "-S", "-I", "-c", f"import sys; sys.path.append('.')\n{script}"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    found: list[object] = json.loads(done.stdout)
    return found


def test_the_python_functions_agree_without_dualcost(tmp_path: Path) -> None:
    form = small()
    points = [
        {"B": b, "H": h, "W": w, "G": g}
        for b in (1, 7)
        for h, w in ((11, 40), (64, 99), (224, 225))
        for g in (1, 2, 8)
    ]
    expected = [[cost.macs, cost.params] for cost in (form.at(**point) for point in points)]
    assert run_alone(tmp_path, form_python(form, "small"), points) == expected
    refused: list[dict[str, float]] = [
        {"B": 1, "H": 40, "W": 40, "G": 3},
        {"B": 1, "H": 10, "W": 40, "G": 1},
        {"B": 0, "H": 40, "W": 40, "G": 1},
        {"B": 1, "H": 40.0, "W": 40, "G": 1},
    ]
    assert run_alone(tmp_path, form_python(form, "small"), refused) == [
        "the form holds if G divides 8",
        "the form holds if H ≥ 11",
        "B = 0 is not a positive integer",
        "H = 40.0 is not a positive integer",
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_the_python_functions_of_a_packaged_network_agree(kind: str, tmp_path: Path) -> None:
    network, asked = library.load("resnet50"), asked_for(kind, "default")
    form = closed_form(network, asked)
    points: list[dict[str, float]] = [
        dict.fromkeys(form.symbols, divisor) for divisor in form.divisors or (1,)
    ]
    expected = [list(counts(network, replace(asked, divisor=d))) for d in form.divisors or (1,)]
    assert run_alone(tmp_path, form_python(form, "resnet50"), points) == expected


def test_a_network_of_attention_has_a_form_in_its_batch() -> None:
    model, image = symbolic("torchvision:vit_b_16")
    form = closed_form(symbolic_trace(model, [image], symbols=["B"]))
    assert form.macs.expression == form.at(B=1).macs * B
    assert form.at(B=1).macs == profile(library.load("vit_b_16")).after.macs


def test_the_python_interface_takes_words_and_modules() -> None:
    form = dualcost.formula("resnet50", conv="dual")
    assert form.at(G=4).macs == dualcost.profile("resnet50", conv="dual", G=4).after.macs
    assert dualcost.formula("resnet50", conv="dual", G=4).at() == form.at(G=4)
    module = nn.Conv2d(4, 4, 3)
    found = dualcost.formula(module, "1x4x8x8", conv="group", symbols="H,W", where="kernel=3")
    assert found.symbols == ("H", "W", "G")
    assert found.at(H=5, W=6, G=2).macs == 3 * 4 * 9 * 4 * 4 // 2
    with pytest.raises(UsageError, match="G is no symbol here"):
        dualcost.formula("resnet50", conv="het", symbols="B,G")


def test_the_guard_is_the_greatest_common_divisor_of_all_channels() -> None:
    for name, where in NETWORKS:
        network = library.load(name)
        form = closed_form(network, asked_for("dual", where))
        rows = [row for row in profile(network, asked_for("dual", where)).rows if row.replaced]
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


def test_long_sums_are_collected_by_the_size_of_the_maps(command: Command) -> None:
    code, out, err = command("formula", "resnet18", "--symbols", "B,H,W,G", "--conv", "dual")
    assert code == ExitCode.OK
    assert err == "dualcost: tracing torchvision:resnet18 with symbols, once for this input\n"
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert "MACs = B · ( 9,408 · ⌈H/2⌉·⌈W/2⌉" in lines
    assert "+ 512,000 )" in lines  # the last layer: 512 · 1000
    assert max(map(len, out.splitlines())) <= 80
    again = command("formula", "resnet18", "--symbols", "B,H,W,G", "--conv", "dual")
    assert again == (ExitCode.OK, out, "")


def test_a_damaged_cache_entry_is_made_anew(command: Command, tmp_path: Path) -> None:
    command("formula", "squeezenet1_1", "--symbols", "B")
    (entry,) = (tmp_path / "cache" / "dualcost" / "traces").glob("*.json.gz")
    whole = entry.read_bytes()
    entry.write_bytes(whole[:100])
    _, _, err = command("formula", "squeezenet1_1", "--symbols", "B")
    assert f"a damaged cache entry is made anew: {entry}" in err
    assert entry.read_bytes() == whole


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
        (["resnet50", "--symbols", "G"], "G is no symbol here", "--conv"),
        (["resnet50", "--conv", "dual", "--G", "4", "--symbols", "G"], "G is no symbol", "number"),
        (["resnet50", "--knee", "5"], "'5' is not a percentage", "5%"),
        (["resnet50", "--knee", "0%"], "0% has no meaning", "more than 0%"),
        (["resnet50", "--latex", "--json"], "exclude each other", "choose one"),
        (["resnet50", "--conv", "dual", "--where", "M=7"], "nothing in", "--explain"),
        (["fasterrcnn_resnet50_fpn", "--symbols", "B"], "a list of images", "--symbols"),
        (["resnet18", "--symbols", "B,X"], "X is not a size", "its symbols are B, H, W"),
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
