"""`dualcost compare`: layers beside each other, whatever they are called."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.commands import Command
from support.imports import heavy_imports_of, running
from support.networks import asked, conv, linear, network, norm, quickly, site

from dualcost.costs.metrics import BY_LAYER, METRICS
from dualcost.costs.profile import profile
from dualcost.errors import ExitCode, UnknownNameError, UsageError
from dualcost.library import networks as library
from dualcost.network.network import Network
from dualcost.render.profile.json import profile_json
from dualcost.rewrite.request import Request
from dualcost.views.alignment import Alignment, align, compared, shown
from dualcost.views.side import Contender, of_profile, read


def side(traced: Network, rewrite: Request | None = None) -> Contender:
    return of_profile(traced.name, profile(traced, rewrite))


def paths(alignment: Alignment) -> list[tuple[str | None, ...]]:
    return [tuple(one.path if one else None for one in line.layers) for line in alignment.lines]


def chain(*layers: tuple[str, int, int]) -> Network:
    """Convolutions in a row, each (path, M, N), and a classifier."""
    ops = [conv(path, site(M, N), index - 1) for index, (path, M, N) in enumerate(layers)]
    return network(*ops, linear("head", 8, 10, len(ops) - 1))


def test_layers_of_one_name_stand_beside_each_other() -> None:
    traced = chain(("a", 3, 64), ("b", 64, 64))
    lines = align([side(traced), side(traced, asked("dual", 4))]).lines
    assert [line.path for line in lines] == ["a", "b", "head"]
    assert [line.changed for line in lines] == [False, True, False]
    # D_o*D_o*K*K*M*N, and D_o*D_o*N*(K*K*M/G + M)
    assert lines[1].values(METRICS["macs"]) == (64 * 9 * 64 * 64, 64 * 64 * (9 * 64 // 4 + 64))
    assert lines[1].difference(METRICS["macs"]) == 64 * 64 * (9 * 64 // 4 + 64) - 64 * 9 * 64 * 64


def test_renamed_layers_find_each_other_by_order_and_sizes() -> None:
    before = chain(("stem", 3, 8), ("x.0", 8, 8), ("x.1", 8, 16), ("x.2", 16, 16))
    after = chain(("stem", 3, 8), ("y.0", 8, 8), ("y.1", 8, 16), ("y.2", 16, 16))
    alignment = align([side(before), side(after)])
    assert paths(alignment) == [
        ("stem", "stem"), ("x.0", "y.0"), ("x.1", "y.1"), ("x.2", "y.2"), ("head", "head"),
    ]  # fmt: skip
    assert [line.renamed for line in alignment.lines] == ["", "y.0", "y.1", "y.2", ""]
    assert not any(line.changed for line in alignment.lines)


def test_missing_and_new_layers_stand_where_they_run() -> None:
    before = chain(("a", 3, 8), ("gone", 8, 16), ("b", 16, 16))
    after = chain(("a", 3, 8), ("new", 8, 4), ("newer", 4, 16), ("b", 16, 16), ("end", 16, 2))
    assert paths(align([side(before), side(after)])) == [
        ("a", "a"), (None, "new"), (None, "newer"), ("gone", None), ("b", "b"),
        (None, "end"), ("head", "head"),
    ]  # fmt: skip


def test_what_runs_twice_is_matched_run_by_run() -> None:
    ops = [conv("a", site(8, 8)), conv("b", site(8, 8), 0), conv("b", site(8, 8), 1)]
    traced = network(*ops)
    alignment = align([side(traced), side(network(*ops[:2]))])
    assert paths(alignment) == [("a", "a"), ("b", "b"), ("b", None)]


def test_a_replaced_block_stands_beside_all_of_its_layers() -> None:
    traced = library.load("mobilenet_v2")
    rewrite = Request.parse("dual", G=8, where="inverted-residual")
    alignment = align([side(traced), side(traced, rewrite)])
    blocks = [line for line in alignment.lines if line.layers[1] and line.layers[1].block]
    assert len(blocks) == 13  # of 17: those of stride 1
    for line in blocks:
        old, new = line.layers
        assert old is not None
        assert new is not None
        assert (old.path, old.M, old.N) == (new.path, new.M, new.N)
        # expansion (but in the first), depthwise, projection
        assert old.folds == (2 if line.path == "features.1" else 3)
        assert old.cost.macs == sum(
            op.macs for op in traced.ops if op.path.startswith(f"{line.path}.")
        )
    assert all(None not in line.layers for line in alignment.lines)


def test_what_does_not_multiply_is_added_up_by_its_kind() -> None:
    traced = network(
        conv("a", site(3, 8)), norm("n1", 8, 8, 0), conv("b", site(8, 8), 1), norm("n2", 8, 8, 2)
    )
    (line,) = (line for line in align([side(traced)] * 2).lines if line.first.group == "norm")
    assert line.path == "(norm)"
    assert line.values(METRICS["params"]) == (32, 32)  # 2 norms × 8 channels × (weight and bias)


NAMES = ("resnet18", "resnet34", "mobilenet_v2", "vgg11", "densenet121", "inception_v3", "vit_b_16")


@pytest.mark.parametrize("first", NAMES)
def test_lines_add_up_to_the_totals_of_every_side(first: str) -> None:
    sides = [side(library.load(name)) for name in (first, *NAMES[:4])]
    alignment = align(sides)
    for metric in BY_LAYER.values():
        sums = [0] * len(sides)
        for line in alignment.lines:
            for index, value in enumerate(line.values(metric)):
                sums[index] += value or 0
        assert tuple(sums) == alignment.total(metric)
    for index, one in enumerate(sides):  # each layer once, and in order of the first
        found = [line.layers[index] for line in alignment.lines if line.layers[index]]
        assert len(found) == len(one.layers)
        assert {id(layer) for layer in found} == {id(layer) for layer in one.layers}
        if index == 0:
            assert found == list(one.layers)


@quickly
@given(
    st.lists(
        st.lists(
            st.tuples(st.sampled_from("abcde"), st.sampled_from([2, 4]), st.sampled_from([2, 4])),
            min_size=1, max_size=6,
        ),
        min_size=2, max_size=4,
    )
)  # fmt: skip
def test_no_layer_is_lost_or_doubled(chains: list[list[tuple[str, int, int]]]) -> None:
    sides = [
        side(chain(*((f"{i % 2}.{p}", M, N) for i, (p, M, N) in enumerate(c)))) for c in chains
    ]
    alignment = align(sides)
    for index, one in enumerate(sides):
        found = [line.layers[index] for line in alignment.lines if line.layers[index]]
        assert sorted(map(id, found)) == sorted(map(id, one.layers))
    for line in alignment.lines:
        assert len(line.layers) == len(sides)
        assert any(line.layers)
        assert len({layer.group for layer in line.layers if layer}) == 1


def test_a_network_beside_itself_does_not_differ() -> None:
    for name in NAMES:
        alignment = align([side(library.load(name))] * 3)
        assert not any(line.changed for line in alignment.lines)
        assert shown(alignment, changed=True) == ()


def test_a_report_is_the_profile_that_it_was_written_from(tmp_path: Path) -> None:
    for name, rewrite in (
        ("resnet18", Request.parse("dual", G=4)),
        ("mobilenet_v2", Request.parse("het", P=2, where="separable", indivisible="gcd")),
        ("vit_b_16", None),
    ):
        found = profile(library.load(name), rewrite)
        path = tmp_path / "a.json"
        path.write_text(profile_json(found))
        written, direct = read(path), of_profile(str(path), found)
        assert written == direct


def test_layers_of_one_name_are_beside_each_other_whatever_their_sizes() -> None:
    wide = side(library.load("wide_resnet50_2"))
    lines = align([side(library.load("resnet50")), wide]).lines
    assert all(None not in line.layers for line in lines)
    assert all(not line.renamed for line in lines)


def test_two_sides_show_both_metrics_within_80_columns(command: Command) -> None:
    code, out, err = command("compare", "resnet50", "resnet50+dual:G=4", "--changed")
    assert (code, err) == (ExitCode.OK, "")
    lines = out.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[:2] == [
        "A  torchvision:resnet50",
        "B  torchvision:resnet50 with dual G=4 at 16 sites",
    ]
    assert sum("standard→dual" in line for line in lines) == 16
    assert "16 of 58 lines differ, 16 are shown" in out
    (macs,) = (line.split() for line in lines if line.startswith("MACs"))
    assert macs == ["MACs", "4.089", "G", "2.907", "G", "-28.9%"]


def test_three_sides_show_one_metric_within_80_columns(command: Command) -> None:
    words = ("compare", "resnet50+dual:G=2", "resnet50+dual:G=4", "resnet50+het:P=4", "--changed")
    _, out, _ = command(*words)
    assert max(map(len, out.splitlines())) <= 80
    assert "dual G=2→4, het" in out
    _, out, _ = command(*words, "--by", "params", "--top", "2")
    assert "params C" in out
    assert "16 of 58 lines differ, 2 are shown" in out


def test_json_has_every_line_exactly(command: Command) -> None:
    _, out, _ = command("compare", "alexnet", "vgg11", "alexnet+dual:G=2", "--json")
    document = json.loads(out)
    assert document["schema"] == 1
    assert [one["name"] for one in document["contenders"]] == [
        "alexnet",
        "vgg11",
        "alexnet+dual:G=2",
    ]
    assert document["total"]["macs"][0] == 714_188_480
    for metric in ("macs", "params"):
        sums = [sum(line[metric][i] or 0 for line in document["lines"]) for i in range(3)]
        assert sums == document["total"][metric]
    assert document["differ"] == sum(line["changed"] for line in document["lines"]) > 0


def test_the_largest_differences_come_first_on_demand(command: Command) -> None:
    words = ("compare", "resnet50", "resnet50+dual:G=4", "--json", "--sort", "params", "--top", "5")
    lines = json.loads(command(*words)[1])["lines"]
    differences = [abs(line["params"][1] - line["params"][0]) for line in lines]
    assert differences == sorted(differences, reverse=True)
    assert lines[0]["paths"] == ["layer4.0.conv2"] * 2
    assert len(lines) == 5


def test_less_is_green_and_more_is_red(monkeypatch: pytest.MonkeyPatch, command: Command) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    _, out, _ = command("compare", "resnet50", "resnet50+dual:G=4", "--changed")
    assert "\x1b[32m-63.9%" in out
    _, out, _ = command("compare", "resnet50+dual:G=4", "resnet50", "--changed")
    assert "\x1b[31m+176.9%" in out


def test_a_lower_bound_is_marked(tmp_path: Path, command: Command) -> None:
    found = profile(library.load("alexnet"))
    (tmp_path / "a.json").write_text(profile_json(replace(found, unknown={"strange": 1})))
    _, out, _ = command("compare", "a.json", "alexnet")
    assert "MACs ≥" in out


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (["alexnet"], "nothing to compare with", "two or more"),
        (["alexnet", "missing.json"], "cannot read missing.json", "profile -o"),
        (["alexnet", "empty.json"], "empty.json is not the report", "profile -o"),
        (["alexnet", "list.json"], "list.json is not the report", "profile -o"),
        (["alexnet", "newer.json"], "schema 2; this dualcost reads 1", "profile -o"),
        (["alexnet", "alexnet+dual"], "dual needs G", "--G 4"),
        (["alexnet", "alexnet+dual:P=4"], "dual takes G", "--G 4"),
        (["alexnet", "alexnet+dsc:G=4"], "dsc takes neither", "leave --G out"),
        (["alexnet", "+dual:G=4"], "says how to change, but not what", "MODEL+dual:G=4"),
        (["alexnet", "alexnet+duel:G=4"], "'duel'", "did you mean dual"),
        (["alexnet", "alexnet@kernel=3"], "not by what", "@RULE"),
        (["alexnet", "alexnet+dual:G=0"], "G=0", "1, 2, 4"),
        (["alexnet", "alexnet+dual:G=5"], "not divisible", "--indivisible"),
        (["alexnet", "alexnet+dual:G=4@kernal=3"], "'kernal'", "kernel"),
        (["alexnet", "alexnte"], "'alexnte'", "alexnet"),
        (["alexnet", "vgg11", "--by", "mac"], "'mac'", "macs"),
        (["alexnet", "vgg11", "--sort", "mac"], "'mac'", "macs"),
        (["alexnet", "vgg11", "--top", "-1"], "--top -1", "--top 0"),
        (["alexnet", "paper.json"], "different ways: paper, torch", "--convention"),
        (["alexnet", "vgg11", "-o", "missing/a"], "cannot write missing/a", "another"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input_ends_in_one_message_with_a_hint(
    command: Command, tmp_path: Path, arguments: list[str], message: str, hint: str
) -> None:
    report = json.loads(profile_json(profile(library.load("alexnet"))))
    contents: dict[str, Any] = {
        "empty.json": {},
        "list.json": [],
        "newer.json": {**report, "schema": 2},
        "paper.json": {**report, "convention": {"name": "paper"}},
    }
    for name, content in contents.items():
        (tmp_path / name).write_text(json.dumps(content))
    code, out, err = command("compare", *arguments)
    assert (code, out) == (ExitCode.USAGE, "")
    first, second = err.splitlines()
    assert first.startswith("error: ")
    assert second.startswith("hint: ")
    assert message in first
    assert hint in second


def test_one_side_alone_is_refused() -> None:
    with pytest.raises(UsageError, match="nothing to compare with"):
        align([side(chain(("a", 3, 8)))])


def test_a_comparison_of_named_networks_needs_nothing_heavy() -> None:
    assert heavy_imports_of(running("compare resnet50 resnet50+dual:G=4")) == (0, "[]")


def test_lines_show_what_they_are_sorted_by() -> None:
    def names(*words: Any) -> list[str]:
        return [one.name for one in compared(*words)]

    assert names(2) == ["macs", "params"]
    assert names(3) == ["macs"]
    assert names(2, "weights") == ["weight-bytes", "macs"]
    assert names(3, "traffic") == ["traffic"]
    assert names(2, "path", "params") == ["params"]
    assert names(2, "macs", "params") == ["params", "macs"]
    with pytest.raises(UsageError, match="peak-activations is not compared layer by layer"):
        names(2, "peak")
    with pytest.raises(UnknownNameError, match="no order of lines is called 'mcas'"):
        names(2, "mcas")


def test_lines_whose_metrics_have_no_room_lose_the_second(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("compare", "resnet50", "resnet50+dual:G=4", "--top", "3")
    for width, said in ((160, False), (80, False), (60, True)):
        monkeypatch.setenv("COLUMNS", str(width))
        _, out, _ = command(*words)
        lines = out.splitlines()
        assert max(map(len, lines)) <= width
        assert ("no room for params: use a wider terminal or --json" in out) is said
        (heads,) = (line.split() for line in lines if line.startswith("layer "))
        macs = ["layer", "kind", "MACs", "A", "MACs", "B", "change"]
        assert heads == (macs if said else [*macs, "params", "A", "params", "B", "change"])
