"""Converted models against the profile's integers, and against torch's own counter."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from support.families import in_turn
from support.models import Forward, counted, floats, numel, weight
from torch import Tensor, nn
from torch.nn import functional as F

from dualcost.costs.profile import profile
from dualcost.errors import DualcostError, ModelError, UsageError
from dualcost.library import networks as library
from dualcost.nn.convert.convert import convert
from dualcost.nn.layers.kinds import DepthwiseSeparableConv2d, DualConv2d, HetConv2d
from dualcost.nn.sources import sources
from dualcost.nn.sources.build import build
from dualcost.nn.sources.source import Source
from dualcost.nn.trace.trace import trace
from dualcost.rewrite.request import Request

LETTERS: dict[str, dict[str, Any]] = {
    "standard": {},
    "dsc": {},
    "group": {"G": 4},
    "het": {"P": 4},
    "dual": {"G": 4},
}
RULES = {
    "resnet18": ("default", "stride-1"),
    "resnet50": ("default",),
    "vgg16": ("default",),
    "mobilenet_v2": ("separable", "inverted-residual", "block=inverted-residual"),
    "mobilenetv1-imagenet": ("separable",),
    "mobilenetv2-cifar": ("separable", "inverted-residual"),
    "mobilenet_v3_small": ("block=inverted-residual",),  # with squeeze-and-excitation
    "yolov3-voc": ("stride-1",),
}
# one of the rules of MobileNetV2
DAILY = {"resnet18", "mobilenet_v2 inverted-residual", "mobilenet_v3_small"}


def meta(name: str) -> tuple[Source, nn.Module]:
    network = library.load(name).name
    origin, _, bare = network.partition(":")
    source = (sources.from_zoo if origin == "zoo" else sources.from_torchvision)(bare)
    return source, build(source.factory, name)


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        in_turn(name, rule, daily=not DAILY.isdisjoint({name, f"{name} {rule}"}))
        for name, rules in RULES.items()
        for rule in rules
    ],
)
def test_a_converted_model_has_the_integers_of_the_profile(name: str, rule: str) -> None:
    source, model = meta(name)
    network = library.load(name)
    before = [(key, id(p)) for key, p in model.named_parameters()]
    kinds = LETTERS if name in ("resnet18", "mobilenet_v2") else ("dual", "het", "dsc")
    for kind in kinds:
        asked = Request.parse(kind, where=rule, indivisible="gcd", **LETTERS[kind])
        promised = profile(network, asked).after
        converted = convert(model, asked, source.inputs)
        assert numel(converted) == promised.params
        assert counted(converted, *source.inputs, device="meta") == promised.macs
        if kind in ("dual", "dsc"):
            found = trace(converted, source.inputs)
            assert (found.macs, found.params) == (promised.macs, promised.params)
    assert [(key, id(p)) for key, p in model.named_parameters()] == before


def asked(kind: str = "dual", where: str = "kernel>1", **more: Any) -> Request:
    return Request.parse(kind, where=where, **{**LETTERS[kind], **more})


def stack() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(4, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 1)
    )


def test_untouched_layers_keep_their_weights_and_the_model_is_untouched() -> None:
    model = stack()
    twin = copy.deepcopy(model)
    converted = convert(model, asked(), [floats(1, 4, 9, 9)])
    assert isinstance(converted, nn.Sequential)
    assert isinstance(converted[0], DualConv2d)
    assert converted[0].stride == (2, 2)
    assert converted[0].bias is None
    assert torch.equal(converted[3].weight, model[3].weight)  # type: ignore[arg-type]
    assert converted[3].weight is not model[3].weight
    assert [type(m) for m in model] == [type(m) for m in twin]
    for key, value in twin.state_dict().items():
        assert torch.equal(value, model.state_dict()[key])
    assert converted(torch.rand(1, 4, 9, 9)).shape == model(torch.rand(1, 4, 9, 9)).shape


def test_training_dtype_and_padding_are_those_of_the_old_layer() -> None:
    model = nn.Sequential(
        nn.Conv2d(4, 8, (2, 3), padding="same", padding_mode="circular", dtype=torch.float64)
    ).eval()
    spec = floats(1, 4, 6, 6)
    converted = convert(model, asked("het"), [type(spec)(spec.shape, "float64")])
    assert isinstance(converted, nn.Sequential)
    layer = converted[0]
    assert isinstance(layer, HetConv2d)
    assert (layer.padding, layer.padding_mode) == ("same", "circular")
    assert not layer.training
    assert {p.dtype for p in layer.parameters()} == {torch.float64}


def test_het_is_asked_to_run_in_branches_for_a_whole_conversion() -> None:
    specs = [floats(1, 4, 9, 9)]
    model = nn.Sequential(nn.Conv2d(4, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1))
    for implementation in ("grouped", "branches"):
        converted = convert(model, asked("het"), specs, implementation=implementation)
        layers = [layer for layer in converted.modules() if isinstance(layer, HetConv2d)]
        assert [layer.implementation for layer in layers] == [implementation] * 2
    # of no other kind
    assert isinstance(convert(stack(), asked("dual"), specs, implementation="branches"), nn.Module)
    with pytest.raises(UsageError, match="no implementation of het is called 'slow'"):
        convert(model, asked("het"), specs, implementation="slow")


def test_the_model_itself_may_be_the_convolution() -> None:
    converted = convert(nn.Conv2d(4, 8, 3), asked("dsc"), [floats(1, 4, 9, 9)])
    assert isinstance(converted, DepthwiseSeparableConv2d)


def test_a_shared_module_stays_shared() -> None:
    layer = nn.Conv2d(8, 8, 3, padding=1)
    model = nn.Sequential(layer, nn.ReLU(), layer)
    converted = convert(model, asked(), [floats(1, 8, 6, 6)])
    assert isinstance(converted, nn.Sequential)
    assert converted[0] is converted[2]
    assert isinstance(converted[0], DualConv2d)


def test_modules_that_share_a_weight_share_it_afterwards() -> None:
    model = nn.Sequential(nn.Conv2d(8, 8, 3, bias=False), nn.Conv2d(8, 8, 3, bias=False, stride=2))
    model[1].weight = model[0].weight
    converted = convert(model, asked("het"), [floats(1, 8, 9, 9)])
    assert isinstance(converted, nn.Sequential)
    assert converted[0].spatial is converted[1].spatial
    assert converted[1].stride == (2, 2)


def separable(*between: nn.Module) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(8, 8, 3, padding=1, groups=8), *between, nn.Conv2d(8, 16, 1), nn.ReLU()
    )


def test_of_a_block_the_first_convolution_is_replaced_and_the_rest_passes_through() -> None:
    model = separable(nn.BatchNorm2d(8), nn.ReLU())
    converted = convert(model, asked(where="separable"), [floats(1, 8, 6, 6)])
    assert [type(m).__name__ for m in converted.children()] == [
        "DualConv2d", "Identity", "Identity", "Identity", "ReLU",
    ]  # fmt: skip


class Functional(nn.Module):
    """A separable pair with a function between, in a forward of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(8, 8, 3, groups=8)
        self.pointwise = nn.Conv2d(8, 8, 1)

    def forward(self, image: Tensor) -> Tensor:
        made: Tensor = self.pointwise(F.relu(self.depthwise(image)))
        return made


def test_a_module_that_is_the_block_is_replaced_as_a_whole() -> None:
    model = nn.Sequential(Functional(), nn.ReLU())
    converted = convert(model, asked(where="separable"), [floats(1, 8, 6, 6)])
    assert [type(m).__name__ for m in converted.children()] == ["DualConv2d", "ReLU"]


class Returned(Functional):
    def forward(self, image: Tensor) -> Tensor:
        return super().forward(image) + 1


@pytest.mark.parametrize(
    ("model", "rewrite", "shape", "message"),
    [
        (nn.Sequential(Returned()), asked(where="separable"), (1, 8, 6, 6), "0 computes between"),
        (nn.Conv1d(8, 8, 3), asked(), (1, 8, 6), "a convolution of 1 dimension,"),
        (nn.Conv3d(8, 8, 3), asked(), (1, 8, 6, 6, 6), "a convolution of 3 dimensions,"),
        (nn.ConvTranspose2d(8, 8, 3), asked(), (1, 8, 6, 6), "transposed"),
        (Forward(lambda self, x: F.conv2d(x, self.w), w=weight(8, 8, 3, 3)), asked(),
         (1, 8, 6, 6), "Forward runs a convolution that is not an nn.Conv2d"),
    ],
    ids=["functional code between", "1-d", "3-d", "transposed", "bare parameter"],
)  # fmt: skip
def test_what_cannot_be_converted_is_named(
    model: nn.Module, rewrite: Request, shape: tuple[int, ...], message: str
) -> None:
    with pytest.raises(ModelError, match=message) as raised:
        convert(model, rewrite, [floats(*shape)])
    assert "keep" in raised.value.hint


class Own(nn.Conv2d):
    def forward(self, input: Tensor) -> Tensor:
        return super().forward(F.pad(input, (1, 1, 1, 1)))


def test_a_subclass_with_a_forward_of_its_own_is_not_replaced_in_silence() -> None:
    with pytest.raises(ModelError, match="Own has a forward of its own"):
        convert(nn.Sequential(Own(8, 8, 3)), asked(), [floats(1, 8, 6, 6)])


def test_a_module_of_which_one_run_stays_is_refused() -> None:
    layer = nn.Conv2d(8, 8, 3, padding=1)
    with pytest.raises(ModelError, match="0 also runs convolution"):
        convert(nn.Sequential(layer, layer), asked(where="default"), [floats(1, 8, 6, 6)])


class Inspects(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(8, 8, 3)

    def forward(self, image: Tensor) -> Tensor:
        made: Tensor = self.conv(image.to(self.conv.weight.dtype))
        return made


def test_a_forward_that_reads_a_replaced_module_is_refused() -> None:
    with pytest.raises(ModelError, match=r"converted, .*weight"):
        convert(nn.Sequential(Inspects()), asked(), [floats(1, 8, 6, 6)])


def test_a_rule_that_matches_nothing_is_refused() -> None:
    with pytest.raises(UsageError, match="nothing in Sequential matches"):
        convert(stack(), asked(where="kernel=7"), [floats(1, 4, 9, 9)])
    with pytest.raises(DualcostError, match="is not divisible by G=3"):
        convert(stack(), asked(G=3), [floats(1, 4, 9, 9)])


def test_a_model_is_converted_by_a_plan() -> None:
    model = nn.Sequential(*(nn.Conv2d(n, 8, 3, padding=1) for n in (3, 8, 8, 8)))
    by_plan = Request.parse("dual", G=4, but=("path=2: het P=2", "path=3: dsc"))
    converted = convert(model, by_plan, [floats(1, 3, 8, 8)])
    names = [type(module).__name__ for module in converted.children()]
    assert names[1:] == ["DualConv2d", "HetConv2d", "DepthwiseSeparableConv2d"]
    promised = profile(trace(model, [floats(1, 3, 8, 8)]), by_plan).after
    assert numel(converted) == promised.params
