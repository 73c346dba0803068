"""Sites that become dearer are counted, and the term that is named leaves exactly them out."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.networks import conv, network, quickly, site

from dualcost.costs.dearer import Dearer
from dualcost.costs.profile import profile
from dualcost.errors import UsageError
from dualcost.library import networks as library
from dualcost.network.network import Network
from dualcost.render.profile import heading
from dualcost.render.profile.json import profile_json
from dualcost.rewrite.request import Request
from dualcost.rewrite.rule import Term

WHERE = ("default", "kernel>0 first=no", "groups=1 first=no", "separable", "inverted-residual")


def costly(net: Network, request: Request) -> set[str]:
    """The paths of dearer sites, by the recipe alone; of networks without blocks."""
    return {
        op.path
        for index, op in enumerate(net.ops)
        if op.site
        and index not in net.first
        and (cost := request.kind.at(op.site, request.divisor))
        and (cost.macs > op.site.macs or cost.params > op.site.weights + op.site.N * op.site.bias)
    }


@st.composite
def nets(draw: st.DrawFn) -> Network:
    ops = [conv("stem", site(3, 8))]
    for index in range(draw(st.integers(1, 6))):
        shape = site(
            draw(st.sampled_from((8, 16, 32))),
            draw(st.sampled_from((8, 16, 32))),
            draw(st.sampled_from((1, 2, 3))),
            stride=draw(st.sampled_from((1, 2))),
            groups=draw(st.sampled_from((1, 8))),
        )
        ops.append(conv(f"c{index}", shape, index))
    return network(*ops)


@quickly
@given(nets(), st.sampled_from(("dual", "group", "dsc")), st.sampled_from((1, 2, 8)))
def test_the_dearer_sites_are_those_whose_recipe_costs_more(
    net: Network, kind: str, number: int
) -> None:
    G = None if kind == "dsc" else number
    request = Request.parse(kind, G, where="kernel>0 first=no")
    found = profile(net, request).dearer
    assert (found.sites if found else 0) == len(costly(net, request))
    if found is None or found.term is None:
        return
    left = profile(net, Request.parse(kind, G, where=f"{request.rule} {found.term}"))
    assert left.dearer is None
    assert left.replaced == len(net.ops) - 1 - found.sites - found.others > 0


@pytest.mark.parametrize("name", ["resnet50", "mobilenet_v2", "googlenet", "mnasnet0_5"])
@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize(
    "words", [{"conv": "dual", "G": 8}, {"conv": "het", "P": 2}, {"conv": "dsc"}]
)
def test_the_term_leaves_them_out_of_whole_networks(
    name: str, where: str, words: dict[str, object]
) -> None:
    net = library.load(name)
    try:
        before = profile(net, Request.parse(**words, where=where, indivisible="keep"))  # type: ignore[arg-type]
    except UsageError:  # nothing matches
        return
    if before.dearer is None or before.dearer.term is None:
        return
    rule = f"{where} {before.dearer.term}"
    after = profile(net, Request.parse(**words, where=rule, indivisible="keep"))  # type: ignore[arg-type]
    assert after.dearer is None
    lost = before.dearer.sites + before.dearer.others
    assert after.replaced == before.replaced - lost


def test_the_pointwise_convolutions_of_a_resnet_are_left_out_by_their_kernel() -> None:
    net = library.load("resnet50")
    found = profile(net, Request.parse("dual", 4, where="groups=1 first=no"))
    # of 53 convolutions one is the stem, and 16 are 3×3
    assert found.dearer == Dearer(36, Term("kernel", ">", ("1",)), 0)
    assert ("dearer", DEARER) in heading.question(found)
    assert json.loads(profile_json(found))["rewrite"]["dearer"] == {
        "sites": 36, "term": "kernel>1", "others": 0,
    }  # fmt: skip
    usual = profile(net, Request.parse("dual", 4, where="path=layer3.*"))
    assert usual.dearer is None and usual.replaced == 6
    assert found.unrewritten.dearer is None


DEARER = "36 sites cost more than before: kernel>1 would leave them out"


def test_where_all_become_dearer_no_term_is_named() -> None:
    found = profile(library.load("resnet50"), Request.parse("dual", 1))
    assert found.dearer == Dearer(16)
    assert heading.question(found)[-1] == (
        "dearer",
        "16 sites cost more than before",
    )


def test_a_term_that_loses_others_says_how_many() -> None:
    net = network(
        conv("stem", site(3, 8)),
        conv("a", site(8, 8), 0),
        conv("b", site(8, 16, 1), 1),
        conv("c", site(16, 8), 2),
    )
    found = profile(net, Request.parse("dual", 8, where="groups=1 first=no"))
    assert found.dearer == Dearer(1, Term("kernel", ">", ("1",)), 0)
    shown = replace(found, dearer=replace(found.dearer, others=2))
    assert heading.question(shown)[-1][1].endswith("kernel>1 would leave it out, and 2 cheaper")
