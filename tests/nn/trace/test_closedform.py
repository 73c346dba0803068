"""A closed form of a model says what a trace of it counts, at every size where it holds."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.commands import Command
from support.forms import B, asked_for, counts, run_alone
from support.models import vision_transformer
from sympy import limit, oo
from torch import nn

import dualcost
from dualcost.costs.closedform import ClosedForm, closed_form
from dualcost.costs.profile import profile
from dualcost.errors import ExitCode, UsageError
from dualcost.kinds.kinds import KINDS
from dualcost.library import networks as library
from dualcost.network.expression import symbol
from dualcost.network.network import TensorSpec
from dualcost.nn.trace.symbolic import symbolic_trace
from dualcost.nn.trace.trace import trace
from dualcost.render.function import form_python


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


def test_a_network_of_attention_has_a_form_in_its_batch() -> None:
    model, image = vision_transformer(), TensorSpec((1, 3, 64, 64))
    form = closed_form(symbolic_trace(model, [image], symbols=["B"]))
    assert form.macs.expression == form.at(B=1).macs * B
    assert form.at(B=1).macs == profile(trace(model, [image])).after.macs


def test_the_python_interface_takes_modules() -> None:
    module = nn.Conv2d(4, 4, 3)
    found = dualcost.formula(module, "1x4x8x8", conv="group", symbols="H,W", where="kernel=3")
    assert found.symbols == ("H", "W", "G")
    assert found.at(H=5, W=6, G=2).macs == 3 * 4 * 9 * 4 * 4 // 2


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


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (["fasterrcnn_resnet50_fpn", "--symbols", "B"], "a list of images", "--symbols"),
        (["resnet18", "--symbols", "B,X"], "X is not a size", "its symbols are B, H, W"),
    ],
)
def test_sizes_that_cannot_be_symbols_end_in_one_message_with_a_hint(
    command: Command, arguments: list[str], message: str, hint: str
) -> None:
    code, out, err = command("formula", *arguments)
    assert (code, out) == (ExitCode.USAGE, "")
    lines = [line for line in err.splitlines() if not line.startswith("dualcost: ")]
    assert [line.partition(":")[0] for line in lines] == ["error", "hint"], err
    assert message in lines[0]
    assert hint in lines[1]
