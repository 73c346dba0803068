"""`dualcost paper latency`: printed ratios, how races are run, the forms, and a real race."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
import torch
from support.commands import Command
from support.paper_races import ALL_TABLES, as_printed, backbone, raced
from support.races import HERE
from update_docs import ROOT

import dualcost.paper.latency
from dualcost.cli.commands.paper.latency import devices
from dualcost.errors import ExitCode, UnmeasuredError
from dualcost.lab import bench as contest
from dualcost.lab.measurement import Comparison
from dualcost.lab.race import EAGER, GRAPH, Conditions, Race, Variant
from dualcost.library import networks as library
from dualcost.paper.latency import Backbone, Result, backbones, measure
from dualcost.paper.orderings import FAILS, HOLDS, ORDERINGS, WITHIN
from dualcost.paper.tables import printed_rows, row
from dualcost.render.paper.latency import latency_csv, latency_json, latency_sheets
from dualcost.render.paper.tables import sheet_markdown, sheets_table
from dualcost.render.terminal import as_text

pytestmark = pytest.mark.usefixtures("warm_python")

CELLS = {
    fields["id"]: fields
    for fields in csv.DictReader(io.StringIO((ROOT / "dualcost/paper/tables.csv").read_text()))
}


# --------------------------------------------------------------------- what is raced, as printed


def test_the_ratios_of_all_printed_times_are_those_of_the_cells() -> None:
    seen = 0
    for one in backbones(ALL_TABLES):
        for entry in {entry.row.id: entry for entry in one.entries}.values():
            for device, column in (("cpu", "cpu_ms"), ("cuda", "gpu_ms")):
                cells = [CELLS[row.id][column] for row in (entry.row, one.standard)]
                ratio = one.printed(entry.row, device)
                if all(cells):
                    seen += 1
                    assert ratio == pytest.approx(float(Fraction(cells[0]) / Fraction(cells[1])))
                else:
                    assert ratio is None
    # 64 cells are printed, two of them of pruned networks (ThiNet) that nobody can build
    assert seen == 64 - 2


def test_some_ratios_read_from_the_paper_by_hand() -> None:
    resnet, yolo = backbone("ResNet-50"), backbone("YOLO-V3")
    assert resnet.printed(row("table5-resnet50-het-P4"), "cpu") == 92.83 / 99.21
    assert resnet.printed(row("table5-resnet50-group-G2"), "cuda") == 1.22 / 1.34
    assert yolo.printed(row("table7-yolov3-dual-G4"), "cuda") == 19.79 / 26.66
    assert yolo.printed(row("table7-yolov3-dual-G4"), "cpu") is None
    vgg = backbone("VGG-16")
    assert vgg.printed(row("table5-vgg16-dual-G16"), "cpu") == 148.61 / 307.96
    assert vgg.printed(row("table5-vgg16-het-P4"), "cpu") is None


def test_what_is_raced_is_the_rewrite_of_the_row_and_het_in_both_forms() -> None:
    found = backbones(ALL_TABLES)
    names = ["VGG-16", "ResNet-50", "MobileNetV1", "MobileNetV2", "YOLO-V3"]
    assert [one.name for one in found] == names
    raced_rows = []
    for one in found:
        assert one.network in library.names("zoo")
        assert one.entries[0].variant == Variant()
        for entry in one.entries:
            assert entry.variant.request == entry.row.rewrite
            assert entry.row.network == one.network
            raced_rows.append((entry.row.id, entry.implementation))
    known = [row for row in printed_rows() if row.table in ALL_TABLES and not row.quoted]
    het = [row.id for row in known if row.kind == "het"]
    assert het == ["table5-vgg16-het-P4", "table5-resnet50-het-P4", "table6-mobilenetv1-het-P4"]
    expected = {(row.id, "") for row in known if row.id not in het}
    expected |= {(id, form) for id in het for form in ("grouped", "branches")}
    assert set(raced_rows) == expected
    assert len(raced_rows) == len(expected)


def test_every_ordering_is_of_two_rows_of_one_network_and_printed_as_it_says() -> None:
    for ordering in ORDERINGS:
        for fast, slow in ordering.pairs:
            assert row(fast).network == row(slow).network
            assert float(CELLS[fast]["cpu_ms"]) < float(CELLS[slow]["cpu_ms"])
        for fast, slow in ordering.further:
            assert row(fast).network == row(slow).network


# -------------------------------------------------------------------------------- measuring


def test_a_race_that_does_not_fit_is_split_and_ratios_across_races_are_quotients() -> None:
    resnet = backbone("ResNet-50")
    times = {str(entry.variant): 0.5 + 0.05 * n for n, entry in enumerate(resnet.entries)}
    said: list[str] = []

    def start(of: Backbone, variants: Sequence[Variant], device: str) -> Comparison:
        if len(variants) > 2:
            raise UnmeasuredError("9 models need much memory")
        return raced(of, {str(one): times[str(one)] for one in variants}, noise=1e-3)

    (result,) = measure([resnet], ["cpu"], start, said.append)
    assert len(result.comparisons) == 4
    assert len(said) == 3  # 8 into 4 and 4, each of them into 2 and 2
    assert "ResNet-50: 9 models need much memory; two smaller races" in said[0]
    places = result.places(EAGER)
    assert [place.entry for place in places] == list(resnet.entries)
    for faster in places[1:]:
        for slower in places[1:]:
            ratio = slower.over(faster)
            expected = times[str(slower.entry.variant)] / times[str(faster.entry.variant)]
            assert ratio.value == pytest.approx(expected, rel=3e-3)
            if slower.comparison is not faster.comparison:
                shares = [
                    place.standing.undisturbed.half_width / place.standing.undisturbed.value
                    for place in (slower, faster)
                ]
                assert ratio.half_width == pytest.approx(ratio.value * math.hypot(*shares))


def test_a_pair_that_does_not_fit_is_an_error() -> None:
    def start(of: Backbone, variants: Sequence[Variant], device: str) -> Comparison:
        raise UnmeasuredError("2 models need much memory")

    with pytest.raises(UnmeasuredError, match="2 models"):
        measure([backbone("VGG-16")], ["cpu"], start)


def test_what_was_measured_before_an_interruption_is_kept() -> None:
    found = backbones(("VI",))

    def start(of: Backbone, variants: Sequence[Variant], device: str) -> Comparison:
        if of is found[1]:
            raise KeyboardInterrupt
        return raced(of, as_printed(of))

    (kept,) = measure(found, ["cpu"], start)
    assert kept.backbone is found[0]
    with pytest.raises(KeyboardInterrupt):
        measure(found[1:], ["cpu"], start)

    started: list[str] = []

    def interrupted(of: Backbone, variants: Sequence[Variant], device: str) -> Comparison:
        started.append(of.name)
        return raced(of, as_printed(of), ended="interrupted")

    assert len(measure(found, ["cpu", "cuda"], interrupted)) == 1
    assert started == ["MobileNetV1"]


# -------------------------------------------------------------------------------- the forms


def results_of_both_devices() -> list[Result]:
    found = []
    for device, modes in (("cpu", (EAGER,)), ("cuda", (EAGER, GRAPH))):
        for one in backbones(("VI",)):
            times = as_printed(one)
            race = raced(one, times, conditions=Conditions(device), modes=modes)
            found.append(Result(one, (race,)))
    return found


def test_the_table_has_a_column_for_each_mode_and_fits_80() -> None:
    results = results_of_both_devices()
    text = as_text(lambda width: sheets_table(latency_sheets(results)), None)
    lines = text.splitlines()
    assert max(map(len, lines)) <= 80
    titles = [line for line in lines if line.startswith("Table ")]
    assert titles == [
        f"Table VI: times over that of {name}, on the {device} here"
        for device in ("CPU", "GPU")
        for name in ("MobileNetV1", "MobileNetV2")
    ]
    heads = [line.split() for line in lines if line.startswith("row ")]
    assert heads[0] == ["row", "MACs", "here", "i7-8700", "V100"]
    assert heads[2] == ["row", "MACs", "eager", "CUDA", "graph", "V100", "i7-8700"]
    (standard,) = [line.split() for line in lines[: lines.index(titles[1])] if " 1 " in line][:1]
    assert standard == ["MobileNetV1", "1.000", "1", "1.000", "1.000"]
    # 55.33 and 0.97 ms of 21.73 and 0.80 ms
    (het,) = [line for line in lines[: lines.index(titles[1])] if "HC_P4, branches" in line]
    assert het.split()[-2:] == ["2.546", "1.212"]
    assert "MobileNetV2, GPU CUDA" in text
    no_ms = text.replace("rounds in 1.500 s", "")
    assert " ms" not in no_ms  # ratios alone


def test_one_mode_that_did_not_run_is_left_out() -> None:
    one = backbone("MobileNetV2")
    race = raced(one, as_printed(one), conditions=Conditions("cuda"), modes=(EAGER, GRAPH))
    eager = replace(race, runs=tuple(run for run in race.runs if run.contender.mode == EAGER))
    lines = sheet_markdown(latency_sheets([Result(one, (eager,))])[0]).splitlines()
    assert "| row | MACs | here | V100 | i7-8700 |" in lines


def test_json_and_csv_have_a_record_for_each_row_form_and_mode() -> None:
    results = results_of_both_devices()
    document = json.loads(latency_json(results))
    assert document["schema"] == 1
    # 9 of MobileNetV1 (het twice) and 6 of MobileNetV2; on the GPU in two modes
    assert len(document["rows"]) == (9 + 6) * 3
    assert [race["conditions"]["device"] for race in document["races"]] == ["cpu"] * 2 + [
        "cuda"
    ] * 2
    assert document["races"][0]["machine"]["fingerprint"] == HERE.fingerprint
    assert {order["verdict"] for order in document["orderings"]} <= {HOLDS, FAILS, WITHIN}
    assert len(document["orderings"]) == 5 * 3
    records = list(csv.DictReader(io.StringIO(latency_csv(results))))
    for record, other in zip(records, document["rows"], strict=True):
        assert record["id"] == other["id"]
        assert float(record["ratio"]) == other["ratio"]
        assert other["ratio_low"] <= other["ratio"] <= other["ratio_high"]
    assert not [key for key in document["rows"][0] if key.endswith(("_s", "_ms"))]


# ------------------------------------------------------------------------- the command line


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Table VI with four networks, of the size of CIFAR-10."""
    ids = ("original", "group-G2", "het-P4", "dual-G2", "dual-G4")
    rows = [replace(row(f"table6-mobilenetv1-{id}"), network="mobilenetv1-cifar10") for id in ids]
    monkeypatch.setattr(dualcost.paper.latency, "printed_rows", lambda: rows)


@pytest.mark.usefixtures("small")
def test_small_networks_are_really_raced(command: Command, tmp_path: Path) -> None:
    words = ("--time", "1s", "--device", "cpu", "--json", "-o", "found.json")
    code, out, err = command("paper", "latency", "VI", *words)
    assert (code, out) == (ExitCode.OK, "")
    assert "dualcost: MobileNetV1, cpu: 6 models in turn, at most 5.000 s" in err
    document = json.loads((tmp_path / "found.json").read_text())
    (race,) = document["races"]
    assert race["network"] == "mobilenetv1-cifar10"
    assert race["rounds"] >= 2
    assert race["controls"][EAGER]["value"] != 1  # a copy of the first really ran
    assert [record["implementation"] for record in document["rows"]] == [
        "", "", "grouped", "branches", "", "",
    ]  # fmt: skip
    first, *others = document["rows"]
    assert (first["ratio"], first["macs_ratio"]) == (1, 1)
    for record in others:  # each has more than twice the multiply-accumulates
        assert record["macs_ratio"] > 2
        assert 0 < record["ratio_low"] <= record["ratio"] <= record["ratio_high"]
    assert len(document["orderings"]) == 3
    assert {one["count"] for one in document["correlations"]} == {5}


@pytest.fixture
def two_networks(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Race]]:
    """Races of a machine that is interrupted after the first of Table VI."""
    asked: list[Race] = []
    vi = backbones(("VI",))

    def run(race: Race, watch: contest.Watcher) -> Comparison:
        asked.append(race)
        watch(contest.Progress("measuring", 3, 2.5))
        one = vi[len(asked) - 1]
        return raced(one, as_printed(one), ended="target" if len(asked) < 2 else "interrupted")

    monkeypatch.setattr(contest, "run", run)
    yield asked


def test_ctrl_c_prints_what_is_done_and_says_so_in_its_exit_code(
    command: Command, two_networks: list[Race]
) -> None:
    code, out, _ = command("paper", "latency", "--time", "3s", "--device", "cpu", "VI")
    assert code == ExitCode.INTERRUPTED
    assert "times over that of MobileNetV2" in out
    assert "interrupted" in out
    # 3 s for each of 8 variants, and of 5
    assert [race.budget_s for race in two_networks] == [24, 15]
    assert [len(race.contenders) for race in two_networks] == [
        10,
        7,
    ]  # with the first, and its copy
    assert {race.contenders[0].model for race in two_networks} == {
        "zoo:mobilenetv1-imagenet", "zoo:mobilenetv2-imagenet",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (("latency", "I"), "table I prints no times", "table5"),
        (("latency", "table8"), "'table8'", "table5"),
        (("latency", "--time", "never"), "'never' is not a time", "60s"),
        (("V", "--time", "3s"), "--time and --device say how latency", "latency"),
        (("latency", "--json", "--csv"), "--json and --format csv", "choose one"),
        (("latency", "-o", "missing/found.json"), "cannot write missing/found.json", "folder"),
    ],
)
def test_words_that_do_not_fit_end_in_a_message_with_a_hint(
    command: Command, words: tuple[str, ...], message: str, hint: str
) -> None:
    code, out, err = command("paper", *words)
    assert (code, out) == (ExitCode.USAGE, "")
    assert message in err.splitlines()[0]
    assert hint in err.splitlines()[1]


def test_a_gpu_is_measured_too_where_there_is_one() -> None:
    assert devices() == ["cpu", *["cuda"] * torch.cuda.is_available()]
