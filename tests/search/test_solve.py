"""What `solve` finds is what trying every value finds."""

from __future__ import annotations

import json
from fractions import Fraction
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.commands import Command
from support.networks import quickly
from torch import nn

import dualcost
from dualcost.costs.closedform import ClosedForm, closed_form
from dualcost.costs.metrics import EXACT, METRICS
from dualcost.costs.profile import Profile, profile
from dualcost.errors import DualcostError, ExitCode, IndivisibleError, UsageError
from dualcost.library import networks as library
from dualcost.network.network import Network, TensorSpec
from dualcost.nn.trace.symbolic import symbolic_trace
from dualcost.rewrite.request import Request
from dualcost.search.constraint import Constraint, parsed
from dualcost.search.solve import solve_divisor, solve_size
from dualcost.units import Unit, parse_percent, parse_quantity


def tried(network: Network, kind: str, **words: Any) -> dict[int, Profile]:
    """The profile at every G or P up to 600 that the network takes."""
    letter = "P" if kind == "het" else "G"
    found = {}
    for divisor in range(1, 600):
        try:
            number: dict[str, Any] = {letter: divisor}
            asked = Request.parse(kind, **number, **words)
            found[divisor] = profile(network, asked)
        except IndivisibleError:
            continue
    return found


CASES: list[tuple[str, str, dict[str, Any]]] = [
    ("resnet18", "dual", {}),
    ("vgg16", "het", {"where": "stride-1"}),
    ("mobilenet_v2", "group", {"where": "inverted-residual"}),
    ("zoo:resnet50-cifar10", "dual", {"but": ("M<=64: keep",)}),
]


@pytest.mark.parametrize(("name", "kind", "words"), CASES)
def test_the_smallest_divisor_is_the_first_that_trying_finds(
    name: str, kind: str, words: dict[str, Any]
) -> None:
    network = library.load(name)
    all_tried = tried(network, kind, **words)
    costs = [(p.after.macs, p.after.params, p.peak[1].nbytes) for p in all_tried.values()]
    letter: dict[str, Any] = {"P" if kind == "het" else "G": 1}
    asked = Request.parse(kind, **letter, **words)
    # limits at, just under and between what the values give
    for macs in {m + d for m, _, _ in costs[::2] for d in (-1, 0)}:
        for params in {costs[1][1], costs[-1][1] - 1, costs[0][1]}:
            limits = parsed([f"macs <= {macs}", f"params <= {params}"])
            found = solve_divisor(network, asked, limits)
            fits = [
                divisor
                for divisor, p in all_tried.items()
                if p.after.macs <= macs and p.after.params <= params
            ]
            assert found.value == (min(fits) if fits else None)
            assert found.candidates == tuple(all_tried)
            if found.beyond:
                beyond = all_tried[found.beyond.number].after
                over = {"macs": beyond.macs > macs, "params": beyond.params > params}
                assert [one.metric.name for one in found.binding] == [k for k in over if over[k]]
            there = all_tried[found.point.number].whole_after
            for reading in found.point.readings:
                assert reading.value == METRICS[reading.constraint.metric.name].of(there)


@pytest.mark.parametrize("policy", ["keep", "gcd", "fallback:2"])
def test_with_another_policy_all_divisors_of_some_site_are_tried(policy: str) -> None:
    network = library.load("mobilenet_v2")
    words: dict[str, Any] = {"where": "inverted-residual", "indivisible": policy}
    values = {}
    for divisor in range(1, 321):
        try:
            asked = Request.parse("dual", G=divisor, **words)
            values[divisor] = profile(network, asked).after.macs
        except DualcostError:  # keep replaces nothing, or the fallback does not divide either
            continue
    for limit in (150, 210):
        found = dualcost.solve("mobilenet_v2", f"macs <= {limit}M", conv="dual", **words)
        fits = [divisor for divisor in found.candidates if values[divisor] <= limit * 10**6]
        assert found.value == (min(fits) if fits else None)
        assert set(found.candidates) <= set(values)


def test_every_metric_can_be_limited_from_both_sides() -> None:
    network, asked = library.load("resnet18"), Request.parse("dual", G=1)
    all_tried = tried(network, "dual")
    for name, metric in EXACT.items():
        values = {divisor: metric.of(found.whole_after) for divisor, found in all_tried.items()}
        unit = "B" if metric.unit is Unit.BYTES else ""
        for middle in set(values.values()):
            at_most = solve_divisor(network, asked, parsed([f"{name} <= {middle}{unit}"]))
            assert at_most.value == min(d for d, v in values.items() if v <= middle)
            at_least = solve_divisor(network, asked, parsed([f"{name} >= {middle}{unit}"]))
            assert at_least.value == min(d for d, v in values.items() if v >= middle)


def test_the_real_bound_is_where_the_closed_form_meets_the_limit() -> None:
    found = dualcost.solve("resnet50", "params <= 20M", "macs <= 2.7G", "macs <= 2G", conv="dual")
    # 15,497,256 + 11,317,248/G <= 20 M, and 2,445,017,088 + 1,849,688,064/G <= 2.7 G
    assert found.reals == {
        "params <= 20M": Fraction(11317248, 20_000_000 - 15497256),
        "macs <= 2.7G": Fraction(1849688064, 2_700_000_000 - 2445017088),
        "macs <= 2G": None,
    }


def test_the_nearest_miss_is_the_one_that_misses_by_the_smallest_share() -> None:
    network, asked = library.load("resnet18"), Request.parse("dual", G=1)
    limits = parsed(["macs <= 900M", "params >= 9M"])
    found = solve_divisor(network, asked, limits)
    misses = {
        divisor: max(
            Fraction(max(0, p.after.macs - 900_000_000), 900_000_000),
            Fraction(max(0, 9_000_000 - p.after.params), 9_000_000),
        )
        for divisor, p in tried(network, "dual").items()
    }
    assert (found.found, found.value, found.binding) == (False, None, ())
    assert misses[found.point.number] == min(misses.values()) == found.point.misses[0]


def test_of_equal_misses_the_next_constraint_decides() -> None:
    limits = ("params <= 15M", "peak-activations <= 8MiB")
    found = dualcost.solve("resnet50", *limits, conv="dual")
    # the peak is the same for all but G = 1, and further beyond its limit than the parameters
    assert found.point.number == max(found.candidates)
    assert found.point.misses == tuple(sorted(found.point.misses, reverse=True))


def model() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2, padding=1),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3, stride=2),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(16, 10),
    )


SIZES = {"resolution": ("H", "W"), "height": ("H",), "width": ("W",), "batch": ("B",)}
IMAGE = TensorSpec((1, 3, 40, 40))


@cache
def form_of(variable: str) -> ClosedForm:
    """The closed form of the model in the sizes that a variable stands for."""
    traced = symbolic_trace(model(), [IMAGE], symbols=SIZES[variable])
    return closed_form(traced, Request.parse("dual", G=4))


@quickly
@given(
    st.sampled_from(sorted(SIZES)), st.integers(1, 700_000), st.integers(0, 600_000), st.booleans()
)
def test_the_largest_size_is_the_last_that_trying_finds(
    variable: str, high: int, low: int, lower: bool
) -> None:
    form, names = form_of(variable), SIZES[variable]
    texts = [f"macs <= {high}", *([f"flops >= {2 * low}"] if lower else [])]
    found = solve_size(form, parsed(texts), variable)
    macs = {}
    for size in range(1, 400):
        try:
            macs[size] = form.at(**dict.fromkeys(names, size)).macs
        except UsageError:  # a guard: the second kernel does not fit
            continue
    fits = [n for n, value in macs.items() if value <= high and (value >= low or not lower)]
    assert found.value == (max(fits) if fits else None)
    if fits:
        assert found.beyond is not None
        assert found.beyond.number == min(n for n in macs if n > max(fits))
        assert [one.text for one in found.binding] == [texts[0]]
    else:
        misses = {
            n: max(Fraction(max(0, v - high), high), Fraction(max(0, low - v) * lower, low or 1))
            for n, v in macs.items()
        }
        assert found.point.misses[0] == min(misses.values())


def test_the_largest_size_of_a_network_is_confirmed_by_tracing_it() -> None:
    from dualcost.nn.trace.trace import trace

    form = form_of("resolution")
    found = solve_size(form, parsed(["macs <= 500K"]), "resolution")
    assert found.value is not None
    asked = Request.parse("dual", G=4)
    for size, fits in ((found.value, True), (found.value + 1, False)):
        network = trace(model(), [TensorSpec((1, 3, size, size))])
        assert (profile(network, asked).after.macs <= 500_000) == fits


def test_guards_say_which_sizes_there_are() -> None:
    class Halves(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(1, 1, 2, stride=2)

        def forward(self, x):  # type: ignore[no-untyped-def]
            y = self.conv(x)
            return x + y.repeat_interleave(2, 2).repeat_interleave(2, 3)

    form = closed_form(symbolic_trace(Halves(), [TensorSpec((1, 1, 8, 8))], symbols=["H", "W"]))
    found = solve_size(form, parsed(["macs <= 100"]), "resolution")
    # 4·(n/2)² <= 100 for n <= 10, and only even ones
    assert found.value == 10
    assert found.beyond is not None and found.beyond.number == 12


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("20M", 20_000_000, Unit.COUNT),
        ("2.7G", 2_700_000_000, Unit.COUNT),
        ("1,234,567", 1234567, Unit.COUNT),
        ("1e6", 10**6, Unit.COUNT),
        ("0.1", Fraction(1, 10), Unit.COUNT),
        ("48 MiB", 48 * 2**20, Unit.BYTES),
        ("1.5KB", 1500, Unit.BYTES),
        ("7B", 7, Unit.BYTES),
    ],
)
def test_quantities_are_read_exactly(text: str, value: Fraction, unit: Unit) -> None:
    assert parse_quantity(text) == (value, unit)
    for wrong in ("", "M", "-1", "1.M", "1 M B", "5%", "1e", "nan"):
        with pytest.raises(UsageError):
            parse_quantity(wrong)


def test_a_percentage_is_a_share() -> None:
    assert parse_percent("2.5%") == Fraction(1, 40)
    with pytest.raises(UsageError, match="not a percentage"):
        parse_percent("0.05")


@given(st.sampled_from(["<=", "<", ">=", ">", "≤", "≥"]), st.integers(0, 999), st.integers(0, 999))
def test_a_constraint_holds_as_it_reads(operator: str, tenths: int, value: int) -> None:
    plain = {"≤": "<=", "≥": ">="}.get(operator, operator)
    one = Constraint.parse(f"macs {operator} {tenths / 10}")
    assert one.holds(value) == eval(f"{10 * value} {plain} {tenths}")
    assert (one.headroom(value) >= 0) == one.holds(value)
    assert (one.excess(value) == 0) == one.holds(value)


def test_the_command_says_what_allows_no_better_value(command: Command) -> None:
    code, out, err = command("solve", "resnet50", "params <= 20M", "macs <= 2.7G", "--conv", "dual")
    assert (code, err) == (ExitCode.OK, "")
    assert (
        out.splitlines()[-1]
        == "G = 8 is the smallest that satisfies all; “macs <= 2.7G” allows no G = 4"
    )
    # Table V prints 18.33 M and 2.91 G for G = 4
    assert "2.907 G  fails" in out
    assert "“macs <= 2.7G” needs G ≥ 7.254" in out
    assert max(map(len, out.splitlines())) <= 80


def test_the_nearest_miss_ends_in_exit_code_1(command: Command) -> None:
    code, out, _ = command("solve", "resnet50", "params <= 15M", "--conv", "dual", "--json")
    document = json.loads(out)
    assert code == ExitCode.FAILED
    assert (document["schema"], document["found"], document["value"]) == (1, False, None)
    (reading,) = document["point"]["readings"]
    assert document["point"]["number"] == 64
    # 15,497,256 + 11,317,248/64 parameters
    assert reading["value"] == 15497256 + 11317248 // 64
    assert reading["headroom"] == 15_000_000 - reading["value"]
    code, out, _ = command("solve", "resnet50", "params <= 15M", "--conv", "dual")
    assert code == ExitCode.FAILED
    assert "the nearest is G = 64: “params <= 15M” fails by" in out


def test_the_largest_resolution_and_batch_of_a_network(command: Command) -> None:
    arguments = ("solve", "squeezenet1_1", "macs <= 1G", "--json", "--for")
    for variable, shape in (("resolution", "1x3x{0}x{0}"), ("batch", "{0}x3x224x224")):
        code, out, _ = command(*arguments, variable)
        document = json.loads(out)
        assert code == ExitCode.OK
        for size, fits in ((document["value"], True), (document["value"] + 1, False)):
            there = dualcost.profile("squeezenet1_1", shape.format(size)).before.macs
            assert (there <= 10**9) == fits


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (["macs <= 10MB", "--conv", "dual"], "macs is a count, and 10MB", "macs <= 10M"),
        (["traffic <= 10", "--conv", "dual"], "traffic is in bytes", "traffic <= 10MiB"),
        (["parms <= 10M", "--conv", "dual"], "no metric is called 'parms'", "did you mean params"),
        (["macs == 10M", "--conv", "dual"], "compares by ==", "<="),
        (["macs", "--conv", "dual"], "'macs' is not a constraint", "params <= 20M"),
        (["macs <= 10Q", "--conv", "dual"], "unknown unit Q", "units: K M G T"),
        (["params <= 1M", "params > 2M", "--conv", "dual"], "cannot both hold", "leave one"),
        (["params <= 30M", "--for", "batch"], "nothing limits the batch", "macs <= 5G"),
        (["traffic <= 3MiB", "--for", "batch"], "traffic has no closed form", "macs"),
        (["macs <= 3G", "--for", "batch", "--conv", "dual"], "G is open", "--G 4"),
        (["macs <= 3G", "--conv", "dual", "--G", "4"], "is not said", "--for resolution"),
        (["macs <= 3G", "--for", "G", "--conv", "dual", "--G", "4"], "to be found", "--G out"),
        (["macs <= 3G", "--for", "P", "--conv", "dual"], "dual has no P", "--conv"),
        (["macs <= 3G", "--for", "G"], "nothing has a G", "--conv"),
        (["macs <= 3G", "--for", "depth"], "D is not a size", "B, H, W"),
        (["macs <= 3G", "--for", "speed"], "'speed' cannot be searched", "resolution"),
        (["macs <= 3G"], "is not said", "--for"),
        (["macs <= 3G", "--G", "4"], "--G says how", "--conv dual"),
        (["macs <= 1G", "--for", "resolution", "--input", "1x3x64x96"], "square", "--for height"),
    ],
)
def test_bad_input_ends_in_one_message_with_a_hint(
    command: Command, arguments: list[str], message: str, hint: str
) -> None:
    code, out, err = command("solve", "squeezenet1_1", *arguments)
    assert (code, out) == (ExitCode.USAGE, "")
    lines = [line for line in err.splitlines() if not line.startswith("dualcost: ")]
    assert [line.partition(":")[0] for line in lines] == ["error", "hint"], err
    assert message in lines[0]
    assert hint in lines[1]
