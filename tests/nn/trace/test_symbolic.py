"""A closed form is what an ordinary trace finds, at every size that its guards admit."""

from __future__ import annotations

import functools
import json

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from support.families import in_turn
from support.models import Forward, counted, vision_transformer
from support.networks import quickly
from sympy import floor, sympify
from torch import nn

from dualcost.errors import ModelError, TraceFileError, UsageError
from dualcost.kinds.kinds import kind
from dualcost.network.expression import parse, symbol
from dualcost.network.guard import Guard, simplified
from dualcost.network.network import Network, TensorSpec
from dualcost.network.symbolic import SymbolicNetwork, dumped
from dualcost.nn.sources.build import build
from dualcost.nn.sources.source import Source
from dualcost.nn.sources.sources import from_torchvision, from_zoo
from dualcost.nn.trace.symbolic import FixedSizeError, symbolic_trace
from dualcost.nn.trace.trace import trace

B, H, W = map(symbol, "BHW")


def small() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3, groups=4, bias=False),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(16, 10),
    )


IMAGE = TensorSpec((1, 3, 40, 40))
NETWORKS: dict[str, Source] = {
    name: from_torchvision(name)
    for name in (
        "resnet18",
        "mobilenet_v2",
        "mobilenet_v3_small",
        "squeezenet1_1",
        "shufflenet_v2_x0_5",
        "convnext_tiny",
        "vgg11",
        "fcn_resnet50",
    )
} | {"mobilenetv1": from_zoo("mobilenetv1-cifar10"), "yolov3": from_zoo("yolov3-voc")}
# plain, with shortcuts, of depthwise convolutions, with fire modules, and with resized maps
DAILY = {"vgg11", "resnet18", "mobilenetv1", "squeezenet1_1", "yolov3"}


@functools.cache
def model_of(name: str) -> nn.Module:
    return build(NETWORKS[name].factory, name)


@functools.cache
def form_of(name: str) -> SymbolicNetwork:
    return symbolic_trace(model_of(name), NETWORKS[name].inputs, name)


def facts(network: Network) -> list[tuple[object, ...]]:
    return [(op.name, op.path, op.group, op.macs, op.site, op.parameters) for op in network.ops]


def products(network: Network) -> list[tuple[object, ...]]:
    return [fact for fact in facts(network) if fact[3]]


def test_the_form_of_a_small_network_is_the_one_derived_by_hand() -> None:
    form = symbolic_trace(small(), [IMAGE])
    # stride 2, padding 1, K = 3: (s + 2 - 3)//2 + 1; the pool halves it; no padding: less 2
    h, w = (floor(floor((s - 1) / 2) / 2 + floor(1) / 2) for s in (H, W))
    first = 3 * 3 * 3 * 8 * B * (floor((H - 1) / 2) + 1) * (floor((W - 1) / 2) + 1)
    second = 3 * 3 * 8 * 16 // 4 * B * (h - 2) * (w - 2)
    last = 16 * 10 * B
    by_hand = [first, second, last]
    found = [sympify(op.macs) for op in form.network.ops if op.macs != 0]
    for one, expected in zip(found, by_hand, strict=True):
        for sizes in ({B: 1, H: 40, W: 41}, {B: 3, H: 17, W: 99}):
            assert one.subs(sizes) == expected.subs(sizes)
    # the last convolution's 3×3 kernel fits into (s - 1)//2 + 1 halved from s = 11 on
    assert [str(guard) for guard in form.guards] == ["H ≥ 11", "W ≥ 11"]


@pytest.mark.parametrize("name", [in_turn(name, daily=name in DAILY) for name in NETWORKS])
@settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(1, 3), st.integers(1, 3), st.integers(0, 3), st.integers(0, 40))
def test_a_form_is_an_ordinary_trace_wherever_its_guards_hold(
    name: str, batch: int, tall: int, wide: int, odd: int
) -> None:
    form = form_of(name)
    sizes = {"B": batch, "H": 32 * tall + odd, "W": 64 + 32 * wide + odd}
    assume(all(guard.holds(sizes) for guard in form.guards))
    traced = trace(model_of(name), [TensorSpec((batch, 3, sizes["H"], sizes["W"]))], name)
    assert products(form.at(**sizes)) == products(traced)
    assert form.at(**sizes).macs == traced.macs


@pytest.mark.parametrize("name", ["resnet18", "vgg11", in_turn("mobilenet_v2", daily=False)])
def test_a_form_agrees_with_torchs_own_counter(name: str) -> None:
    image = TensorSpec((2, 3, 96, 128))
    model = build(NETWORKS[name].factory, name)
    assert form_of(name).at(B=2, H=96, W=128).macs == counted(model, image, device="meta")


@pytest.mark.parametrize("dims", [1, 2, 3])
@pytest.mark.parametrize("transposed", [False, True])
def test_convolutions_of_any_dimension_have_a_form(dims: int, transposed: bool) -> None:
    plain = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
    reverse = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
    model = (reverse if transposed else plain)[dims - 1](4, 6, 3, stride=2, groups=2)
    form = symbolic_trace(model, [TensorSpec((1, 4, *[9] * dims))])
    assert form.symbols == tuple("B" + {1: "L", 2: "HW", 3: "DHW"}[dims])
    sizes = dict(zip(form.symbols, (2, 11, 14, 9), strict=False))
    assert facts(form.at(**sizes)) == facts(
        trace(model, [TensorSpec((2, 4, *list(sizes.values())[1:]))])
    )


def test_sizes_that_a_guard_excludes_are_refused_by_that_guard() -> None:
    form = symbolic_trace(small(), [IMAGE])
    with pytest.raises(UsageError, match=r"holds for H ≥ 11, not for B = 1, H = 10, W = 40"):
        form.at(B=1, H=10, W=40)
    with pytest.raises(ModelError):  # and rightly so
        trace(small(), [TensorSpec((1, 3, 10, 40))])
    with pytest.raises(UsageError, match="H = 0 is not positive"):
        form.at(B=1, H=0, W=40)
    with pytest.raises(UsageError, match="symbols B, H, W"):
        form.at(B=1)


def test_a_second_trace_asks_the_same_guards_as_the_first_also_after_a_refusal() -> None:
    first = symbolic_trace(small(), [IMAGE])
    fixing = Forward(lambda self, x: x.flatten()[: int(x.shape[2])])
    with pytest.raises(FixedSizeError, match="fixes height: it runs with H = 40 alone") as refused:
        symbolic_trace(fixing, [IMAGE])
    assert symbolic_trace(small(), [IMAGE]).guards == first.guards
    assert refused.value.hint == "batch and width can stay a symbol: ask for B, W"


def test_a_network_whose_maps_must_meet_refuses_sizes_at_which_they_do_not() -> None:
    with pytest.raises(UsageError, match="holds for"):
        form_of("yolov3").at(B=1, H=400, W=416)
    with pytest.raises(ModelError, match="Sizes of tensors must match"):
        trace(model_of("yolov3"), [TensorSpec((1, 3, 400, 416))])


def test_a_model_that_fixes_its_size_is_refused_by_name_and_keeps_its_batch() -> None:
    model, image = vision_transformer(), TensorSpec((1, 3, 64, 64))
    with pytest.raises(FixedSizeError, match="a small vit fixes height and width") as refused:
        symbolic_trace(model, [image], "a small vit")
    assert refused.value.hint == "batch can stay a symbol: ask for B"
    form = symbolic_trace(model, [image], "a small vit", symbols=["B"])
    assert form.at(B=3).macs == trace(model, [TensorSpec((3, 3, 64, 64))]).macs


def test_what_stops_a_trace_with_symbols_is_said() -> None:
    source = from_torchvision("swin_t")
    with pytest.raises(ModelError, match=r"swin_t cannot run with symbols: in .*Attention"):
        symbolic_trace(build(source.factory, "swin_t"), source.inputs, "swin_t")


def test_an_unknown_symbol_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(UsageError) as refused:
        symbolic_trace(small(), [IMAGE], symbols=["T"])
    assert refused.value.hint == "its symbols are B, H, W"


def test_recipes_cost_a_symbolic_site_what_they_cost_each_of_its_sizes() -> None:
    form = symbolic_trace(small(), [IMAGE])
    index = form.network.convolutions[1]
    site, at = form.network.ops[index].site, form.at(B=2, H=40, W=50).ops[index].site
    assert site is not None and at is not None
    cost = kind("dual").at(site, 4)
    assert cost.macs.subs({B: 2, H: 40, W: 50}) == kind("dual").at(at, 4).macs  # type: ignore[attr-defined]


def test_a_form_survives_json_and_a_damaged_one_is_refused() -> None:
    form = form_of("mobilenetv1")
    record = json.loads(dumped(form))
    assert SymbolicNetwork.of(record).at(B=2, H=50, W=33) == form.at(B=2, H=50, W=33)
    assert SymbolicNetwork.of(record).guards == form.guards
    record["network"]["ops"][0]["site"]["batch"] = "__import__('os')"
    with pytest.raises(TraceFileError, match="not an expression of sizes"):
        SymbolicNetwork.of(record)


guards = st.lists(
    st.builds(
        lambda test, a, b, c, d: Guard(test, a * floor((H + b) / c), floor((H + d) / 2)),
        st.sampled_from(["Eq", "Ne", "Ge", "Gt", "Le", "Lt"]),
        *[st.integers(1, 4)] * 4,
    ),
    min_size=1,
    max_size=3,
)


@quickly
@given(guards)
def test_simplified_guards_admit_the_same_sizes(asked: list[Guard]) -> None:
    plain = simplified(asked)
    for size in range(1, 80):
        assert all(g.holds({"H": size}) for g in plain) == all(g.holds({"H": size}) for g in asked)


def test_guards_are_said_in_few_words() -> None:
    twice = Guard("Eq", 2 * (floor((H - 1) / 4) + 1), floor((H - 1) / 2) + 1)
    whole = Guard("Eq", 32 * floor(H / 32), H)
    large = Guard("Ne", B * floor(H / 32) * floor(W / 2), parse("0"))
    assert [str(g) for g in simplified([whole, large])] == ["H divisible by 32", "W ≥ 2"]
    assert all(twice.holds({"H": n}) == (n % 4 in (0, 3)) for n in range(1, 30))
    assert simplified([Guard("Gt", 3 * H * W, parse("1"))]) == ()
