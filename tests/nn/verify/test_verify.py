"""`dualcost verify`, and the witnesses that it asks."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from support.commands import Command
from support.families import in_turn
from support.models import Forward, floats, integers, numel
from torch import Tensor, nn
from torchvision.ops import DeformConv2d

from dualcost.costs import profile as profiles
from dualcost.costs.profile import profile
from dualcost.errors import ExitCode, ModelError
from dualcost.library import networks as library
from dualcost.network.network import Network, TensorSpec
from dualcost.nn.trace.trace import trace
from dualcost.nn.verify import counters, crosscheck, witnesses
from dualcost.nn.verify.crosscheck import AGREES, EXPLAINED, UNEXPLAINED, Check
from dualcost.nn.verify.witnesses import FVCORE, NUMEL, TORCH, Witness
from dualcost.process import Event
from dualcost.rewrite.request import Request

pytestmark = pytest.mark.usefixtures("warm_python")


def checked(
    model: nn.Module,
    inputs: Sequence[TensorSpec],
    network: Network | None = None,
    device: str = "meta",
) -> dict[tuple[str, str], Check]:
    """All verdicts on a live model, by quantity and witness; fvcore counts in this process."""
    network = network or trace(model, inputs)
    model = model.eval()
    said = [
        witnesses.count_with_torch(model, inputs, device=device),
        witnesses.count_with_fvcore(model, inputs),
    ]
    assert not said[1].failure
    checks = crosscheck.compare(profile(network), network, said, numel(model))
    return {(check.quantity, check.witness): check for check in checks}


def verdicts(checks: dict[tuple[str, str], Check]) -> set[str]:
    return {check.verdict for check in checks.values()}


@pytest.mark.parametrize(
    "name", ["resnet50", "vit_b_16", "mobilenet_v2", in_turn("densenet121", daily=False)]
)
def test_every_difference_to_both_counters_is_explained(name: str) -> None:
    network = library.load(name)
    model, _ = witnesses.live(network.name, network.inputs, None, weights=True)
    if name == "vit_b_16":  # which takes one size only; the others run sooner on a small image
        checks = checked(model, network.inputs, network)
    else:
        checks = checked(model, [floats(1, 3, 64, 64)])
    assert verdicts(checks) == {AGREES, EXPLAINED}
    for quantity in ("convolution", "linear", "matmul"):
        for witness in (TORCH, FVCORE):
            if (quantity, witness) in checks:
                assert checks[quantity, witness].verdict == AGREES
    assert checks["parameters", NUMEL].verdict == AGREES
    assert ("matmul", TORCH) in checks or name != "vit_b_16"
    assert all(check.why for check in checks.values() if check.verdict == EXPLAINED)


def test_what_fvcore_counts_besides_is_named_with_its_number() -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.AdaptiveAvgPool2d(1))
    checks = checked(model, [floats(1, 3, 6, 6)])
    # scale and shift of 8 maps of 4×4
    assert checks["batch_norm", FVCORE].difference == 2 * 8 * 4 * 4
    assert checks["batch_norm", FVCORE].why == "fvcore counts batch norm: +256"
    assert checks["adaptive_avg_pool2d", FVCORE].theirs == 8 * 4 * 4


def test_padding_given_as_a_word_is_counted() -> None:
    model = nn.Sequential(
        nn.Conv2d(4, 8, 3, padding="same", groups=2), nn.Conv2d(8, 4, 3, padding="valid")
    )
    checks = checked(model, [floats(2, 4, 6, 6)])
    # positions · K² · M · N / G of both
    expected = 2 * 36 * 9 * 4 * 8 // 2 + 2 * 16 * 9 * 8 * 4
    assert checks["convolution", FVCORE].theirs == expected
    assert verdicts(checks) == {AGREES}


def test_a_recurrent_layer_is_what_fvcore_leaves_out() -> None:
    def run(self: Any, x: Tensor) -> Tensor:
        made: Tensor = self.head(self.lstm(x)[0])
        return made

    model = Forward(run, lstm=nn.LSTM(8, 16, batch_first=True), head=nn.Linear(16, 4))
    checks = checked(model, [floats(2, 5, 8)])
    # 2·5 steps of 4·16 gates that read 8 inputs and 16 states
    lstm = 2 * 5 * 4 * 16 * (8 + 16)
    assert checks["linear", TORCH].verdict == AGREES
    assert checks["linear", TORCH].ours == lstm + 2 * 5 * 16 * 4
    assert checks["linear", FVCORE].difference == -lstm
    assert checks["linear", FVCORE].why == f"fvcore does not count lstm: -{lstm:,}"


def test_a_deformable_convolution_is_what_both_leave_out() -> None:
    model = Forward(
        lambda self, x, offset: self.conv(self.deform(x, offset)),
        deform=DeformConv2d(3, 8, 3),
        conv=nn.Conv2d(8, 4, 1),
    )
    inputs = [floats(1, 3, 6, 6), floats(1, 18, 4, 4)]
    checks = checked(model, inputs, device="cpu")
    assert verdicts(checks) == {AGREES, EXPLAINED}
    for witness in (TORCH, FVCORE):
        assert checks["convolution", witness].difference == -(4 * 4 * 9 * 3 * 8)
        assert "deform_conv2d" in checks["convolution", witness].why


def test_a_product_with_a_parameter_may_be_called_a_matrix_product() -> None:
    model = Forward(lambda self, x: x @ self.w, w=nn.Parameter(torch.rand(8, 4)))
    checks = checked(model, [floats(2, 5, 8)])
    assert checks["linear", FVCORE].difference == -(2 * 5 * 8 * 4)
    assert checks["matmul", FVCORE].difference == 2 * 5 * 8 * 4
    assert "linear and matmul together agree" in checks["linear", FVCORE].why
    assert verdicts(checks) == {AGREES, EXPLAINED}


def test_attention_and_embeddings_are_counted() -> None:
    model = nn.Sequential(
        nn.Embedding(7, 8), nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    )
    checks = checked(model, [integers(2, 5)])
    # scores and values of 2·2 heads, 5 × 5 positions, 4 channels each
    assert checks["matmul", FVCORE].theirs == 2 * (2 * 2 * 5 * 5 * 4)
    assert checks["matmul", TORCH].verdict == AGREES
    assert verdicts(checks) == {AGREES, EXPLAINED}


@pytest.mark.parametrize("kind", ["dual", "het", "group", "dsc"])
def test_a_converted_model_agrees(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    letters: dict[str, Any] = {"dual": {"G": 4}, "group": {"G": 4}, "het": {"P": 8}}.get(kind, {})
    asked = Request.parse(kind, **letters)
    inputs = (floats(1, 3, 64, 64),)
    network = library.load("resnet18", inputs)
    model, _ = witnesses.live(network.name, network.inputs, asked, weights=True)
    said = [
        witnesses.count_with_torch(model, network.inputs),
        witnesses.count_with_fvcore(model, network.inputs),
    ]
    checks = crosscheck.compare(profile(network, asked), network, said, numel(model))
    assert {c.verdict for c in checks if c.quantity in ("convolution", "linear")} == {AGREES}
    assert all(check.verdict != UNEXPLAINED for check in checks)
    assert checks[0].theirs < 11_689_512  # torchvision: num_params of resnet18


def test_what_nobody_explains_is_unexplained() -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Flatten(), nn.Linear(128, 4))
    network = trace(model, [floats(1, 3, 6, 6)])
    said = Witness(TORCH, {"convolution": 1, "addmm": 512, "novelty": 3})
    checks = crosscheck.compare(profile(network), network, [said], numel(model) + 1)
    assert {check.quantity: check.verdict for check in checks} == {
        "parameters": UNEXPLAINED,
        "convolution": UNEXPLAINED,
        "linear": AGREES,
        "novelty": UNEXPLAINED,
    }


def test_a_model_is_left_as_it_was() -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8)).eval()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    fused = torch.backends.mha.get_fastpath_enabled()
    state = torch.get_rng_state()
    checked(model, [floats(1, 3, 6, 6)])
    assert all(torch.equal(value, model.state_dict()[key]) for key, value in before.items())
    assert torch.backends.mha.get_fastpath_enabled() == fused
    assert torch.equal(torch.get_rng_state(), state)


def test_fvcore_says_why_it_cannot_count() -> None:
    assert "by name" in witnesses.count_with_fvcore(nn.ReLU(), [floats(1, name="x")]).failure

    def fail(self: Any, x: Tensor) -> Tensor:
        raise RuntimeError("out of cheese")

    assert "out of cheese" in witnesses.count_with_fvcore(Forward(fail), [floats(1)]).failure


MODEL = """
import sys, torch
def make():
    if "witnesses" in sys.argv[0]:
        print("what a model prints is no answer of the child process")
    return torch.nn.Sequential(torch.nn.Conv2d(4, 8, 3), torch.nn.BatchNorm2d(8), torch.nn.ReLU())
"""
ARGUMENTS = ("model.py:make", "--input", "1x4x6x6")
MACS = 4 * 4 * 9 * 4 * 8  # 4×4 positions, K², M, N


@pytest.fixture
def own(tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch) -> Command:
    """The command line in a folder with a model, where no other counter is installed."""
    (tmp_path / "model.py").write_text(MODEL)
    monkeypatch.setattr(counters, "COUNTERS", {})
    return command


@pytest.fixture
def inside(own: Command, monkeypatch: pytest.MonkeyPatch) -> Command:
    """The same, with fvcore in this process: quicker, and open to changes."""

    @contextlib.contextmanager
    def here(
        network: Network, asked: Request | None, counter: str
    ) -> Iterator[Callable[[float], Witness]]:
        def answer(limit_s: float) -> Witness:
            model, _ = witnesses.live(network.name, network.inputs, asked, weights=True)
            return witnesses.count_with_fvcore(model, network.inputs)

        yield answer

    monkeypatch.setattr(witnesses, "in_child", here)
    return own


def test_the_command_prints_one_table_and_what_explains_it(own: Command) -> None:
    code, out, err = own("verify", *ARGUMENTS, "--conv", "dual", "--G", "2", "--where", "kernel=3")
    assert (code, err.splitlines()[-1]) == (
        ExitCode.OK,
        "dualcost: building the model, and counting it with torch and fvcore",
    )
    assert out.splitlines()[0] == "model.py:make with dual G=2 in 1 of 1 convolution"
    # K²·M·N/G + M·N at 4×4 positions
    assert out.count(f"{4 * 4 * (9 * 4 * 8 // 2 + 4 * 8):,}") == 4
    assert "batch_norm: fvcore counts batch norm: +256" in out
    assert out.splitlines()[-1] == "3 agree, 1 explained"
    assert max(map(len, out.splitlines())) <= 80


def test_a_wrong_count_fails(inside: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(*arguments: Any) -> Any:
        result = profile(*arguments)
        first = result.rows[0]
        after = replace(first.after, macs=first.after.macs + 1)
        return replace(result, rows=(replace(first, after=after), *result.rows[1:]))

    monkeypatch.setattr(profiles, "profile", wrong)
    code, out, _ = inside("verify", *ARGUMENTS)
    assert code == ExitCode.FAILED
    assert out.splitlines()[-1] == "1 agree, 2 unexplained, 1 explained"


def test_the_difference_is_listed_op_by_op(inside: Command) -> None:
    _, out, _ = inside("verify", *ARGUMENTS, "--explain-diff", "fvcore")
    listed = [line.split() for line in out.partition("counted by")[2].splitlines()]
    assert ["fvcore", "conv", f"{MACS:,}"] in listed
    assert ["fvcore", "batch_norm", "256"] in listed
    assert ["dualcost", "convolution", "1", f"{MACS:,}"] in listed


def test_json_has_exact_integers(inside: Command, tmp_path: Path) -> None:
    code, out, err = inside(
        "verify", *ARGUMENTS, "--json", "--explain-diff", "torch", "-o", "a.json"
    )
    assert (code, out) == (ExitCode.OK, "")
    assert "wrote a.json" in err
    document = json.loads((tmp_path / "a.json").read_text())
    assert document["passed"]
    assert document["rewrite"] is None
    checks = {(c["quantity"], c["witness"]): c for c in document["checks"]}
    assert checks["convolution", "fvcore"]["theirs"] == MACS
    assert checks["batch_norm", "fvcore"]["difference"] == 256
    assert {"counter": "torch", "op": "convolution", "runs": None, "macs": MACS} in document["ops"]


def test_a_counter_that_cannot_count_is_named_and_the_other_still_checks(
    inside: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*arguments: Any) -> Witness:
        return Witness(FVCORE, {}, failure="RuntimeError: no")

    monkeypatch.setattr(witnesses, "count_with_fvcore", failing)
    code, out, _ = inside("verify", *ARGUMENTS)
    assert code == ExitCode.OK
    assert "fvcore could not count this model: RuntimeError: no" in out

    def raising(*arguments: Any, **options: Any) -> Witness:
        raise RuntimeError("never")

    monkeypatch.setattr(witnesses, "count_with_torch", raising)
    code, out, _ = inside("verify", *ARGUMENTS)
    assert code == ExitCode.FAILED
    assert "nothing was verified" in out


@pytest.mark.parametrize(("more", "verdict"), [(0, "agrees"), (7, "differs")])
def test_a_counter_that_is_installed_is_shown_and_judges_nothing(
    own: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: int, verdict: str
) -> None:
    (tmp_path / "thop.py").write_text(
        "def profile(model, inputs, verbose):\n"
        "    print('a counter that talks')\n"
        f"    return model[0].weight.numel() * 16 + {more}, None\n"
    )
    monkeypatch.setitem(counters.COUNTERS, "thop", counters._thop)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.syspath_prepend(tmp_path)
    code, out, _ = own("verify", *ARGUMENTS, "--json")
    assert code == ExitCode.OK
    check = json.loads(out)["checks"][-1]
    assert (check["quantity"], check["witness"]) == ("whole network", "thop")
    assert (check["ours"], check["theirs"], check["verdict"]) == (MACS, MACS + more, verdict)


def test_a_counter_that_fails_is_named_and_fails_nothing(
    own: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "torchinfo.py").write_text("def summary(*a, **k): raise KeyError('a layer')")
    monkeypatch.setitem(counters.COUNTERS, "torchinfo", counters._torchinfo)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.syspath_prepend(tmp_path)
    code, out, _ = own("verify", *ARGUMENTS)
    assert code == ExitCode.OK
    assert "torchinfo could not count this model: KeyError: 'a layer'" in out
    named = [floats(1, 4, 6, 6, name="input")]
    assert "by name" in witnesses.count_with_another("torchinfo", nn.ReLU(), named).failure


def test_a_child_that_takes_too_long_or_dies_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    network = trace(nn.Conv2d(3, 8, 3), [floats(1, 3, 6, 6)], "no_such_file.py:make")
    with witnesses.in_child(network, None, FVCORE) as answer:
        assert answer(0.05).failure == "it took longer than 0.05 s"
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with witnesses.in_child(network, None, FVCORE) as answer:
        assert "without an answer" in answer(10).failure


def test_the_child_reads_and_answers_json(own: Command) -> None:
    asked = Request.parse("het", P=2, where="kernel=3", but=("M>64: keep",), bias="drop")
    request = {
        "counter": FVCORE,
        "name": "model.py:make",
        "inputs": [{"shape": [1, 4, 6, 6], "dtype": "float32", "name": ""}],
        "rewrite": asked.words(),
    }
    answers: list[Event] = []
    witnesses.answer_request(json.loads(json.dumps(request)), answers.append)
    (answer,) = answers
    assert answer["failure"] == ""
    # K²·M·N/P + (M − M/P)·N at 4×4 positions
    assert answer["counts"]["conv"] == 4 * 4 * (9 * 4 * 8 // 2 + 2 * 8)
    lost: dict[str, Any] = {
        "counter": FVCORE,
        "name": "lost.py:make",
        "inputs": [],
        "rewrite": None,
    }
    with pytest.raises(ModelError, match=r"no file lost\.py"):
        witnesses.answer_request(lost, answers.append)


def test_an_error_of_the_child_is_why_it_could_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "program"
    program.write_text("""#!/bin/sh
echo '{"error": "ModelError", "message": "there is no file lost.py", "hint": ""}'
""")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    network = trace(nn.Conv2d(3, 8, 3), [floats(1, 3, 6, 6)], "lost.py:make")
    with witnesses.in_child(network, None, FVCORE) as answer:
        assert answer(10) == Witness(FVCORE, {}, failure="there is no file lost.py")


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (["resnt50"], "no model is called 'resnt50'", "did you mean resnet50"),
        (["resnet50", "--G", "4"], "--G says how", "--conv dual"),
        (["resnet50", "--conv", "dual", "--G", "48"], "M=64", "--indivisible"),
        (["resnet50", "--explain-diff", "thop"], "'thop'", "--help"),
        (["r3d_18", "--conv", "dual", "--G", "4"], "3 dimensions", "keep"),
    ],
)
def test_bad_input_ends_in_one_message_with_a_hint(
    inside: Command, arguments: list[str], message: str, hint: str
) -> None:
    code, out, err = inside("verify", *arguments)
    assert (code, out) == (ExitCode.USAGE, "")
    lines = [line for line in err.splitlines() if not line.startswith("dualcost: ")]
    assert [line.partition(":")[0] for line in lines] == ["error", "hint"], err
    assert message in lines[0]
    assert hint in lines[1]
