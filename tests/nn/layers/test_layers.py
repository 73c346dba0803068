"""The modules against explicit dense convolutions with masked kernels."""

from __future__ import annotations

import copy
import subprocess
import sys
import warnings
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.layers import layers
from support.models import counted, floats, numel
from torch import Tensor, nn
from torch.nn import functional as F

from dualcost.errors import UsageError
from dualcost.kinds.kinds import KINDS
from dualcost.nn.layers.kinds import (
    MODULES,
    DepthwiseSeparableConv2d,
    DualConv2d,
    GroupConv2d,
    HetConv2d,
)
from dualcost.nn.layers.recipe import RecipeConv2d
from dualcost.nn.trace.trace import trace

EXACT: dict[str, Any] = {"rtol": 1e-10, "atol": 1e-10}
SAMPLES: dict[str, Any] = {
    "dual": {"G": 4},
    "het": {"P": 4},
    "group": {"G": 4},
    "dsc": {},
}


def test_every_kind_but_the_standard_has_a_module_and_a_sample_here() -> None:
    assert set(MODULES) == set(SAMPLES) == set(KINDS) - {"standard"}


def masked_kernels(layer: RecipeConv2d) -> dict[str, Tensor]:
    """Each part's kernel over all channels; what `Sight.sees` forbids must be zero in it."""
    kernels = {}
    for part in layer.kind.parts:
        M, N = layer.in_channels, layer.out_channels
        filters = M if part.per_channel else N
        mask = torch.tensor(
            [
                [part.sight.sees(n, m, M, filters, layer.divisor) for m in range(M)]
                for n in range(filters)
            ]
        )
        kernel = layer.kernel(part.name)
        stored = layer._parameters[part.name]
        if stored is not None:  # every weight stands in exactly one place that is seen
            assert (
                kernel[mask]
                .sort(dim=0)
                .values.flatten()
                .sort()
                .values.equal(stored.detach().flatten().sort().values)
            )
        assert not kernel[~mask].any()
        kernels[part.name] = kernel
    return kernels


def dense_kernel(layer: RecipeConv2d, kernels: dict[str, Tensor]) -> Tensor:
    """The one K×K over all channels that does the same."""
    if layer.kind.chained:
        depthwise, pointwise = kernels["depthwise"], kernels["pointwise"]
        return torch.einsum("nm,mchw->nchw", pointwise[:, :, 0, 0], depthwise)
    dense = kernels["spatial"].clone()
    if "pointwise" in kernels:
        row, column = ((side - 1) // 2 for side in layer.kernel_size)
        dense[:, :, row, column] += kernels["pointwise"][:, :, 0, 0]
    return dense


def reference(layer: RecipeConv2d, dense: Tensor) -> nn.Conv2d:
    plain = nn.Conv2d(
        layer.in_channels,
        layer.out_channels,
        layer.kernel_size,  # type: ignore[arg-type]  # nn.Conv2d's own attribute types
        layer.stride,  # type: ignore[arg-type]
        layer.padding,  # type: ignore[arg-type]
        layer.dilation,  # type: ignore[arg-type]
        bias=layer.bias is not None,
        padding_mode=layer.padding_mode,  # type: ignore[arg-type]
        dtype=torch.float64,
    )
    with torch.no_grad():
        plain.weight.copy_(dense)
        if plain.bias is not None and layer.bias is not None:
            plain.bias.copy_(layer.bias)
    return plain


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")  # torch's, of a copy
@pytest.mark.parametrize("name", MODULES)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_module_is_a_dense_convolution_with_a_masked_kernel(
    name: str, data: st.DataObject
) -> None:
    layer, image = data.draw(layers(name))
    plain = reference(layer, dense_kernel(layer, masked_kernels(layer)))
    ours, theirs = image.clone().requires_grad_(), image.clone().requires_grad_()
    made, wanted = layer(ours), plain(theirs)
    torch.testing.assert_close(made, wanted, **EXACT)
    loss = torch.randn_like(made)
    made.backward(loss)
    wanted.backward(loss)
    torch.testing.assert_close(ours.grad, theirs.grad, **EXACT)
    _same_weight_gradients(layer, plain)


def _same_weight_gradients(layer: RecipeConv2d, plain: nn.Conv2d) -> None:
    """Each gradient, put in place, is that of the dense kernel at the places that are seen."""
    assert plain.weight.grad is not None
    if layer.bias is not None:
        assert plain.bias is not None
        torch.testing.assert_close(layer.bias.grad, plain.bias.grad, **EXACT)
    if layer.kind.chained:
        return  # checked by the chain rule below
    row, column = ((side - 1) // 2 for side in layer.kernel_size)
    centre = plain.weight.grad[:, :, row : row + 1, column : column + 1]
    for part in layer.kind.parts:
        weight = layer._parameters[part.name]
        if weight is None:
            continue
        seen = copy.deepcopy(layer)
        with torch.no_grad():
            seen._parameters[part.name].fill_(1)  # type: ignore[union-attr]
            mask = seen.kernel(part.name) != 0
            seen._parameters[part.name].copy_(weight.grad)  # type: ignore[union-attr,arg-type]
        wanted = plain.weight.grad if part.spatial else centre
        torch.testing.assert_close(seen.kernel(part.name), wanted * mask, **EXACT)


def test_the_gradients_of_a_chain_follow_the_chain_rule() -> None:
    layer = DepthwiseSeparableConv2d(3, 5, 3, padding=1, dtype=torch.float64)
    image = torch.randn(2, 3, 6, 5, dtype=torch.float64)
    depthwise = layer.get_parameter("depthwise").detach().clone().requires_grad_()
    pointwise = layer.get_parameter("pointwise").detach().clone().requires_grad_()
    dense = torch.einsum("nm,mhw->nmhw", pointwise[:, :, 0, 0], depthwise[:, 0])
    torch.autograd.backward(layer(image).square().sum())
    torch.autograd.backward(F.conv2d(image, dense, layer.bias, padding=1).square().sum())
    torch.testing.assert_close(layer.get_parameter("depthwise").grad, depthwise.grad, **EXACT)
    torch.testing.assert_close(layer.get_parameter("pointwise").grad, pointwise.grad, **EXACT)


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.parametrize("divisor", [1, 2, 3, 4, 8, 12])
@pytest.mark.parametrize("bias", [True, False])
def test_parameters_and_executed_macs_are_the_recipes(name: str, divisor: int, bias: bool) -> None:
    kind = KINDS[name]
    given: dict[str, Any] = {kind.letter: divisor} if kind.letter else {}
    layer = MODULES[name](24, 48, 3, 2, 1, bias=bias, device="meta", **given)
    # 9×7 with padding 1 and stride 2 makes 5×4
    cost = kind.cost(9, 24, 48, 2 * 5 * 4, 2 * 9 * 7, divisor if kind.letter else 1, bias=bias)
    assert numel(layer) == cost.params
    assert counted(layer, floats(2, 24, 9, 7), device="meta") == cost.macs


def test_the_parts_have_the_sizes_of_the_paper() -> None:
    dual = DualConv2d(64, 128, 3, G=4)
    assert dual.spatial.shape == (128, 64 // 4, 3, 3)
    assert dual.pointwise.shape == (128, 64, 1, 1)
    het = HetConv2d(64, 128, 3, P=4)
    assert het.spatial.shape == (128, 64 // 4, 3, 3)
    assert het.pointwise.shape == (128, 64 - 64 // 4, 1, 1)
    assert HetConv2d(8, 8, 3, P=1).pointwise is None  # nothing is left for it to see
    assert [name for name, _ in GroupConv2d(8, 8, 3, G=2).named_parameters()] == ["spatial", "bias"]


def test_a_group_convolution_is_torchs_own() -> None:
    layer, plain = GroupConv2d(8, 12, 3, G=4, padding=1), nn.Conv2d(8, 12, 3, padding=1, groups=4)
    plain.load_state_dict({"weight": layer.spatial, "bias": layer.bias})
    image = torch.randn(2, 8, 5, 5)
    torch.testing.assert_close(layer(image), plain(image))


@pytest.mark.parametrize("name", MODULES)
def test_it_starts_like_a_plain_convolution(name: str) -> None:
    torch.manual_seed(0)
    layer = MODULES[name](64, 64, 3, **SAMPLES[name])
    taps = {part.name: layer._parameters[part.name][0].numel() for part in layer.kind.parts}  # type: ignore[index]
    for part, own in taps.items():
        # kaiming uniform with a = √5 is uniform within 1/√fan-in
        bound = (own if layer.kind.chained else sum(taps.values())) ** -0.5
        largest = float(layer._parameters[part].detach().abs().max())  # type: ignore[union-attr]
        assert 0.97 * bound < largest <= bound


@pytest.mark.parametrize("name", MODULES)
def test_it_copies_saves_and_loads(name: str) -> None:
    layer = MODULES[name](8, 16, 3, padding=1, **SAMPLES[name])
    image = torch.randn(1, 8, 6, 6)
    twin, other = copy.deepcopy(layer), MODULES[name](8, 16, 3, padding=1, **SAMPLES[name])
    assert torch.equal(twin(image), layer(image))
    assert not torch.equal(other(image), layer(image))
    other.load_state_dict(layer.state_dict())
    assert torch.equal(other(image), layer(image))


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_it_runs_in_half_precision(name: str, dtype: torch.dtype) -> None:
    layer = MODULES[name](8, 16, 3, padding=1, **SAMPLES[name])
    image = torch.randn(1, 8, 6, 6)
    made = copy.deepcopy(layer).to(dtype)(image.to(dtype))
    assert made.dtype == dtype
    torch.testing.assert_close(made.float(), layer(image), rtol=0.05, atol=0.05)


@pytest.mark.parametrize("name", MODULES)
def test_channels_last_stays_channels_last(name: str) -> None:
    layer = MODULES[name](8, 16, 3, padding=1, **SAMPLES[name])
    image = torch.randn(2, 8, 6, 6)
    made = copy.deepcopy(layer).to(memory_format=torch.channels_last)(
        image.to(memory_format=torch.channels_last)
    )
    assert made.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(made, layer(image))


@pytest.mark.parametrize("name", MODULES)
def test_one_image_without_a_batch_is_welcome(name: str) -> None:
    layer = MODULES[name](8, 16, 3, padding="same", **SAMPLES[name])
    image = torch.randn(8, 6, 6)
    torch.testing.assert_close(layer(image), layer(image[None])[0])


def variants() -> list[RecipeConv2d]:
    """One layer of each module, HetConv2d in both of its ways."""
    made = [MODULES[name](8, 16, (3, 2), 2, 1, **SAMPLES[name]) for name in MODULES]
    return [*made, HetConv2d(8, 16, (3, 2), 2, 1, P=4, implementation="branches")]


@pytest.mark.parametrize("layer", variants(), ids=repr)
def test_it_exports(layer: RecipeConv2d) -> None:
    image = torch.randn(1, 8, 7, 6)
    exported = torch.export.export(layer.eval(), (image,)).module()
    torch.testing.assert_close(exported(image), layer(image))


@pytest.mark.parametrize("layer", variants(), ids=repr)
def test_it_compiles_as_one_graph_with_its_gradients(layer: RecipeConv2d) -> None:
    # without code generation: what is asked is whether it can be captured as a whole
    twin = copy.deepcopy(layer)
    compiled = torch.compile(twin, backend="aot_eager", fullgraph=True)
    image = torch.randn(2, 8, 7, 6)
    made, wanted = compiled(image), layer(image)
    torch.testing.assert_close(made, wanted)
    loss = torch.randn_like(wanted)
    made.backward(loss)
    wanted.backward(loss)
    for ours, theirs in zip(twin.parameters(), layer.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad)


@pytest.mark.parametrize("layer", variants(), ids=repr)
def test_it_exports_to_onnx(layer: RecipeConv2d) -> None:
    pytest.importorskip("onnxscript")
    evaluator = pytest.importorskip("onnx.reference")
    image = torch.randn(1, 8, 7, 6)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter's own code
        program = torch.onnx.export(layer.eval(), (image,), dynamo=True, verbose=False)
    assert program is not None
    session = evaluator.ReferenceEvaluator(program.model_proto)
    (made,) = session.run(None, {session.input_names[0]: image.numpy()})
    wanted = layer(image).detach()
    torch.testing.assert_close(torch.from_numpy(made), wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("P", [1, 2, 3, 4, 6])
def test_both_ways_of_het_have_one_state_one_result_and_the_same_macs(P: int) -> None:
    grouped = HetConv2d(12, 24, 3, padding=1, P=P)
    branches = HetConv2d(12, 24, 3, padding=1, P=P, implementation="branches")
    branches.load_state_dict(grouped.state_dict())
    image = torch.randn(2, 12, 5, 6)
    torch.testing.assert_close(branches(image), grouped(image))
    torch.testing.assert_close(branches(image[0]), grouped(image[0]))
    ours, theirs = (counted(layer, floats(1, 12, 5, 6)) for layer in (branches, grouped))
    assert ours == theirs == 5 * 6 * (9 * 12 * 24 + (P - 1) * 12 * 24) // P
    # one K×K and one 1×1 for each remainder
    runs = len(trace(branches, [floats(1, 12, 5, 6)]).convolutions)
    assert runs == (1 if P == 1 else 2 * P)


def test_an_unknown_implementation_is_refused() -> None:
    with pytest.raises(UsageError, match="no implementation of het is called 'slow'") as raised:
        HetConv2d(8, 8, 3, P=2, implementation="slow")
    assert raised.value.hint == "one of grouped, branches"


@pytest.mark.parametrize("name", MODULES)
@given(data=st.data())
@settings(max_examples=20, deadline=None)
def test_weights_taken_from_a_kernel_are_those_that_made_it(name: str, data: st.DataObject) -> None:
    layer, _ = data.draw(layers(name))
    twin = copy.deepcopy(layer)
    for part in layer.kind.parts:
        if (weight := twin._parameters[part.name]) is not None:
            nn.init.zeros_(weight)
        # what a filter does not see is not read
        seen = masked_kernels(layer)[part.name]
        twin.load_kernel(part.name, torch.where(seen == 0, torch.nan, seen))
    assert twin.state_dict().keys() == layer.state_dict().keys()
    for key, value in layer.state_dict().items():
        assert torch.equal(twin.state_dict()[key], value)


def test_it_says_what_it_is() -> None:
    layer = HetConv2d(8, 16, 3, padding="same", P=2, bias=False)
    assert repr(layer) == (
        "HetConv2d(8, 16, kernel_size=(3, 3), stride=(1, 1), padding='same', P=2, bias=False)"
    )
    layer.implementation = "branches"
    assert repr(layer).endswith("bias=False, implementation='branches')")


@pytest.mark.parametrize(
    ("arguments", "given", "message"),
    [
        ((8, 8, 3), {}, "dual needs G"),
        ((8, 8, 3), {"P": 2}, "dual takes G"),
        ((8, 12, 3), {"G": 8}, "N=12 is not divisible by G=8"),
        ((12, 8, 3), {"G": 8}, "M=12 is not divisible by G=8"),
    ],
)
def test_a_wrong_g_is_refused(arguments: Any, given: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        DualConv2d(*arguments, **given)


def test_what_a_plain_convolution_refuses_is_refused() -> None:
    with pytest.raises(ValueError, match="strided"):
        DualConv2d(8, 8, 3, stride=2, padding="same", G=2)
    with pytest.raises(ValueError, match="padding_mode"):
        DualConv2d(8, 8, 3, padding_mode="mirror", G=2)


def test_the_names_wake_torch_only_when_asked_for() -> None:
    code = (
        "import sys, dualcost.nn; assert 'torch' not in sys.modules; "
        "from dualcost.nn import HetConv2d; assert 'torch' in sys.modules; "
        "print(HetConv2d.__name__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("HetConv2d\n", "")
    import dualcost.nn

    assert dualcost.nn.DualConv2d is DualConv2d
    with pytest.raises(AttributeError, match="TripleConv2d"):
        _ = dualcost.nn.TripleConv2d
