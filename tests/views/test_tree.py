"""Trees of modules: what stands below a module adds up to it, and all together to the network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dualcost.costs.profile import NEVER_RUN, Profile, Row, profile
from dualcost.errors import UsageError
from dualcost.library import networks as library
from dualcost.network.cost import CONVENTIONS, Cost
from dualcost.render.profile.columns import place
from dualcost.render.profile.layers import label
from dualcost.render.rewrite import becomes
from dualcost.rewrite.request import Request
from dualcost.views.listing import FOLDED, MORE, counts, listing
from dualcost.views.order import SORTS
from dualcost.views.tree import LINES, OWN, Entry, folded, module_tree, outline

NETWORKS = ("resnet50", "vit_b_16", "mobilenet_v2", "densenet121", "swin_t", "zoo:yolov3-voc")


def profiled(name: str, asked: Request | None = None, convention: str = "torch") -> Profile:
    return profile(library.load(name), asked, CONVENTIONS[convention])


def below(entries: Sequence[Entry]) -> Iterator[tuple[Entry, list[Entry]]]:
    """Each open entry, and the entries that stand directly below it."""
    for index, entry in enumerate(entries):
        if entry.open:
            inner = []
            for one in entries[index + 1 :]:
                if len(one.ends) <= len(entry.ends):
                    break
                inner.append(one)
            yield entry, [one for one in inner if len(one.ends) == len(entry.ends) + 1]


def added(entries: Sequence[Entry]) -> tuple[Cost, Cost, int, list[int]]:
    rows = [entry.row for entry in entries]
    return (
        sum((row.before for row in rows), Cost()),
        sum((row.after for row in rows), Cost()),
        sum(row.folds for row in rows),
        sorted(index for row in rows for index in row.ops),
    )


def check(rows: Sequence[Row], entries: Sequence[Entry]) -> None:
    """The left side and the leaves add up to the rows; each module's inside adds up to it."""
    before = sum((row.before for row in rows), Cost())
    after = sum((row.after for row in rows), Cost())
    # traffic and activations also have the rows that count nothing, which no table lists
    wanted = [(cost.macs, cost.params, cost.operations) for cost in (before, after)]
    for some in (
        [entry for entry in entries if not entry.ends],
        [entry for entry in entries if not entry.open],
    ):
        found = added(some)[:2]
        assert [(cost.macs, cost.params, cost.operations) for cost in found] == wanted
        ops = added(some)[3]
        assert len(ops) == len(set(ops))  # no op stands in two of them
    for module, inner in below(entries):
        assert len(inner) > 1
        assert added(inner) == added([module])


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("depth", [0, 1, 2, 3, 9])
def test_what_stands_below_a_module_adds_up_to_it(name: str, depth: int) -> None:
    for convention in ("torch", "all"):
        for sort, top in (("order", 0), ("macs", 2), ("path", 1)):
            result = profiled(name, convention=convention)
            check(result.rows, outline(result, depth, sort, top).entries)


def test_what_is_replaced_adds_up_before_and_after() -> None:
    result = profiled("mobilenet_v2", Request.parse("dual", 8, where="inverted-residual"))
    for depth in (1, 2, 3, 4):
        check(result.rows, outline(result, depth).entries)
    (whole,) = outline(result, 0).entries
    assert (whole.row.before.macs, whole.row.after.macs) == (300_774_272, 146_944_064)
    assert becomes(whole.row.becomes) == "13 × dual G=8"


PATHS = st.lists(st.sampled_from(["", "a", "b", "0", "long"]), max_size=4).map(
    lambda parts: ".".join(filter(None, parts))
)


@given(
    st.lists(st.tuples(PATHS, st.integers(0, 5), st.integers(0, 5)), max_size=24),
    st.integers(0, 5),
    st.sampled_from([*SORTS]),
    st.integers(0, 4),
)
def test_any_rows_make_a_tree_that_adds_up(
    given_rows: list[tuple[str, int, int]], depth: int, sort: str, top: int
) -> None:
    rows = [
        Row(path, "", "conv2d", "convolution", Cost(macs, params), Cost(macs, 2 * params),
            ops=(index,))
        for index, (path, macs, params) in enumerate(given_rows)
    ]  # fmt: skip
    entries = folded(module_tree([row for row in rows if counts(row)]), depth, sort, top)
    check(rows, entries)
    for _, inner in below(entries):
        assert [one.ends[-1] for one in inner] == [False] * (len(inner) - 1) + [True]
        assert not top or len(inner) <= top + 1


@pytest.mark.parametrize("name", NETWORKS)
def test_names_along_the_guides_are_the_path(name: str) -> None:
    above: list[str] = []
    for entry in outline(profiled(name), 3).entries:
        above[len(entry.ends) :] = [entry.name]
        path = ".".join(part for part in above if part != OWN)
        assert path == entry.row.path


def test_a_module_with_one_thing_in_it_shares_its_line() -> None:
    names = [entry.name for entry in outline(profiled("vit_b_16"), 2).entries]
    # heads has one layer; encoder has its position embedding, layers and a norm
    assert names == ["conv_proj", OWN, "encoder", OWN, "layers", "ln", "heads.head"]


def test_a_short_network_is_listed_layer_by_layer() -> None:
    result = profiled("vgg16")
    found = outline(result)
    assert (found.depth, found.chosen) == (None, False)
    assert [entry.row for entry in found.entries] == [*listing(result)]


@pytest.mark.parametrize("name", NETWORKS)
def test_a_long_network_is_folded_as_deep_as_lines_allow(name: str) -> None:
    result = profiled(name)
    found = outline(result)
    assert found.chosen
    assert found.depth is not None
    assert len(found.entries) <= LINES < len(outline(result, found.depth + 1).entries)
    assert found.entries == outline(result, found.depth).entries
    assert [entry.row for entry in outline(result, top=0).entries] == [*listing(result)]


def test_of_a_long_network_that_is_sorted_the_first_layers_are_shown() -> None:
    found = outline(profiled("resnet50"), sort="macs")
    *layers, rest = (entry.row for entry in found.entries)
    assert len(layers) == LINES
    assert rest.group == MORE
    assert min(row.after.macs for row in layers) == 51_380_224  # 56*56*64*256, a pointwise one
    check(profiled("resnet50").rows, found.entries)


def test_a_network_without_modules_is_cut_where_it_would_be_too_long() -> None:
    rows = [
        Row(str(index), "", "conv2d", "convolution", Cost(9, 1), Cost(9, 1), ops=(index,))
        for index in range(67)
    ]
    flat = Profile("flat", (), CONVENTIONS["torch"], tuple(rows))
    *layers, rest = outline(flat).entries
    assert len(layers) == LINES
    assert (label(rest), rest.row.after.macs) == ("and 37 more", 37 * 9)


def test_a_rest_counts_what_is_replaced_in_modules_too() -> None:
    result = profiled("resnet50", Request.parse("dual", 4))
    rows = [one.row for one in outline(result, 1, top=3).entries]
    rests = {becomes(row.becomes) for row in rows if row.group == MORE}
    # conv1, bn1 and layer1 with three blocks are shown; 16 sites in all
    assert rests == {"13 × dual G=4"}
    assert becomes(listing(result, 1, top=3)[-1].becomes) == "13 × dual G=4"


def test_a_fold_is_a_number_and_a_group_that_rendering_puts_into_text() -> None:
    rows = [
        Row(str(index), "", "relu", group, Cost(0, 1), Cost(0, 1), ops=(index,))
        for index, group in enumerate(["norm", "norm", NEVER_RUN, "embedding", "embedding"])
    ]
    folds = listing(Profile("flat", (), CONVENTIONS["torch"], tuple(rows)), sort="path", top=2)
    assert [(row.path, row.group, row.folded, row.folds) for row in folds] == [
        ("", FOLDED, NEVER_RUN, 1), ("", FOLDED, "embedding", 2), ("", MORE, "", 2)
    ]  # fmt: skip
    assert [place(row) for row in folds] == [
        "1 × parameter never run", "2 × embedding", "and 2 more"
    ]  # fmt: skip


def test_a_negative_depth_is_refused() -> None:
    with pytest.raises(UsageError, match="--depth -1 is negative"):
        outline(profiled("alexnet"), -1)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_terminal_and_a_page_say_the_same_of_a_module(name: str) -> None:
    counted = [row for row in profiled(name).rows if counts(row)]
    tree = module_tree(counted)
    page = {branch.path: branch.row for _, branch in tree.walk() if not branch.leaf}
    terminal = {entry.row.path: entry.row for entry in folded(tree, 99) if entry.open}
    assert len(terminal) > 1
    assert {path: page[path] for path in terminal} == terminal
