"""oneDNN's own words: recorded lines are read, and a real run names a kernel for every layer."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from support.models import counted, floats
from torch import nn

from dualcost.cli import run
from dualcost.errors import ExitCode, UnmeasuredError
from dualcost.lab.child import explain
from dualcost.lab.onednn import (
    BRGEMM,
    GEMM,
    JIT,
    OTHER,
    REFERENCE,
    TORCH,
    Kernel,
    Step,
    least,
    read,
)
from dualcost.lab.race import Contender, Race
from dualcost.latency import calibration

pytestmark = pytest.mark.usefixtures("warm_python")

# As oneDNN 3.13.3 printed them on an AVX-512 processor: 64 channels in 8 groups and in 32, 56×56.
HEAD = "onednn_verbose,v1,primitive,exec,cpu,"
JIT_LINES = [
    "onednn_verbose,v1,info,oneDNN v3.13.3 (commit b38f97eb6f2173513112f15a0481750b8a66e901)",
    "onednn_verbose,v1,primitive,info,template:operation,engine,primitive,implementation,"
    "prop_kind,memory_descriptors,attributes,auxiliary,problem_desc,exec_time",
    f"{HEAD}reorder,jit:blk,undef,src:f32::blocked:abcd::f0 dst:f32::blocked:aBcd8b::f0,"
    "attr-scratchpad:user,,1x64x56x56,0.306885",
    f"{HEAD}reorder,jit:uni,undef,src:f32::blocked:abcde::f0 dst:f32::blocked:aBCde8c8b::f0,"
    "attr-scratchpad:user,,8x8x8x3x3,0.00317383",
    f"{HEAD}convolution,jit:avx512_core,forward_training,src:f32:a:blocked:aBcd8b::f0 "
    "wei:f32:a:blocked:aBCde8c8b::f0 bia:f32:a:blocked:a::f0 dst:f32:a:blocked:aBcd8b::f0,"
    "attr-scratchpad:user,alg:convolution_direct,"
    "g8mb1_ic64oc64_ih56oh56kh3sh1dh0ph1_iw56ow56kw3sw1dw0pw1,0.562012",
    f"{HEAD}reorder,jit:blk,undef,src:f32::blocked:aBcd8b::f0 dst:f32::blocked:abcd::f0,"
    "attr-scratchpad:user,,1x64x56x56,0.364014",
]
GEMM_LINES = [
    f"{HEAD}convolution,x64:gemm:jit,forward_training,src:f32:a:blocked:abcd::f0 "
    "wei:f32:a:blocked:abcde::f0 bia:f32:a:blocked:a::f0 dst:f32:a:blocked:abcd::f0,"
    "attr-scratchpad:user,alg:convolution_direct,"
    "g32mb1_ic64oc64_ih56oh56kh3sh1dh0ph1_iw56ow56kw3sw1dw0pw1,0.597168",
    f"{HEAD}reorder,jit_direct_copy:uni,undef,src:f32::blocked:abcd::f0 "
    "dst:f32::blocked:abcd::f0,attr-scratchpad:user,,1x64x56x56,0.0239258",
]
MAPS = ((1, 64, 56, 56), (1, 64, 56, 56))
ONEDNN = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]  # torch's


def test_recorded_lines_become_a_kernel_and_its_reorders() -> None:
    found, reorders = read(JIT_LINES, MAPS)
    (kernel,) = found
    assert (kernel.implementation, kernel.weights) == ("jit:avx512_core", "aBCde8c8b")
    assert kernel.seconds == pytest.approx(0.000562012)
    assert [(one.source, one.target, one.weights) for one in reorders] == [
        ("abcd", "aBcd8b", False),
        ("abcde", "aBCde8c8b", True),
        ("aBcd8b", "abcd", False),
    ]
    assert reorders[1].shape == (8, 8, 8, 3, 3)
    assert reorders[1].seconds == pytest.approx(3.17383e-6)


def test_a_gemm_kernel_is_known_by_the_middle_of_its_name() -> None:
    (kernel,), (copied,) = read(GEMM_LINES, MAPS)
    assert (kernel.name, kernel.family, kernel.vector, kernel.block) == ("gemm", GEMM, False, 1)
    assert not copied.weights


@pytest.mark.parametrize(
    ("implementation", "name", "family"),
    [
        ("jit:avx512_core", "jit", JIT),
        ("jit_dw:avx512_core", "jit_dw", JIT),
        ("brg_conv_fwd:avx512_core", "brg_conv_fwd", BRGEMM),
        ("brdgmm_dw:avx512_core", "brdgmm_dw", BRGEMM),
        ("brg_deconv:avx512_core+brgconv_strided:avx512_core", "brg_deconv", BRGEMM),
        ("x64:gemm:jit", "gemm", GEMM),
        ("indirect_gemm:acl", "indirect_gemm", GEMM),
        ("ref:any", "ref", REFERENCE),
        ("wino:acl", "wino", OTHER),
        (TORCH, "torch", TORCH),
    ],
)
def test_implementations_belong_to_families(implementation: str, name: str, family: str) -> None:
    kernel = Kernel(implementation)
    assert (kernel.name, kernel.family) == (name, family)


@pytest.mark.parametrize(
    ("weights", "block"),
    [("aBCde16c16b", 16), ("aBCde8c8b", 8), ("ABcd16b16a", 16), ("Acdb64a", 64), ("abcde", 1)],
)
def test_the_block_is_read_from_the_format_of_the_weights(weights: str, block: int) -> None:
    assert Kernel("jit", weights).block == block


def test_weights_that_are_filled_up_with_zeros_are_known() -> None:
    padded = JIT_LINES[4].replace("wei:f32:a:blocked:aBCde8c8b", "wei:f32:ap:blocked:aBCde16c16b")
    kernels_of = [read([line], MAPS)[0][0] for line in (JIT_LINES[4], padded)]
    assert [kernel.padded for kernel in kernels_of] == [False, True]


def test_other_lines_are_passed_over() -> None:
    assert read(["a model's own print", "onednn_verbose,v1,graph,info,x", ""]) == ([], [])


def event(lines: list[str], seconds: float = 0.002) -> dict[str, Any]:
    facts = {
        "in_shape": [1, 64, 56, 56],
        "weight_shape": [64, 8, 3, 3],
        "out_shape": [1, 64, 56, 56],
        "transposed": False,
        "groups": 8,
    }
    return {
        "path": "one",
        "op": "conv2d",
        "seconds": seconds,
        "lines": lines,
        "convolution": facts,
    }


def test_a_step_adds_up_and_knows_its_sizes() -> None:
    step = Step.from_event(event(JIT_LINES))
    assert step.macs == 8 * 3 * 3 * 64 * 56 * 56
    assert (step.groups, step.per_group, step.size, step.channels) == (8, 8, (3, 3), (64, 64))
    assert step.kernel_s == pytest.approx(0.000562012)
    assert step.reorder_s == pytest.approx((0.306885 + 0.00317383 + 0.364014) / 1000)


def test_a_transposed_convolution_multiplies_at_its_input() -> None:
    facts = {
        "in_shape": [1, 64, 28, 28],
        "weight_shape": [64, 32, 2, 2],
        "out_shape": [1, 32, 56, 56],
        "transposed": True,
        "groups": 1,
    }
    step = Step.from_event(event([]) | {"convolution": facts})
    assert step.macs == 32 * 2 * 2 * 64 * 28 * 28
    assert step.channels == (64, 32)


def test_a_convolution_without_a_line_was_run_by_torch_itself() -> None:
    step = Step.from_event(event([]))
    assert step.kernel == Kernel(TORCH)
    assert step.kernel_s == step.seconds


def test_each_part_of_a_step_takes_the_least_of_several_forwards() -> None:
    slow = [line.replace("0.562012", "0.9").replace("0.306885", "0.1") for line in JIT_LINES]
    (step,) = least(
        [[Step.from_event(event(JIT_LINES, 0.003))], [Step.from_event(event(slow, 0.002))]]
    )
    assert step.seconds == 0.002
    assert step.kernel_s == pytest.approx(0.000562012)
    assert step.reorders[0].seconds == pytest.approx(0.0001)


MODEL = """
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 64, 3, padding=1)
        self.body = nn.Conv2d(64, 64, 3, padding=1)

    def forward(self, image):
        print("a model that prints")
        return self.body(self.stem(image)).relu_()

def make():
    return Net()
"""


@pytest.fixture
def model(tmp_path: Path) -> str:
    path = tmp_path / "model.py"
    path.write_text(MODEL)
    return f"{path}:make"


@pytest.mark.skipif(not ONEDNN, reason="this torch has no oneDNN")
def test_a_real_run_names_the_kernels_before_and_after(
    model: str, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # no calibration is stored there
    monkeypatch.setattr(calibration, "default_path", lambda: tmp_path / "none.json")
    words = ["explain", model, "--input", "1x3x32x32", "--conv", "dual", "--G", "8"]
    assert run([*words, "--json"]) == ExitCode.OK
    document = json.loads(capfd.readouterr().out)
    (layer,) = document["layers"]
    assert layer["path"] == "body"
    steps = layer["steps"]
    (before,) = steps["before"]
    assert before["implementation"] != TORCH  # a 3×3 of one image is oneDNN's
    assert before["macs"] == 64 * 64 * 9 * 32 * 32 == layer["macs"]["before"]
    grouped, pointwise, added = steps["after"]
    assert (grouped["groups"], grouped["kernel"]) == (8, "3×3")
    assert (pointwise["groups"], pointwise["kernel"]) == (1, "1×1")
    assert added["op"] == "add_"
    assert grouped["macs"] + pointwise["macs"] == layer["macs"]["after"]
    assert layer["predicted_ratio"] is None
    assert "calibrate" in document["unpredicted"]
    times = [step["seconds"] for side in steps.values() for step in side]
    assert all(seconds > 0 for seconds in times)


@pytest.mark.skipif(not ONEDNN, reason="this torch has no oneDNN")
def test_what_ran_has_the_macs_that_torch_counts(model: str) -> None:
    network = nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2), nn.Conv2d(8, 8, 3, groups=4), nn.ConvTranspose2d(8, 4, 2)
    )
    expected = counted(network, floats(1, 3, 16, 16))
    image = torch.rand(1, 3, 16, 16)
    with torch.inference_mode(), explain._paths(network) as running:
        events = explain._forward(lambda: network(image), running, verbose=True)
    steps = [Step.from_event(one) for one in events]
    assert sum(step.macs for step in steps) == expected
    assert [step.path for step in steps if step.kernel] == ["0", "1", "2"]
    assert not any(module._forward_hooks for module in network.modules())


@pytest.fixture
def race() -> Race:
    return Race((Contender("resnet18", (floats(1, 3, 32, 32),)),))


def first_event(race: Race) -> Callable[[], object]:
    return lambda: next(explain.events(race))


def test_a_torch_without_onednn_is_one_clear_line(
    race: Race, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    with pytest.raises(UnmeasuredError, match="no oneDNN") as caught:
        first_event(race)()
    assert caught.value.exit_code == ExitCode.UNMEASURED
