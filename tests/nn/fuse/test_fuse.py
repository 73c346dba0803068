"""Fused models against the models they were made of, in double precision."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.calibrations import linear_calibration
from support.layers import layers
from support.models import Forward, counted, floats, numel
from torch import Tensor, nn

from dualcost import units
from dualcost.errors import ModelError, UnmeasuredError, UsageError
from dualcost.latency import calibration
from dualcost.latency.estimate import estimate
from dualcost.network.network import Network, TensorSpec
from dualcost.nn.convert.convert import convert
from dualcost.nn.fuse import fuse as fusing
from dualcost.nn.fuse import judge, timing
from dualcost.nn.fuse.equality import difference
from dualcost.nn.fuse.folding import Run
from dualcost.nn.fuse.fuse import ChosenForm, Fusion, fuse
from dualcost.nn.fuse.judge import Judge
from dualcost.nn.layers.forms import (
    BRANCHES,
    FORMS,
    FoldedDualConv2d,
    MaskedHetConv2d,
    forms,
    with_norm,
)
from dualcost.nn.layers.kinds import (
    MODULES,
    DepthwiseSeparableConv2d,
    DualConv2d,
    GroupConv2d,
    HetConv2d,
)
from dualcost.nn.layers.recipe import RecipeConv2d
from dualcost.nn.trace.trace import trace
from dualcost.nn.zoo import ZOO
from dualcost.render.fuse import fusion_json, fusion_table
from dualcost.render.terminal import as_text
from dualcost.rewrite.request import Request

EXACT: dict[str, Any] = {"rtol": 1e-10, "atol": 1e-10}


def lively(model: nn.Module) -> nn.Module:
    """A model whose batch norms have learnt something, each something else."""
    torch.manual_seed(0)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d):
            for tensor in (module.weight, module.running_var):
                if tensor is not None:
                    nn.init.uniform_(tensor, 0.5, 2)
            for tensor in (module.bias, module.running_mean):
                if tensor is not None:
                    nn.init.uniform_(tensor, -1, 1)
    return model


def norm(channels: int, **words: Any) -> nn.BatchNorm2d:
    made = nn.BatchNorm2d(channels, dtype=torch.float64, **words).eval()
    lively(made)
    return made


def preferring(*names: str) -> Any:
    """A stand-in for `Judge.cheapest`: the first of these forms that a layer has."""

    def cheapest(self: Judge, costs: dict[str, float]) -> str:
        return next(name for name in (*names, *costs) if name in costs)

    return cheapest


def by_path(fusion: Fusion) -> dict[str, ChosenForm]:
    return {choice.path: choice for choice in fusion.choices}


def assert_same(fusion: Fusion, model: nn.Module, *shape: int) -> None:
    image = torch.randn(shape, dtype=torch.float64)
    wanted = copy.deepcopy(model).double().eval()(image)
    torch.testing.assert_close(
        copy.deepcopy(fusion.model).double()(image), wanted, rtol=1e-5, atol=1e-5
    )


# Forms


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")  # torch's, of a copy
@pytest.mark.parametrize("name", MODULES)
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_every_form_of_a_layer_computes_the_same(name: str, data: st.DataObject) -> None:
    layer, image = data.draw(layers(name))
    layer.eval()
    if isinstance(layer, HetConv2d):
        layer.implementation = data.draw(st.sampled_from(["grouped", "branches"]))
    behind = norm(layer.out_channels, affine=data.draw(st.booleans()))
    wanted = layer(image)
    for form in forms(layer).values():
        torch.testing.assert_close(form(image), wanted, **EXACT)
    whole = with_norm(layer, behind)
    assert isinstance(whole, RecipeConv2d)
    for form in forms(whole).values():
        torch.testing.assert_close(form(image), behind(wanted), **EXACT)
    torch.testing.assert_close(layer(image), wanted, **EXACT)  # it was left as it was


def test_each_kind_has_its_forms_and_none_is_there_twice() -> None:
    assert list(FORMS) == list(MODULES)
    assert list(forms(DualConv2d(4, 8, 3, G=2))) == ["parts", "folded", "dense"]
    assert list(forms(DualConv2d(4, 8, 3, G=1))) == ["parts", "dense"]
    assert list(forms(HetConv2d(4, 8, 3, P=2))) == ["parts", "masked", "dense"]
    assert list(forms(HetConv2d(4, 8, 3, P=1))) == ["parts", "dense"]
    branches = forms(HetConv2d(4, 8, 3, P=2, implementation="branches"))
    assert list(branches) == [BRANCHES, "parts", "masked", "dense"]
    assert [getattr(form, "implementation", "") for form in branches.values()] == [
        "branches", "grouped", "", "",
    ]  # fmt: skip


@pytest.mark.parametrize("G", [2, 3, 4, 8])
def test_a_folded_dual_convolution_has_not_one_redundant_weight(G: int) -> None:
    layer = DualConv2d(24, 48, 3, padding=1, G=G, bias=False)
    folded = forms(layer)["folded"]
    redundant = 24 * 48 // G  # M·N/G: the 1×1 over a filter's own group
    assert isinstance(folded, FoldedDualConv2d)
    assert numel(folded) == numel(layer) - redundant
    assert redundant * (9 + G) == numel(layer)  # the share is 1/(K² + G)
    macs = counted(folded, floats(1, 24, 5, 5))
    assert macs == counted(layer, floats(1, 24, 5, 5)) - 5 * 5 * redundant


def test_a_masked_het_convolution_executes_more_than_its_recipe() -> None:
    layer = HetConv2d(8, 16, 3, padding=1, P=4, bias=False)
    masked = forms(layer)["masked"]
    assert isinstance(masked, MaskedHetConv2d)
    zeros = masked.inner.get_parameter("pointwise") == 0
    assert int(zeros.sum()) == 8 * 16 // 4  # M·N/P: where the K×K sees
    assert counted(masked, floats(1, 8, 5, 5)) == 5 * 5 * (9 * 8 * 16 // 4 + 8 * 16)
    assert counted(layer, floats(1, 8, 5, 5)) == 5 * 5 * (9 * 8 * 16 // 4 + 8 * 16 * 3 // 4)


# Choosing


class Stack(nn.Module):
    """One layer of each kind, some with a norm, a plain convolution among them."""

    def __init__(self, implementation: str = "grouped") -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.stem_norm = nn.BatchNorm2d(8)
        self.dual = DualConv2d(8, 16, 3, padding=1, G=4, bias=False)
        self.dual_norm = nn.BatchNorm2d(16)
        self.het = HetConv2d(16, 16, 3, padding=1, P=2, implementation=implementation)
        self.group = GroupConv2d(16, 8, 3, G=2)
        self.group_norm = nn.BatchNorm2d(8, affine=False)
        self.dsc = DepthwiseSeparableConv2d(8, 8, 3, padding=1, padding_mode="reflect")
        self.dsc_norm = nn.BatchNorm2d(8)

    def forward(self, image: Tensor) -> Tensor:
        image = self.stem_norm(self.stem(image)).relu()
        image = self.dual_norm(self.dual(image)).relu()
        image = self.group_norm(self.group(self.het(image).relu()))
        made: Tensor = self.dsc_norm(self.dsc(image))
        return made


NORMED = {"stem": "stem_norm", "dual": "dual_norm", "het": "", "group": "group_norm",
          "dsc": "dsc_norm"}  # fmt: skip


@pytest.mark.parametrize("wanted", ["parts", "folded", "masked", "dense"])
def test_a_network_in_any_form_does_the_same_and_has_no_norms(
    wanted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Judge, "cheapest", preferring(wanted, "parts"))
    model = lively(Stack("branches"))
    fusion = fuse(model, [floats(2, 3, 11, 9)], by="macs")
    assert_same(fusion, model, 2, 3, 11, 9)
    assert {choice.path: choice.norm for choice in fusion.choices} == NORMED
    assert not any(isinstance(module, nn.BatchNorm2d) for module in fusion.model.modules())
    for choice in fusion.choices:
        has_it = wanted in choice.costs
        assert choice.form == (wanted if has_it else "parts")
        form = fusion.model.get_submodule(choice.path)
        assert choice.params_after == numel(form)
        old = model.get_submodule(choice.path)
        behind = model.get_submodule(choice.norm) if choice.norm else nn.Identity()
        assert choice.params_before == numel(old) + numel(behind)


def test_counting_chooses_what_executes_the_fewest_macs() -> None:
    fusion = fuse(Stack(), [floats(1, 3, 12, 12)], by="macs")
    assert {path: choice.form for path, choice in by_path(fusion).items()} == {
        "stem": "parts", "dual": "folded", "het": "parts", "group": "parts", "dsc": "parts",
    }  # fmt: skip
    for choice in fusion.choices[1:]:
        assert choice.costs[choice.form] == choice.executed_macs == min(choice.costs.values())


def test_the_macs_of_recipe_and_form_are_both_given_and_others_count_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Judge, "cheapest", preferring("masked", "folded"))
    model = Stack()
    fusion = fuse(model, [floats(1, 3, 12, 12)])
    found = by_path(fusion)
    positions = 6 * 6
    assert found["dual"].ideal_macs == positions * 8 * 16 * (9 // 1 + 4) // 4  # K²/G + 1
    assert found["dual"].executed_macs == positions * 8 * 16 * (9 + 3) // 4  # K²/G + 1 − 1/G
    assert found["het"].ideal_macs == positions * 16 * 16 * (9 + 1) // 2  # K²/P + 1 − 1/P
    assert found["het"].executed_macs == positions * 16 * 16 * (9 + 2) // 2  # K²/P + 1
    assert fusion.before.macs == counted(copy.deepcopy(model), floats(1, 3, 12, 12))
    assert fusion.after.macs == counted(copy.deepcopy(fusion.model), floats(1, 3, 12, 12))
    changed = sum(choice.executed_macs - choice.ideal_macs for choice in fusion.choices)
    assert fusion.after.macs - fusion.before.macs == changed != 0


def test_a_function_may_judge_the_ops_of_a_form() -> None:
    asked: list[Network] = []

    def calls(network: Network) -> float:
        asked.append(network)
        return len(network.convolutions)

    fusion = fuse(Stack(), [floats(1, 3, 12, 12)], by=calls)
    assert fusion.by == "given"
    # a group convolution is one call already
    assert [choice.form for choice in fusion.choices] == [
        "parts", "dense", "dense", "parts", "dense",
    ]  # fmt: skip
    assert {network.inputs[0].shape for network in asked} == {
        (1, 8, 6, 6), (1, 16, 6, 6), (1, 8, 4, 4),
    }  # fmt: skip


def test_measuring_chooses_the_form_of_least_time_or_leaves_what_is_there() -> None:
    fusion = fuse(Stack(), [floats(1, 3, 12, 12)])
    assert fusion.by == "measured"
    for choice in fusion.choices[1:]:
        assert choice.gain is not None
        assert all(seconds > 0 for seconds in choice.costs.values())
        assert choice.form in (min(choice.costs, key=lambda name: choice.costs[name]), "parts")
        assert choice.gain <= 1


def test_noise_is_no_reason_for_another_form() -> None:
    measured, counted_ = Judge("measured"), Judge("macs")
    assert measured.cheapest({"parts": 1.0, "dense": 0.99}) == "parts"
    assert measured.cheapest({"parts": 1.0, "dense": 0.8, "masked": 0.9}) == "dense"
    assert counted_.cheapest({"parts": 100, "dense": 99}) == "dense"
    assert counted_.cheapest({"parts": 100, "dense": 100}) == "parts"


def test_a_calibration_may_judge(monkeypatch: pytest.MonkeyPatch) -> None:
    known = linear_calibration()
    monkeypatch.setattr(judge, "own_calibration", lambda: known)
    layer = DualConv2d(8, 8, 3, G=4)
    its = Judge("predicted")
    for channels_last in (False, True):
        run = Run("", (1, 8, 6, 6), channels_last, frozenset(), frozenset(), torch.empty(0))
        costs = its.costs({"parts": layer}, [run, run], torch.float32)
        network = trace(layer, [floats(1, 8, 6, 6)])
        once = estimate(network, known, channels_last).total.seconds
        assert costs == {"parts": pytest.approx(2 * once)}
    assert fuse(Stack(), [floats(1, 3, 12, 12)], by="predicted").by == "predicted"


def test_a_machine_that_is_not_calibrated_predicts_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(calibration, "default_path", lambda: tmp_path / "none.json")
    with pytest.raises(UnmeasuredError) as raised:
        fuse(Stack(), [floats(1, 3, 12, 12)], by="predicted")
    assert "dualcost calibrate" in raised.value.hint


def test_layers_that_are_alike_are_judged_once() -> None:
    alike = [DualConv2d(8, 8, 3, padding=1, G=2) for _ in range(3)]
    asked: list[Network] = []

    def judge(network: Network) -> float:
        asked.append(network)
        return 1

    fuse(nn.Sequential(*alike), [floats(1, 8, 6, 6)], by=judge)
    assert len(asked) == 3  # its three forms


def test_every_contender_runs_in_every_round_and_the_least_time_counts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, order = [0.0], []
    monkeypatch.setattr(timing, "perf_counter", lambda: clock[0])

    def taking(name: str, *seconds: float) -> Any:
        times = iter((9.0, 9.0, *seconds))  # two runs to warm up

        def run() -> None:
            order.append(name)
            clock[0] += next(times)

        return run

    least = timing.least_seconds(
        {"a": taking("a", 3, 1, 2, 5, 4), "b": taking("b", 2, 2, 2, 2, 0.5)}, budget_s=0
    )
    assert least == pytest.approx({"a": 1, "b": 0.5})
    assert order[4:8] == ["b", "a", "a", "b"]  # in turned order
    assert len(order) == 2 * (2 + timing.ROUNDS[0])


# Norms


def folded_norms(model: nn.Module, *specs: TensorSpec) -> dict[str, str]:
    return {one.path: one.norm for one in fuse(model, specs, by="macs").choices if one.norm}


def two(**more: nn.Module) -> dict[str, nn.Module]:
    return {"conv": nn.Conv2d(3, 3, 3, padding=1), "norm": lively(nn.BatchNorm2d(3)), **more}


@pytest.mark.parametrize(
    "forward",
    [
        lambda self, x: self.norm(made := self.conv(x)) + made,
        lambda self, x: [made := self.conv(x), self.norm(made)],
        lambda self, x: self.norm(self.conv(x).relu()),
        lambda self, x: self.norm(self.conv(self.conv(x))),
        lambda self, x: self.norm(self.norm(self.conv(x))),
        lambda self, x: self.norm(self.conv(x)) + self.conv(x),
        lambda self, x: self.norm(self.conv(x)) + self.norm(x),
        lambda self, x: self.norm(self.conv(x)) * self.conv.weight.sum(),
        lambda self, x: self.norm(self.conv(x)) * self.norm.weight.sum(),
        lambda self, x: self.norm(self.conv(x)[:, :, 1:]),
    ],
    ids=["used elsewhere", "returned", "through a function", "twice", "norm of a norm",
         "alone too", "norm of something else too", "its weight is read",
         "the norm's weight is read", "a view of it"],
)  # fmt: skip
def test_a_norm_stays_that_is_not_alone_behind_its_convolution(forward: Any) -> None:
    assert folded_norms(Forward(forward, **two()), floats(1, 3, 6, 6)) == {}


def test_a_norm_is_folded_wherever_the_convolution_stands() -> None:
    names = Forward(
        lambda self, x: self.a(self.z(x)), a=lively(nn.BatchNorm2d(4)), z=nn.Conv2d(3, 4, 1)
    )
    assert folded_norms(names, floats(2, 3, 5, 5)) == {"z": "a"}


def test_a_shared_pair_is_folded_once_and_stays_shared() -> None:
    model = Forward(lambda self, x: self.norm(self.conv(self.norm(self.conv(x)).relu())), **two())
    fusion = fuse(model, [floats(1, 3, 6, 6)], by="macs")
    assert [(one.path, one.norm) for one in fusion.choices] == [("conv", "norm")]
    assert_same(fusion, model, 1, 3, 6, 6)
    shared = DualConv2d(8, 8, 3, padding=1, G=2)
    fusion = fuse(nn.Sequential(shared, nn.ReLU(), shared), [floats(1, 8, 6, 6)], by="macs")
    assert isinstance(fusion.model, nn.Sequential)
    assert fusion.model[0] is fusion.model[2]
    assert isinstance(fusion.model[0], FoldedDualConv2d)
    (choice,) = fusion.choices
    assert choice.ideal_macs == 2 * counted(shared, floats(1, 8, 6, 6))


def test_layers_that_share_a_weight_take_their_norms_by_themselves() -> None:
    first, second = (DualConv2d(4, 4, 3, padding=1, G=2, bias=False) for _ in range(2))
    second.spatial = first.spatial
    model = lively(nn.Sequential(first, nn.BatchNorm2d(4), second, nn.BatchNorm2d(4)))
    fusion = fuse(model, [floats(1, 4, 6, 6)], by="macs")
    assert {one.path: one.norm for one in fusion.choices} == {"0": "1", "2": "3"}
    assert_same(fusion, model, 1, 4, 6, 6)


@pytest.mark.parametrize(
    ("conv", "behind", "shape"),
    [
        (nn.Conv1d(3, 4, 3), nn.BatchNorm1d(4), (2, 3, 8)),
        (nn.Conv3d(3, 4, 2, bias=False), nn.BatchNorm3d(4), (2, 3, 4, 4, 4)),
        (nn.ConvTranspose2d(3, 4, 2, stride=2), nn.BatchNorm2d(4), (2, 3, 4, 4)),
        (nn.Conv2d(4, 4, 3, groups=4), nn.BatchNorm2d(4, affine=False), (2, 4, 5, 5)),
    ],
    ids=["1-d", "3-d", "transposed", "depthwise"],
)
def test_norms_are_folded_into_all_of_torchs_convolutions(
    conv: nn.Module, behind: nn.Module, shape: tuple[int, ...]
) -> None:
    model = lively(nn.Sequential(conv, behind))
    fusion = fuse(model, [floats(*shape)])
    assert [one.norm for one in fusion.choices] == ["1"]
    assert_same(fusion, model, *shape)


class Own(nn.Conv2d):
    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input) + 1


@pytest.mark.parametrize(
    "model",
    [
        nn.Sequential(nn.ConvTranspose2d(4, 4, 2, groups=2), nn.BatchNorm2d(4)),
        nn.Sequential(nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4, track_running_stats=False)),
        nn.Sequential(Own(4, 4, 3), nn.BatchNorm2d(4)),
        nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Conv2d(4, 4, 3)), nn.BatchNorm2d(4)),
        nn.Sequential(nn.Conv2d(4, 4, 3), nn.InstanceNorm2d(4, track_running_stats=True)),
    ],
    ids=["grouped and transposed", "statistics of the batch", "a forward of its own",
         "a computed weight", "another norm"],
)  # fmt: skip
def test_what_cannot_take_a_norm_stays(model: nn.Module) -> None:
    fusion = fuse(lively(model), [floats(2, 4, 5, 5)])
    assert fusion.choices == ()
    assert_same(fusion, model, 2, 4, 5, 5)


def test_what_a_hook_watches_stays() -> None:
    model = nn.Sequential(DualConv2d(4, 4, 3, G=2), nn.BatchNorm2d(4), DualConv2d(4, 4, 3, G=2))
    seen: list[str] = []
    model[0].register_forward_hook(lambda module, args, made: seen.append("run"))
    fusion = fuse(model, [floats(1, 4, 9, 9)], by="macs")
    assert [one.path for one in fusion.choices] == ["2"]
    seen.clear()
    fusion.model(torch.rand(1, 4, 9, 9))
    assert seen == ["run"]


# Whole models: one each day, and all in turn

SECOND = pytest.mark.second_tier


@pytest.mark.parametrize(
    ("name", "side", "rewrite"),
    [
        ("mobilenetv2-cifar", 32, Request.parse("dual", G=4, where="inverted-residual")),
        pytest.param("vgg16-cifar10", 32, Request.parse("het", P=4), marks=SECOND),
        pytest.param("resnet50-cifar10", 8, Request.parse("dsc"), marks=SECOND),
    ],
    ids=lambda value: str(value),
)
def test_a_converted_network_of_the_zoo_is_fused(name: str, side: int, rewrite: Request) -> None:
    specs = [floats(1, 3, side, side)]
    model = lively(convert(ZOO[name].build(), rewrite, specs))
    before = {key: value.clone() for key, value in model.state_dict().items()}
    fusion = fuse(model.train(), specs, by="macs")
    assert not any(isinstance(module, nn.BatchNorm2d) for module in fusion.model.modules())
    assert fusion.difference < 1e-12
    image = torch.randn(1, 3, side, side, dtype=torch.float64)
    # its weights were rounded to float32 once more
    wanted = copy.deepcopy(model).double().eval()(image)
    made = copy.deepcopy(fusion.model).double()(image)
    assert difference(wanted.detach(), made) < 1e-5
    assert all(module.training for module in model.modules())
    assert not any(module.training for module in fusion.model.modules())
    for key, value in model.state_dict().items():
        assert torch.equal(value, before[key])
    assert (
        fusion.after.params == numel(fusion.model) == sum(map(_saved, fusion.choices), numel(model))
    )


def _saved(choice: ChosenForm) -> int:
    return choice.params_after - choice.params_before


def test_the_copy_is_for_inference_and_shares_nothing_with_the_model() -> None:
    model = Stack()
    fusion = fuse(model, [floats(1, 3, 12, 12)], by="macs")
    assert not any(parameter.requires_grad for parameter in fusion.model.parameters())
    assert all(parameter.requires_grad for parameter in model.parameters())
    theirs = {tensor.data_ptr() for tensor in fusion.model.parameters()}
    assert not theirs & {tensor.data_ptr() for tensor in model.parameters()}
    assert not any(module._forward_hooks for module in fusion.model.modules())


def test_the_model_itself_may_be_the_layer() -> None:
    fusion = fuse(HetConv2d(4, 4, 3, P=2), [floats(1, 4, 6, 6)], by=lambda n: len(n.convolutions))
    assert isinstance(fusion.model, nn.Conv2d)
    assert [one.path for one in fusion.choices] == [""]
    assert fusion.choices[0].executed_macs == fusion.after.macs == 4 * 4 * 9 * 4 * 4


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_dtypes_are_those_of_the_model(dtype: torch.dtype) -> None:
    model = nn.Sequential(Stack().to(dtype), nn.Flatten(), nn.Linear(128, 3, dtype=dtype))
    spec = TensorSpec((1, 3, 12, 12), str(dtype).removeprefix("torch."))
    fusion = fuse(model, [spec])
    assert {tensor.dtype for tensor in fusion.model.parameters()} == {dtype}
    image = torch.rand(1, 3, 12, 12, dtype=dtype)
    torch.testing.assert_close(fusion.model(image), model.eval()(image), rtol=0.1, atol=0.1)


def test_channels_last_stays_channels_last() -> None:
    model = Stack().to(memory_format=torch.channels_last)
    fusion = fuse(model, [floats(1, 3, 12, 12)], by=lambda network: len(network.convolutions))
    for parameter in fusion.model.parameters():
        assert parameter.dim() == 1 or parameter.is_contiguous(memory_format=torch.channels_last)


def test_a_wrong_fold_is_noticed_and_nothing_is_returned(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(layer: Any, behind: Any) -> nn.Module:
        made = with_norm(layer, behind)
        next(made.parameters()).data *= 1 + 1e-9
        return made

    monkeypatch.setattr(fusing, "with_norm", wrong)
    with pytest.raises(ModelError, match=r"results of stem would differ by .*e-10"):
        fuse(Stack(), [floats(1, 3, 12, 12)], by="macs")


def test_a_layer_put_into_a_wrong_place_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fusing, "swapped", lambda model, old, new: nn.Sequential(model, nn.ReLU()))
    with pytest.raises(ModelError, match="the whole network would differ"):
        fuse(DualConv2d(4, 4, 3, G=2), [floats(1, 4, 5, 5)], by="macs")


def infinite() -> nn.Module:
    model = nn.Conv2d(3, 3, 3)
    nn.init.constant_(model.weight, float("inf"))
    return model


class Counting(nn.Module):
    """What it returns depends on how often it ran."""

    runs: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("runs", torch.zeros(()))

    def forward(self, image: Tensor) -> Tensor:
        self.runs += 1
        return image * self.runs


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (nn.Conv2d(3, 3, 3, device="meta"), "Conv2d has no weights"),
        (infinite(), "results of the whole network would differ by inf"),
        (Counting(), "results of the whole network would differ"),
        (Forward(lambda self, x: self.conv(x.float()), **two()), "in double precision it raises"),
        (nn.Conv2d(5, 3, 3), "does not run on 1×3×6×6"),
    ],
    ids=["no weights", "infinite", "a state", "fixed dtype", "wrong input"],
)
def test_what_cannot_be_fused_is_refused_with_its_reason(model: nn.Module, message: str) -> None:
    with pytest.raises(ModelError, match=message) as raised:
        fuse(model, [floats(1, 3, 6, 6)])
    assert raised.value.hint


def test_an_unknown_judge_is_refused() -> None:
    with pytest.raises(UsageError, match="no judge of forms is called 'guess'") as raised:
        fuse(Stack(), [floats(1, 3, 12, 12)], by="guess")
    assert raised.value.hint == "one of measured, predicted, macs"


# What is shown


def test_the_table_fits_80_columns_and_shows_ideal_and_executed_macs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Judge, "cheapest", preferring("masked"))
    fusion = fuse(nn.Sequential(Stack()), [floats(1, 3, 12, 12)], by="macs")
    lines = as_text(lambda width: fusion_table(fusion), None).splitlines()
    assert max(map(len, lines)) <= 80
    (het,) = (line.split() for line in lines if line.startswith("0.het"))
    assert het[1:] == ["masked", "46.08", "K", "50.69", "K", "1296", "1424", "1.100"]
    (stem,) = (line.split() for line in lines if line.startswith("0.stem"))
    assert stem[1:] == ["stem_norm", "7776", "7776", "240", "224"]  # there was no choice
    (total,) = (line.split() for line in lines if line.startswith("total"))
    assert total[1:5] == [*units.count(fusion.before.macs).split(),
                          *units.count(fusion.after.macs).split()]  # fmt: skip
    assert "double precision" in lines[-1]


def test_json_has_exact_integers_and_every_form() -> None:
    fusion = fuse(Stack(), [floats(1, 3, 12, 12)], by="macs")
    shown = json.loads(fusion_json(fusion))
    assert shown["schema"] == 1
    assert shown["macs"] == {"ideal": fusion.before.macs, "executed": fusion.after.macs}
    assert shown["params"] == {"before": fusion.before.params, "after": fusion.after.params}
    # 6·6·8·16 times K²/G + 1, K²/G + 1 − 1/G, and K²
    dual = shown["layers"][1]
    assert dual["macs"] == {"ideal": 14976, "executed": 13824}
    assert dual["costs"] == {"parts": 14976, "folded": 13824, "dense": 41472}
    assert (dual["path"], dual["module"], dual["form"]) == ("dual", "DualConv2d", "folded")
    assert dual["gain"] == 13824 / 14976
    assert shown["layers"][0]["costs"] == {}
