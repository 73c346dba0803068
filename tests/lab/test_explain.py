"""Reasons: facts made by hand give the sentence that they call for, and no other."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import gcd
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.calibrations import MACHINE, linear_calibration

from dualcost.cli import run
from dualcost.errors import ExitCode
from dualcost.kinds.kinds import KINDS
from dualcost.lab import explain as inquiry
from dualcost.lab.explanation import WORTH, Alternative, ExplainedLayer, Steps, farthest
from dualcost.lab.onednn import TORCH, Kernel, Reorder, Step
from dualcost.lab.race import Variant
from dualcost.lab.reason import excesses, reason
from dualcost.latency import calibration as calibrations
from dualcost.latency.calibration import Calibration
from dualcost.latency.estimate import Timing, cold_share, site_seconds
from dualcost.latency.workload import workload
from dualcost.library import networks as library
from dualcost.network.site import ConvSite
from dualcost.rewrite.lowering import executed
from dualcost.rewrite.request import Request
from dualcost.rewrite.rewrite import rewrite

pytestmark = pytest.mark.usefixtures("warm_python")

SITE = ConvSite(
    M=64, N=64, kernel=(3, 3), stride=(1, 1), padding=(1, 1), dilation=(1, 1),
    groups=1, bias=True, transposed=False, in_size=(56, 56), out_size=(56, 56), batch=1,
)  # fmt: skip
MS = 1e-3
BEFORE = 64 * 64 * 9 * 56 * 56


def step(
    name: str, ms: float, *, groups: int = 1, taps: int = 9, weights: str = "", reorders: float = 0
) -> Step:
    """A convolution of 64 channels that takes `ms` in its kernel, and more in one re-order."""
    map_shape = (1, 64, 56, 56)
    moved = (Reorder(map_shape, "abcd", "aBcd16b", False, reorders * MS),) if reorders else ()
    return Step(
        path="layer",
        op="conv2d",
        seconds=(ms + reorders) * MS,
        kernel=Kernel(name, weights, ms * MS),
        reorders=moved,
        macs=64 * 64 // groups * taps * 56 * 56,
        groups=groups,
        size=(3, 3) if taps == 9 else (1, 1),
        channels=(64, 64),
    )


def joined(ms: float, op: str = "add_") -> Step:
    return Step("layer", op, ms * MS)


def layer(before: Sequence[Step], after: Sequence[Step], **words: Any) -> ExplainedLayer:
    macs = tuple(sum(one.macs for one in steps) for steps in (before, after))
    return ExplainedLayer(
        path="layer",
        site=SITE,
        kind=KINDS["dual"],
        divisor=32,
        calls=1,
        macs=(macs[0], macs[1]),
        ran=(Steps(tuple(before)), Steps(tuple(after))),
        **words,
    )


PLAIN = step("jit:avx512_core", 9, weights="ABcd16b16a")
POINTWISE = step(TORCH, 1, taps=1)  # as many MACs a second as PLAIN


def test_two_channels_a_group_are_a_matrix_product_instead_of_a_vector_kernel() -> None:
    grouped = step("x64:gemm:jit", 8, groups=32, weights="abcde")
    found = layer([PLAIN], [grouped, POINTWISE], better=(Alternative(8, 0.43),))
    assert reason(found) == (
        "64 channels in 32 groups leave 2 per group: gemm instead of a vector kernel (jit); "
        "G=8 (~0.43) is predicted faster here"
    )


def test_groups_narrower_than_a_block_are_padded() -> None:
    grouped = step("jit:avx512_core", 8, groups=32)
    grouped = replace(grouped, kernel=Kernel("jit:avx512_core", "aBCde16c16b", 8 * MS, True))
    said = reason(layer([PLAIN], [grouped, POINTWISE]))
    assert (
        said
        == "64 channels in 32 groups leave 2 per group: they are padded to 16 for the kernel jit"
    )


def test_another_family_of_kernels_is_named() -> None:
    plain = step("brg_conv_fwd:avx512_core", 9, weights="Acdb64a")
    grouped = step("jit:avx512_core", 8, groups=4, weights="aBCde16c16b")
    said = reason(layer([plain], [grouped]))
    assert said.endswith("leave 16 per group: jit instead of brg_conv_fwd")


def test_shorter_vectors_are_named() -> None:
    grouped = step("jit:avx512_core", 8, groups=8, weights="aBCde8c8b")
    said = reason(layer([PLAIN], [grouped]))
    assert said.endswith("leave 8 per group: vectors of 8 channels instead of 16")


def test_a_slow_pointwise_part_is_named_with_both_rates() -> None:
    grouped = step("jit:avx512_core", 0.3, groups=4, weights="aBCde16c16b")
    slow = step(TORCH, 6, taps=1)
    said = reason(layer([PLAIN], [grouped, slow]))
    # 64 · 64 · 56 · 56 in 6 ms, and nine times that in 9 ms
    assert said == (
        "the 1×1 (torch's own matrix product) runs 2.1 GMACs/s, where the 3×3 (jit) ran 13 GMACs/s"
    )


def test_a_layer_that_begins_to_wait_for_memory_is_told() -> None:
    bounds = (
        Timing(compute_s=2, memory_s=1, roofline_s=2),
        Timing(compute_s=1, memory_s=2, roofline_s=2),
    )
    said = reason(layer([PLAIN], [step(TORCH, 6, taps=1)], predicted=bounds))
    assert said == "its maps now take longer to read and write than its MACs to compute"


def test_reorders_that_do_not_shrink_are_told_with_their_share() -> None:
    before = step("jit:avx512_core", 9, weights="ABcd16b16a", reorders=1)
    after = step("jit:avx512_core", 1, taps=1, weights="ABcd16b16a", reorders=1)
    said = reason(layer([before], [after]))
    assert said == (
        "re-orders of maps (contiguous format) take 50.0% of its time, whatever the MACs"
    )


def test_an_addition_that_takes_most_is_told() -> None:
    said = reason(layer([PLAIN], [POINTWISE, joined(3)]))
    assert said == "what joins its parts (add) takes 75.0% of its time, and no MACs"


def test_many_calls_on_a_small_layer_are_told() -> None:
    busy = replace(POINTWISE, kernel=Kernel("jit", "ABcd16b16a", MS), seconds=4 * MS)
    said = reason(layer([PLAIN], [busy]))
    assert said == "the call of its kernel takes 75.0% of its time, whatever the MACs"


def test_time_that_follows_macs_is_said_to() -> None:
    assert reason(layer([PLAIN], [POINTWISE])) == "time follows MACs"


def test_a_gain_beyond_the_macs_is_explained_too() -> None:
    slow = step("x64:gemm:jit", 90)
    fast = step("jit:avx512_core", 1, taps=1, weights="ABcd16b16a")
    assert reason(layer([slow], [fast])) == "a vector kernel (jit) instead of gemm"


def test_what_was_measured_decides_over_the_forwards_that_named_the_kernels() -> None:
    grouped = step("x64:gemm:jit", 8, groups=32)
    found = layer([PLAIN], [grouped], measured=(9.0, 9.0 / 32))
    assert found.time_ratio == found.macs_ratio
    assert reason(found) == "time follows MACs"


milliseconds = st.floats(1e-3, 1e3)


@given(milliseconds, milliseconds, milliseconds, milliseconds, milliseconds)
def test_the_excesses_add_up_to_that_of_the_forward(
    old: float, kernel: float, moved: float, add: float, call: float
) -> None:
    new = step("jit:avx512_core", kernel, groups=8, reorders=moved)
    new = replace(new, seconds=new.seconds + call * MS)
    found = layer([step("jit:avx512_core", old)], [new, joined(add)])
    assert sum(excesses(found).values()) == pytest.approx(found.excess_s, rel=1e-9, abs=1e-12)
    assert reason(found)  # and there is a sentence for all of them


def test_the_layers_that_lose_most_come_in_their_order() -> None:
    layers = [
        replace(layer([PLAIN], [step("x64:gemm:jit", ms, groups=32)]), path=path)
        for path, ms in (("a", 2), ("b", 9), ("c", 1), ("d", 5))
    ]
    assert [one.path for one in farthest(layers, 2)] == ["b", "d"]
    assert [one.path for one in farthest(layers, 0)] == ["a", "b", "c", "d"]


# ── the whole command, on a run that was made up ────────────────────────────────────────────────


def made_up(what: Any) -> Iterator[Step]:
    """A step for every convolution that would run: a nanosecond for each 1000 MACs."""
    for one in executed(what):
        site = one.op.site
        if site is not None:
            seconds = one.op.macs * 1e-12 + 1e-6
            yield Step(
                one.op.path, "conv2d", seconds, Kernel("jit:avx512_core", "aBCde16c16b", seconds),
                macs=one.op.macs, groups=site.groups, size=site.kernel, channels=(site.M, site.N),
            )  # fmt: skip


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> None:
    def hear(network: Any, variant: Variant, *_: Any) -> Any:
        asked = variant.request
        assert asked is not None
        return MACHINE, [tuple(made_up(network)), tuple(made_up(rewrite(network, asked)))]

    monkeypatch.setattr(inquiry, "_heard", hear)


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    path = tmp_path / "calibration.json"
    calibrations.write(linear_calibration(), path)
    return path


@pytest.mark.usefixtures("heard")
@pytest.mark.parametrize("conv", ["dual", "group", "het"])
def test_the_alternatives_are_those_of_a_search_by_hand(conv: str) -> None:
    network, known = library.load("vgg11"), linear_calibration()
    found = inquiry.explain(network, Variant(Request.parse(f"{conv}:16")), known)
    share = _share(network, conv, known)
    assert any(layer.better for layer in found.layers)
    for explained in found.layers:
        assert explained.predicted is not None
        site, before = explained.site, explained.predicted[0].seconds
        numbers = [n for n in range(1, 513) if gcd(site.M, site.N) % n == 0]
        seconds = {n: site_seconds(site, known, KINDS[conv], n, share=share) for n in numbers}
        fewer = min((n for n in numbers if n <= 16), key=lambda n: seconds[n])
        least = min(numbers, key=lambda n: seconds[n])
        expected = [fewer] if seconds[fewer] < WORTH * seconds[16] else []
        beaten = seconds[fewer] if expected else seconds[16]
        expected += [least] if seconds[least] < WORTH * beaten else []
        assert [one.divisor for one in explained.better] == expected
        for one in explained.better:
            assert one.ratio == pytest.approx(seconds[one.divisor] / before)


def _share(network: Any, conv: str, known: Calibration) -> float:
    rewritten = rewrite(network, Request(KINDS[conv], 16))
    return cold_share(sum(workload(one.op).weights for one in executed(rewritten)), known.machine)


@pytest.mark.usefixtures("heard")
def test_the_table_fits_a_terminal_and_has_a_sentence_for_every_layer(
    stored: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["explain", "vgg11", "--conv", "dual", "--G", "16", "--any-machine"]
    assert run([*words, "--calibration", str(stored)]) == ExitCode.OK
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= 80
    assert "with dual G=16: 7 replaced layers" in shown
    for path in ("features.3", "features.18"):
        assert shown.count(path) >= 2  # in the table, and above its sentence


@pytest.mark.usefixtures("heard")
def test_json_has_the_facts_behind_the_sentence(
    stored: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["explain", "vgg11", "--conv", "dual", "--G", "16", "--any-machine", "--json"]
    layers = ["--layer", "features.1?", "--top", "2"]
    assert run([*words, *layers, "--calibration", str(stored)]) == ExitCode.OK
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == 1
    assert (document["replaced"], len(document["layers"])) == (7, 2)
    for found in document["layers"]:
        after = found["steps"]["after"]
        assert sum(step["macs"] for step in after) == found["macs"]["after"]
        assert sum(step["seconds"] for step in after) == pytest.approx(found["here_s"]["after"])
        ratio = found["predicted_s"]["after"] / found["predicted_s"]["before"]
        assert found["predicted_ratio"] == pytest.approx(ratio)


@pytest.mark.usefixtures("heard")
def test_without_a_calibration_kernels_are_shown_and_the_next_step_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calibrations, "default_path", lambda: tmp_path / "none.json")
    assert run(["explain", "vgg11", "--conv", "dual", "--G", "16"]) == ExitCode.OK
    shown = capsys.readouterr().out
    assert "jit → 2 jit" in shown
    assert "No times are predicted: this machine has not been calibrated" in shown


@pytest.mark.usefixtures("heard")
@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "nothing to explain"),
        (["--conv", "dual", "--G", "4", "--layer", "features.33"], "no replaced layer is called"),
        (["--conv", "dual", "--G", "4", "--time", "3s"], "--time says how long"),
        (["--conv", "dual", "--G", "7"], "is not divisible by G=7"),
        (["--conv", "dual", "--G", "4", "--calibration", "none.json"], "there is no calibration"),
    ],
)
def test_what_does_not_fit_is_one_clear_line(
    words: list[str],
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(calibrations, "default_path", lambda: tmp_path / "none.json")
    assert run(["explain", "vgg11", *words]) == ExitCode.USAGE
    captured = capsys.readouterr()
    assert message in captured.err
    assert not captured.out
