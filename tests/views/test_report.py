"""Reports as facts and as text: sums, equations, escapes, names of files, and what is refused."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.calibrations import linear_calibration
from support.commands import Command
from support.networks import asked, conv, dual_macs, mobile, network, norm, plain, quickly, site

from dualcost.costs.profile import REMOVED, Profile, Row, profile
from dualcost.costs.timed import timed
from dualcost.errors import ExitCode
from dualcost.kinds.choice import Choice
from dualcost.kinds.kinds import KINDS
from dualcost.latency import calibration as calibrations
from dualcost.library import networks as library
from dualcost.network.cost import CONVENTIONS, Cost
from dualcost.network.network import GROUPS, UNKNOWN, Network
from dualcost.render.glossary import GLOSSARY
from dualcost.render.html.equations import worked
from dualcost.render.html.layers import label
from dualcost.render.html.page import network_page
from dualcost.render.html.summary import bars
from dualcost.render.html.template import SCRIPTS
from dualcost.rewrite.request import Request
from dualcost.views.listing import MORE
from dualcost.views.report import Counting, report
from dualcost.views.substitution import substitutions
from dualcost.views.tree import Branch, frontier, module_tree

pytestmark = pytest.mark.usefixtures("warm_python")

CALIBRATION = linear_calibration()
SIDES = ("before", "after")
REWRITES = [
    ("resnet50", {"conv": "dual", "G": 4}),
    ("vgg16", {"conv": "het", "P": 4}),
    ("resnet18", {"conv": "dsc"}),
    ("resnet18", {"conv": "group", "G": 8}),
    ("resnet18", {"conv": "standard"}),
    ("mobilenet_v2", {"conv": "dual", "G": 8, "where": "inverted-residual"}),
    ("inception_v3", {"conv": "dual", "G": 2, "indivisible": "keep"}),  # kernels of 1×7
    ("r3d_18", {"conv": "het", "P": 2}),  # three dimensions
]


def as_it_is(name: str, **words: Any) -> Profile:
    return profile(library.load(name), Request.parse(**words) if words else None)


def total(branches: Any) -> tuple[Cost, Cost]:
    rows = [branch.row for branch in branches]
    return sum((row.before for row in rows), Cost()), sum((row.after for row in rows), Cost())


small = st.integers(0, 3)
costs = st.builds(Cost, macs=small, params=small, traffic=small)
paths = st.lists(st.sampled_from("ab1"), max_size=3).map(".".join)
some_rows = st.builds(
    Row,
    path=paths,
    module=st.just(""),
    op=st.sampled_from(["add", "conv"]),
    group=st.sampled_from(GROUPS),
    before=costs,
    after=costs,
    becomes=st.sampled_from([None, Choice(KINDS["dual"], 4), REMOVED]),
)


@given(st.lists(some_rows, max_size=12))
@quickly
def test_a_tree_adds_up_whatever_ran_where(rows: list[Row]) -> None:
    tree = module_tree(rows)
    before, after = (sum((getattr(row, side) for row in rows), Cost()) for side in SIDES)
    assert total(tree.leaves) == (before, after) == total([tree])
    for _, branch in tree.walk():
        if not branch.leaf:
            assert total(branch.leaves) == (branch.row.before, branch.row.after)


@pytest.mark.parametrize(("name", "words"), REWRITES)
def test_every_module_of_a_rewritten_network_is_the_sum_of_its_twigs(
    name: str, words: dict[str, Any]
) -> None:
    result = as_it_is(name, **words)
    tree = module_tree(result.rows)
    assert (tree.row.before, tree.row.after) == (result.before, result.after)
    for _, branch in tree.walk():
        if not branch.leaf:
            assert total(branch.twigs) == (branch.row.before, branch.row.after)
    assert sum(leaf.row.replaced for leaf in tree.leaves) == result.replaced


def test_a_walk_tells_the_module_of_each_branch() -> None:
    tree = module_tree(as_it_is("resnet18").rows)
    walked = [*tree.walk()]
    for index, (parent, branch) in enumerate(walked):
        assert parent < index
        holder = tree if parent < 0 else walked[parent][1]
        assert branch in holder.twigs
        assert branch.path == holder.path or branch.path.startswith(holder.path)


def test_what_does_not_multiply_is_one_leaf_for_each_module_and_group() -> None:
    found = network(
        conv("a.one", site(3, 4)),
        plain("relu", "activation", (1, 4, 8, 8), 0, path="a.act"),
        plain("relu", "activation", (1, 4, 8, 8), 1, path="a.act"),
        plain("add", "elementwise", (1, 4, 8, 8), 1, 2, path="a"),
        # a view has no memory of its own
        replace(plain("view", "free", (1, 4, 8, 8), 3, path="a"), memory=((0, -1),)),
    )
    (module,) = module_tree(profile(found).rows).twigs
    assert [(label(one), one.row.folds) for one in module.twigs] == [
        ("one", 1), ("act", 2), ("(add)", 1)
    ]  # fmt: skip


def test_times_before_and_after_add_up_too() -> None:
    loaded = library.load("resnet18")
    found = report(loaded, asked("dual", 4), calibration=CALIBRATION)
    predicted = found.profile.latency
    assert predicted is not None
    assert found.tree.before is not None and found.tree.row.time is not None
    assert found.tree.before.seconds == pytest.approx(predicted.before.seconds)
    assert found.tree.row.time.seconds == pytest.approx(predicted.after.seconds)
    # as the profile of the network as it is has them, row by row
    plainly = timed(profile(loaded), loaded, CALIBRATION)
    by_path: dict[str, float] = {}
    for row in plainly.rows:
        by_path[row.path] = by_path.get(row.path, 0) + (row.time.seconds if row.time else 0)
    for leaf in found.tree.leaves:
        if sum(one.path == leaf.path for one in found.tree.leaves) == 1 and leaf.before:
            assert leaf.before.seconds == pytest.approx(by_path[leaf.path])
    assert found.roofline is not None


@pytest.mark.parametrize("name", ["resnet50", "vgg16", "mobilenet_v2", "vit_b_16", "densenet121"])
def test_the_modules_at_a_glance_are_few_and_all_of_it(name: str) -> None:
    result = as_it_is(name)
    shown = frontier(module_tree(result.rows))
    before, after = total(shown)
    assert (before.macs, before.params) == (result.before.macs, result.before.params)
    assert (after.macs, after.params) == (result.after.macs, result.after.params)
    assert 6 <= len(shown) <= 25


def test_many_modules_at_a_glance_end_in_the_rest() -> None:
    found = network(*(conv(f"layer{index}", site(2, 2 + index)) for index in range(30)))
    shown = frontier(module_tree(profile(found).rows))
    assert len(shown) == 25
    assert (shown[-1].path, shown[-1].row.group, shown[-1].row.folds) == ("", MORE, 6)  # of 30
    assert bars(shown, profile(found))[-1].name == "the rest"
    assert total(shown)[0] == profile(found).before
    assert [one.path for one in shown[:-1]] == [f"layer{index}" for index in range(6, 30)]


@pytest.mark.parametrize(("name", "words"), REWRITES)
def test_every_equation_gives_what_the_profile_counts(name: str, words: dict[str, Any]) -> None:
    result = as_it_is(name, **words)
    found = substitutions(result)
    assert found
    assert sum(len(one.paths) for one in found) == result.replaced
    replaced = Counter(row.path for row in result.rows if row.replaced)
    assert Counter(path for one in found for path in one.paths) == replaced
    for one in found:
        assert one.agrees
        assert one.value == one.macs
    convolutions = sum(row.after.macs for row in result.rows if row.replaced)
    assert sum(len(one.paths) * (one.value or 0) for one in found) == convolutions


def test_an_equation_shows_the_numbers_where_its_letters_stand() -> None:
    found = network(conv("a", site(3, 4)), conv("b", site(64, 64, side=56), 0))
    (one,) = substitutions(profile(found, asked("dual", 4)))
    assert one.value == 56 * 56 * (3 * 3 * 64 * 64 // 4 + 64 * 64)  # D_o²·(K²·M·N/G + M·N)
    shown = worked(one)
    assert shown.number == 4
    assert shown.value == "41,746,432"
    assert re.findall(r"<mn>(\d+)</mn>", shown.worked) == [
        "56", "2", "64", "64", "56", "2", "3", "2", "64", "64", "4"
    ]  # fmt: skip
    assert "<mi>" not in shown.worked
    assert re.findall(r"<mi>(\w)</mi>", shown.form) == [*"DoMNDoKMNG"]


def test_maps_and_kernels_that_are_no_squares_and_batches_are_written_out() -> None:
    at = replace(site(4, 8, kernel=(1, 7), batch=3), in_size=(5, 9), out_size=(5, 9))
    found = network(conv("a", site(3, 4)), conv("b", at, 0))
    (one,) = substitutions(profile(found, asked("group", 2, where="kernel>1 first=no")))
    assert one.value == 3 * 5 * 9 * (1 * 7) * 4 * 8 // 2
    numbers = re.findall(r"<mn>(\d+)</mn>", worked(one).worked)
    assert numbers == ["3", "5", "9", "1", "7", "4", "8", "2"]


def test_a_transposed_chain_has_no_equation_and_a_transposed_sum_has() -> None:
    found = network(
        conv("a", site(3, 4)),
        conv("b", site(4, 8, stride=2, transposed=True), 0),
        norm("n", 8, 16, 1),
    )
    everywhere = "kernel>1 first=no"
    (chain,) = substitutions(profile(found, asked("dsc", where=everywhere)))
    assert chain.value is None
    assert worked(chain).number == 0
    (both,) = substitutions(profile(found, asked("dual", 2, where=everywhere)))
    assert both.agrees
    assert both.value == dual_macs(4, 8, 2)  # from every input position, 8×8
    assert "positions of the input" in worked(both).about


def test_what_ran_is_all_that_ran_and_says_what_became_of_it() -> None:
    loaded = library.load("vit_b_16")
    by_group = {one.group: one for one in report(loaded).ran}
    assert sum(one.times for one in by_group.values()) == len(loaded.ops)
    assert by_group["matmul"].counted is Counting.COUNTED
    paper = {one.group: one for one in report(loaded, convention=CONVENTIONS["paper"]).ran}
    assert paper["matmul"].counted is Counting.LEFT_OUT
    every = {one.group: one for one in report(loaded, convention=CONVENTIONS["all"]).ran}
    assert every["norm"].counted is Counting.BESIDES
    assert by_group["norm"].counted is by_group["free"].counted is Counting.NO_MACS


def test_an_unknown_op_makes_a_lower_bound_that_is_said() -> None:
    odd = plain("mystery", UNKNOWN, (1, 4, 8, 8), 0, path="odd")
    page = page_of(network(conv("a", site(3, 4)), odd))
    counts = ("≥ 6912", "≥ 13.82 K")  # 8*8*3*3*3*4 MACs, and twice as many FLOPs
    assert all(count in page for count in counts)
    assert re.search(r"<tfoot>.*>≥ 6912<.*</tfoot>", page, re.DOTALL)
    assert "mystery (1)" in page
    assert "lower bound" in page


class Elements(HTMLParser):
    """Checks that elements nest; keeps scripts, titles and the data."""

    VOID = ("meta", "link", "input", "br", "line", "polyline", "circle")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: Counter[str] = Counter()
        self.text: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen[tag] += 1
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag, self.getpos()

    def handle_data(self, data: str) -> None:
        self.text.append((self.open[-1] if self.open else "", data))


def parsed(page: str) -> Elements:
    found = Elements()
    found.feed(page)
    found.close()
    assert found.open == []
    return found


def page_of(found: Network, rewrite: Request | None = None, **words: Any) -> str:
    return network_page(report(found, rewrite, **words), "dualcost report hand-made")


WICKED = "</script><script>alert('&\"')</script>"


def test_what_users_name_is_shown_and_never_run() -> None:
    ops = (
        conv(WICKED, site(3, 4), module=WICKED),
        conv("inside." + WICKED, site(4, 4), 0),
        plain(WICKED, UNKNOWN, (1, 4, 8, 8), 1, path=WICKED),
    )
    found = replace(network(*ops), name=WICKED, notes=(WICKED,), versions={"torch": WICKED})
    page = network_page(report(found, asked("dual", 2), calibration=CALIBRATION), WICKED, WICKED)
    elements = parsed(page)
    assert elements.seen["script"] == 1 + len(SCRIPTS)
    assert elements.seen["main"] == 1
    assert WICKED not in page
    assert WICKED in "".join(text for tag, text in elements.text if tag == "h1")
    assert WICKED in "".join(text for tag, text in elements.text if tag == "code")
    (data,) = (text for tag, text in elements.text if tag == "script" and '"schema"' in text)
    assert json.loads(data)["icicle"]["name"] == WICKED


def test_names_of_a_comparison_are_shown_and_never_run(command: Command) -> None:
    for name in ("a&b<i>.json", "c.json"):
        assert command("profile", "resnet18", "-o", name)[0] == ExitCode.OK
        document = json.loads(Path(name).read_text())
        document["network"] = WICKED
        document["rows"][0]["path"] = WICKED
        Path(name).write_text(json.dumps(document))
    code, _, err = command("report", "a&b<i>.json", "c.json")
    assert (code, err.split(",")[0]) == (0, "dualcost: wrote a-b-i-vs-c.html")
    page = Path("a-b-i-vs-c.html").read_text()
    assert parsed(page).seen["script"] == 1 + len(SCRIPTS)
    assert WICKED not in page
    assert "<i>" not in page


def test_the_scripts_and_the_style_close_no_element_and_ask_for_nothing() -> None:
    assets = files("dualcost.render.html").joinpath("assets")
    for name in (*SCRIPTS, "page.css"):
        text = assets.joinpath(name).read_text()
        assert "</" not in text
        assert not re.search(r"https?:|//\w|@import|url\(|fetch|XMLHttp|WebSocket|eval\(", text)


@pytest.mark.parametrize(("name", "words"), [*REWRITES[:3], ("vit_b_16", {}), ("swin_t", {})])
def test_pages_are_small_well_formed_and_the_same_every_time(
    name: str, words: dict[str, Any]
) -> None:
    loaded = library.load(name)
    rewrite = Request.parse(**words) if words else None
    page = page_of(loaded, rewrite, calibration=CALIBRATION)
    assert page == page_of(loaded, rewrite, calibration=CALIBRATION)
    assert len(page.encode()) < 600_000
    elements = parsed(page)
    result = profile(loaded, rewrite)
    assert f"{result.after.macs:,}" in page
    assert f"{result.before.params:,}" in page
    leaves = module_tree(timed(result, loaded, CALIBRATION).rows).leaves
    assert elements.seen["tr"] > len(leaves)
    assert not re.search(r"(?:src|href)=\"(?!#|data:,\")", page)


def test_the_largest_page_is_small_too() -> None:
    page = page_of(library.load("resnet152"), asked("dual", 4), calibration=CALIBRATION)
    assert len(page.encode()) < 600_000


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["resnet18"], "resnet18.html"),
        (["torchvision:resnet18"], "resnet18.html"),
        (["resnet18", "--conv", "dual", "--G", "4"], "resnet18-dual-G4.html"),
        (["zoo:vgg16-cifar10", "--conv", "dsc"], "zoo-vgg16-cifar10-dsc.html"),
        (["resnet18", "resnet18+het:P=4"], "resnet18-vs-resnet18-het-P4.html"),
    ],
)
def test_a_page_is_named_after_what_it_shows(command: Command, words: list[str], name: str) -> None:
    code, out, err = command("report", *words)
    assert (code, out) == (ExitCode.OK, "")
    said, size = err.removesuffix(" KiB\n").split(", ")
    assert said == f"dualcost: wrote {name}"
    assert float(size) == pytest.approx(Path(name).stat().st_size / 1024, rel=1e-3)
    assert [path.name for path in Path().glob("*.html")] == [name]


def test_the_page_says_how_it_was_made_so_that_a_shell_makes_it_again(command: Command) -> None:
    words = ["report", "resnet18", "--conv", "dual", "--G", "4", "--where", "M>=128 path=layer*"]
    assert command(*words, "-o", "one page.html")[0] == ExitCode.OK
    code = "".join(
        text for tag, text in parsed(Path("one page.html").read_text()).text if tag == "code"
    )
    assert (
        "dualcost report resnet18 --conv dual --G 4 --where 'M>=128 path=layer*' -o 'one page.html'"
    ) in code


def test_without_a_calibration_the_page_says_which_command_makes_one(
    command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert command("report", "resnet18")[0] == ExitCode.OK
    page = Path("resnet18.html").read_text()
    assert "this machine has not been calibrated: run `dualcost calibrate` (about a minute)" in page
    assert 'class="roofline"' not in page


def test_a_calibration_of_another_machine_is_left_out_with_its_reason(
    command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    calibrations.write(CALIBRATION, calibrations.default_path())
    assert command("report", "resnet18")[0] == ExitCode.OK
    assert "the calibration is of another machine" in Path("resnet18.html").read_text()
    code, _, err = command("report", "resnet18", "--channels-last")
    assert code == ExitCode.USAGE
    assert "the calibration is of another machine" in err
    assert command("report", "resnet18", "--any-machine")[0] == ExitCode.OK
    page = Path("resnet18.html").read_text()
    assert 'class="roofline"' in page
    assert "this calibration was not compared with this machine" in page


def test_others_stand_beside_the_count_where_they_are_asked(command: Command) -> None:
    words = ["report", "resnet18", "--conv", "dual", "--G", "4", "--no-latency", "--verify"]
    assert command(*words)[0] == ExitCode.OK
    page = Path("resnet18-dual-G4.html").read_text()
    result = as_it_is("resnet18", conv="dual", G=4)
    witnesses = re.findall(r"<td class=\"n\">([\d,]+)</td><td class=\"n\">([\d,]+)</td>", page)
    assert (f"{result.after.params:,}",) * 2 in witnesses
    for name in ("fvcore", "torch&#39;s FlopCounterMode", "sum(p.numel())"):
        assert name in page
    assert "unexplained" not in re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL)


@pytest.mark.parametrize(
    ("words", "said", "hint"),
    [
        ([], "MODEL is missing", "dualcost report resnet50"),
        (["resnt18"], "no model is called 'resnt18'", "did you mean resnet18"),
        (["resnet18", "--conv", "dul"], "no kind of convolution is called 'dul'", "dual"),
        (["resnet18", "--conv", "dual"], "dual needs G", "--G 4"),
        (["resnet18", "--G", "4"], "--G says how to replace", "--conv"),
        (["resnet18", "--conv", "dual", "--G", "3"], "M=64 is not divisible by G=3", "gcd"),
        (["resnet18", "-o", "nowhere/page.html"], "cannot write nowhere/page.html", "folder"),
        (["resnet18", "-o", "."], "cannot write .: it is a folder", "another file"),
        (["one.json"], "cannot read one.json", "dualcost profile -o"),
        (["other.json"], "other.json is not the report of a profile", "profile -o"),
        (["one.json", "two.json"], "cannot read one.json", "dualcost profile -o"),
        (["resnet18", "other.json"], "other.json is not the report of a profile", "profile -o"),
        (["resnet18", "vgg11", "--verify"], "--verify goes with one model", "leave it out"),
        (["resnet18", "--no-latency", "--any-machine"], "--any-machine says how", "--no-latency"),
        (["resnet18", "--verify", "--rules", "x.py"], "--verify builds the model", "--rules"),
        (["resnet18", "--convention", "mine"], "no convention is called 'mine'", "known"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_one_line_and_a_hint(
    command: Command, words: list[str], said: str, hint: str
) -> None:
    Path("other.json").write_text('{"schema": 1, "rows": []}')
    code, out, err = command("report", *words)
    assert (code, out) == (ExitCode.USAGE, "")
    lines = err.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("error: ") and said in lines[0]
    assert lines[1].startswith("hint: ") and hint in lines[1]
    assert not [*Path().glob("*.html")]


def test_a_report_of_another_convention_is_not_compared(command: Command) -> None:
    assert command("profile", "resnet18", "--convention", "paper", "-o", "paper.json")[0] == 0
    code, _, err = command("report", "resnet18", "paper.json")
    assert code == ExitCode.USAGE
    assert "counted in different ways" in err
    assert command("report", "resnet18", "paper.json", "--convention", "paper")[0] == ExitCode.OK


def test_one_report_alone_is_nothing_to_show(command: Command) -> None:
    assert command("profile", "resnet18", "-o", "one.json")[0] == ExitCode.OK
    code, _, err = command("report", "one.json")
    assert code == ExitCode.USAGE
    assert "one.json is one report" in err and "a second report" in err


def test_blocks_that_are_replaced_stand_in_their_module() -> None:
    found = network(*mobile(4, 8, 4))
    tree = module_tree(profile(found).rows)
    assert [label(branch) for branch in tree.twigs] == ["stem", "b", "(2 × activation)", "head"]
    names: dict[str, Branch] = {branch.path: branch for branch in tree.twigs}
    assert [twig.name for twig in names["b"].twigs] == [
        "expand", "norm1", "depth", "norm2", "project", "norm3"
    ]  # fmt: skip


def test_a_page_says_what_its_words_mean_and_each_column_which_side_it_is_of(
    command: Command,
) -> None:
    assert command("report", "resnet18", "--conv", "dual", "--G", "4", "--no-latency")[0] == 0
    page = Path("resnet18-dual-G4.html").read_text()
    anchors = re.findall(r'<dt id="word-([a-z-]+)">', page)
    assert anchors == sorted(anchors)
    assert len({*anchors}) == len(GLOSSARY) == 12
    assert page.count('href="#words"') == 2  # in the contents, and above the table of layers
    titles = re.findall(r'<button type="button" title="[^"]*">([^<]*)</button></th>', page)
    assert [one for one in titles if "MACs" in one] == ["MACs before", "MACs after", "of MACs"]
    assert [one for one in titles if "params" in one] == ["params before", "params after"]
