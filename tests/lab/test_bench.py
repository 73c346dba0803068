"""`dualcost bench`: real races of tiny networks, each in a process of its own."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from itertools import islice, pairwise
from pathlib import Path
from time import perf_counter_ns
from typing import Any

import jsonschema
import psutil
import pytest
import torch
from support.commands import Command
from support.models import Forward
from torch import nn

import dualcost
from dualcost import process
from dualcost.cli import run
from dualcost.cli.commands import bench as cli
from dualcost.errors import ExitCode, UsageError
from dualcost.lab import bench as contest
from dualcost.lab.bench import Progress
from dualcost.lab.child.bench import LEAST_ROUNDS, comparable, orders
from dualcost.lab.child.lanes import Lane
from dualcost.lab.child.stamps import Stamps
from dualcost.lab.measurement import BETWEEN
from dualcost.lab.race import EAGER, GRAPH, Contender, Variant, field_of
from dualcost.library.networks import specs
from dualcost.nn.here import here
from dualcost.rewrite.request import Request

pytestmark = pytest.mark.usefixtures("warm_python")

SCHEMA = json.loads((Path(dualcost.__file__).parent / "render" / "bench.schema.json").read_text())
MODELS = """
import os, signal, sys
from torch import nn

MEASURED = getattr(sys.modules["__main__"].__spec__, "name", "") == "dualcost.lab.child.bench"


class Residual(nn.Module):
    def __init__(self, spoil=lambda: None):
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, padding=1)
        self.body = nn.Sequential(nn.Conv2d(16, 16, 3, padding=1), nn.ReLU())
        self.head = nn.Linear(16, 10)
        self.spoil = spoil

    def forward(self, image):
        print("what a model prints is no event")
        if MEASURED and not hasattr(image, "fake_mode"):
            self.spoil()
        image = self.stem(image)
        return self.head((image + self.body(image)).mean((2, 3)))


def refuse():
    raise ValueError("not with me\\nnever")


def make():
    return Residual()

def killed():
    return Residual(lambda: os.kill(os.getpid(), signal.SIGKILL))

def leaving():
    return Residual(lambda: os._exit(7))

def refusing():
    return Residual(refuse)
"""
WORDS = ("--input", "1x3x32x32", "--time", "1s")


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("models") / "net.py"
    path.write_text(MODELS)
    return str(path)


@pytest.fixture(scope="module")
def measured(net: str, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """One race by layer: the network as it is, dual, and het in both implementations."""
    found = tmp_path_factory.mktemp("results") / "race.json"
    variants = ("--conv", "dual:2", "--conv", "het:4", "--het", "grouped", "--het", "branches")
    words = ["bench", f"{net}:make", *variants, "--by", "layer", *WORDS, "--json", "-o", str(found)]
    assert run(words) == ExitCode.OK
    return json.loads(found.read_text())


def no_process_is_left() -> bool:
    return not [
        one for one in psutil.Process().children() if "dualcost.lab.child.bench" in one.cmdline()
    ]


def test_json_fits_its_schema_and_names_every_contender(measured: Any) -> None:
    jsonschema.validate(measured, SCHEMA, cls=jsonschema.Draft202012Validator)
    assert [one["variant"] for one in measured["contenders"]] == [
        "as it is", "dual G=2", "het P=4, grouped", "het P=4, branches",
    ]  # fmt: skip
    assert no_process_is_left()


def test_macs_are_those_of_the_profile(measured: Any, net: str) -> None:
    asked: list[dict[str, Any]] = [
        {}, {"conv": "dual", "G": 2}, {"conv": "het", "P": 4}, {"conv": "het", "P": 4}
    ]  # fmt: skip
    for one, words in zip(measured["contenders"], asked, strict=True):
        profile = dualcost.profile(f"{net}:make", "1x3x32x32", **words)
        assert (one["macs"], one["params"]) == (profile.after.macs, profile.after.params)
    # the stem is the first and stays; of the body, 16*16*9 become 16*8*9 + 16*16 of 32*32 positions
    whole = 32 * 32 * (3 * 16 * 9 + 16 * 16 * 9) + 16 * 10
    assert measured["contenders"][0]["macs"] == whole
    assert measured["contenders"][1]["macs"] == whole - 32 * 32 * (16 * 16 * 9 - 16 * 8 * 9 - 256)


def test_the_layers_and_the_stated_gaps_sum_to_the_whole(measured: Any) -> None:
    layers = measured["layers"]
    assert [layer["path"] for layer in layers] == ["stem", "body.0", "body.1", "head", BETWEEN]
    for index, one in enumerate(measured["contenders"]):
        times = [layer["seconds"][index] for layer in layers]
        assert sum(times) == pytest.approx(one["undisturbed_s"])
        assert min(times) > 0  # the sum and the mean run between the layers


def test_samples_are_those_of_the_rounds_and_bound_the_estimates(measured: Any) -> None:
    for one in measured["contenders"]:
        felt = one["samples"]["felt_s"]
        assert len(felt) == len(one["samples"]["wall_s"]) == measured["rounds"]
        assert one["undisturbed_s"] <= one["felt_s"]
        assert one["ratio"]["low"] <= one["ratio"]["value"] <= one["ratio"]["high"]
        assert min(felt) <= one["felt_s"] <= max(felt)
    first = measured["contenders"][0]
    assert first["ratio"] == first["felt_ratio"] == {"value": 1, "low": 1, "high": 1}


def test_equal_models_run_against_each_other_in_every_race(measured: Any) -> None:
    control = measured["controls"]["eager"]
    assert control["value"] != 1  # it really ran
    for one in measured["contenders"][1:]:
        width = (one["ratio"]["high"] - one["ratio"]["low"]) / 2
        assert width >= abs(control["value"] - 1) * one["ratio"]["value"] * (1 - 1e-9)


def test_the_environment_is_that_of_this_machine(measured: Any) -> None:
    machine = here()
    found = measured["machine"]
    assert found["fingerprint"] == machine.fingerprint
    assert found["torch"] == torch.__version__
    assert found["threads"] == 1
    assert measured["settings"]["flush_denormals"] is True


def test_the_table_fits_its_columns_and_ends_at_the_target(command: Command, net: str) -> None:
    words = ("--conv", "dual:2", "--target", "90%", "--channels-last", "--dtype", "bfloat16")
    code, out, err = command("bench", f"{net}:make", *words, *WORDS)
    assert code == ExitCode.OK
    assert max(map(len, out.splitlines())) <= 80
    assert "run       eager, bfloat16, channels_last, 1 thread" in out
    rounds = re.search(r"(\d+) rounds in ", out)
    assert rounds and int(rounds[1]) >= LEAST_ROUNDS
    assert "the target of 90.0% was met" in " ".join(out.split())
    assert "control   a copy of the first took " in out
    assert "The machine was " in out
    assert "is no event" not in out
    assert "running 3 models in turn" in err


@pytest.mark.parametrize(
    ("factory", "code", "message"),
    [
        ("killed", ExitCode.UNMEASURED, "the measuring process was killed by SIGKILL"),
        ("leaving", ExitCode.UNMEASURED, "the measuring process died"),
        ("refusing", ExitCode.USAGE, "cannot be run: ValueError: not with me"),
    ],
)
def test_what_goes_wrong_in_the_measuring_process_is_one_clear_line(
    command: Command, net: str, tmp_path: Path, factory: str, code: ExitCode, message: str
) -> None:
    found, out, err = command("bench", f"{net}:{factory}", *WORDS, "-o", "result.txt")
    assert (found, out) == (code, "")
    errors = [line for line in err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert message in errors[0]
    assert "Traceback" not in err
    assert not (tmp_path / "result.txt").exists()
    assert no_process_is_left()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--conv", "dual"), "dual needs G"),
        (("--conv", "duel:4"), "no kind of convolution is called 'duel'"),
        (("--conv", "dual:3"), "M=16 is not divisible by G=3"),
        (("--where", "kernel=3"), "--where says how to replace, but not by what"),
        (("--conv", "dual:2", "--het", "branches"), "--het says how het runs, but there is none"),
        (("--target", "2"), "'2' is not a percentage"),
        (("--target", "0%"), "a target of 0% cannot be met"),
        (("--time", "soon"), "'soon' is not a time"),
        (("--by", "layer", "--compile"), "only an eager model on the processor"),
        (("--batch", "0"), "--batch 0 has a value"),
    ],
)
def test_words_that_do_not_fit_start_no_process(
    command: Command,
    net: str,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    message: str,
) -> None:
    monkeypatch.setattr(process, "events", lambda *_: pytest.fail("a process was started"))
    code, out, err = command("bench", f"{net}:make", "--input", "1x3x32x32", *words)
    assert (code, out) == (ExitCode.USAGE, "")
    assert message in err


def test_what_does_not_fit_into_memory_is_refused_before_it_is_tried(
    command: Command, net: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "events", lambda *_: pytest.fail("a process was started"))
    # activations of 16 channels and 32×32 positions, four bytes each, for a hundred million images
    words = ("--input", "100000000x3x32x32", "--conv", "dual:2")
    code, out, err = command("bench", f"{net}:make", *words)
    assert (code, out) == (ExitCode.UNMEASURED, "")
    assert "3 models need about" in err
    assert "TiB of memory" in err


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_one_clear_line(command: Command, net: str) -> None:
    code, out, err = command("bench", f"{net}:make", *WORDS, "--device", "cuda")
    assert (code, out) == (ExitCode.USAGE, "")
    assert "error: torch finds no GPU on this machine" in err
    with pytest.raises(UsageError, match="no GPU"):
        here(device="cuda")


def test_ctrl_c_keeps_what_was_measured(
    command: Command, net: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupting(progress: Progress) -> None:
        if progress.rounds >= 5:
            raise KeyboardInterrupt

    monkeypatch.setattr(cli, "_watched", lambda status: interrupting)
    words = ("--input", "1x3x32x32", "--target", "0.001%", "--threads", "2")
    code, out, _ = command("bench", f"{net}:make", *words)
    assert code == ExitCode.INTERRUPTED
    assert "eager, float32, contiguous, 2 threads" in out
    rounds = re.search(r"(\d+) rounds in ", out)
    assert rounds and int(rounds[1]) >= 5
    assert "interrupted before the target of 0.0% was met" in " ".join(out.split())
    assert no_process_is_left()


def test_ctrl_c_before_there_is_a_result_leaves_nothing(net: str) -> None:
    def interrupting(progress: Progress) -> None:
        raise KeyboardInterrupt

    race = contest.race([f"{net}:make"], inputs=specs("1x3x32x32"))
    with pytest.raises(KeyboardInterrupt):
        contest.run(race, interrupting)
    assert no_process_is_left()


def test_a_race_that_cannot_be_remade_in_another_process_says_why(net: str) -> None:
    with pytest.raises(UsageError, match="no implementation of het is called 'sideways'"):
        dualcost.bench(f"{net}:make", "1x3x32x32", conv=["het:2"], het=["sideways"])


def test_hooks_are_gone_after_a_forward_and_segments_are_the_whole() -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), Forward(lambda self, x: x + 1))
    stamps = Stamps(model, perf_counter_ns, layers=True)
    image = torch.rand(1, 3, 16, 16)
    with stamps.on():
        assert all(leaf._forward_hooks for leaf in model)
        segments, ended = stamps.forward(lambda: model(image))
    assert not any(leaf._forward_hooks or leaf._forward_pre_hooks for leaf in model)
    assert ended == [BETWEEN, "0", BETWEEN, "1", BETWEEN, "2", BETWEEN]
    assert len(segments) == len(ended)
    assert min(segments) >= 0


def test_only_layers_after_which_time_has_passed_stamp_unless_all_are_asked_for() -> None:
    def wait(module: nn.Module, x: torch.Tensor) -> torch.Tensor:
        import time

        time.sleep(0.01)
        return x

    model = nn.Sequential(nn.Identity(), Forward(wait), nn.Identity(), Forward(wait))
    stamps = Stamps(model, perf_counter_ns, layers=False)
    stamps.choose(lambda: model(torch.zeros(1)))
    with stamps.on():
        _, ended = stamps.forward(lambda: model(torch.zeros(1)))
    assert ended == ["1", "3", BETWEEN]


def test_a_mode_whose_first_or_control_does_not_run_is_left_out() -> None:
    plain = Contender("zoo:net", ())
    dual = replace(plain, variant=Variant(Request.parse("dual:4")))
    lanes = [
        Lane(one, nn.Identity(), lambda: None, 1) for one in field_of([plain, dual], [EAGER, GRAPH])
    ]
    for one in lanes:
        one.warm_up()
    assert comparable(lanes) == [0, 1, 2, 3, 4, 5]
    lanes[4].ready = False  # the graph of dual cannot be captured
    assert comparable(lanes) == [0, 1, 2, 3, 5]
    lanes[5].ready = False  # nor that of the control
    assert comparable(lanes) == [0, 1, 2]


@pytest.mark.parametrize("contenders", [1, 2, 3, 6])
def test_each_runs_once_a_round_and_each_after_each(contenders: int) -> None:
    rounds = [*islice(orders(contenders), 200)]
    assert all(sorted(order) == [*range(contenders)] for order in rounds)
    if contenders > 2:  # never twice in a row, and no one always follows the same
        assert all(before[-1] != after[0] for before, after in pairwise(rounds))
        followers = {(a, b) for order in rounds for a, b in pairwise(order)}
        assert len(followers) == contenders * (contenders - 1)


def test_of_two_either_is_as_often_the_first() -> None:
    firsts = [order[0] for order in islice(orders(2), 400)]
    assert 160 < sum(firsts) < 240
    # which is no turn-taking: what goes first may be what went last
    assert {(a, b) for a, b in pairwise(firsts)} == {(0, 0), (0, 1), (1, 0), (1, 1)}


def test_a_clock_that_stands_still_is_asked_again() -> None:
    lane = Lane(Contender("zoo:net", ()), nn.Identity(), lambda: None, 1)
    told = iter([5, 5, 5, 5, 5, 9])
    lane._clock = lambda: next(told)
    assert lane.sample().felt_s == pytest.approx(4e-9)
    assert next(told, None) is None
