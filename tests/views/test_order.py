"""Rows are sorted by what users name, and shares are of what rows are sorted by."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.calibrations import linear_calibration
from support.commands import Command

from dualcost.costs.memory import live, peak
from dualcost.costs.metrics import ADDED, ALIASES, METRICS
from dualcost.costs.profile import Profile, profile
from dualcost.costs.timed import timed
from dualcost.errors import ExitCode, UnknownNameError, UsageError
from dualcost.library import networks as library
from dualcost.network.network import Network
from dualcost.render.profile.columns import columns
from dualcost.rewrite.request import Request
from dualcost.rewrite.rewrite import rewrite
from dualcost.views.listing import listing
from dualcost.views.order import AMOUNTS, SORTS, WORDS, amount, key, known
from dualcost.views.tree import outline

# and which sites of it are replaced
NETWORKS = {"resnet18": "default", "mobilenet_v2": "inverted-residual", "densenet121": "default"}


def request(name: str) -> Request:
    return Request.parse("dual", 4, where=NETWORKS[name], indivisible="keep")


def predicted(name: str, asked: Request | None = None) -> Profile:
    network = library.load(name)
    return timed(profile(network, asked), network, linear_calibration())


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("sort", AMOUNTS)
def test_the_rows_that_are_shown_have_the_whole_of_what_they_are_sorted_by(
    name: str, sort: str
) -> None:
    found = predicted(name, request(name))
    measured = amount(found, sort)
    amounts = [measured.of(row) for row in listing(found, None, sort)]
    assert amounts == sorted(amounts, reverse=True)
    whole = measured.whole(found)
    if sort == "peak-activations":  # the largest is the peak: nothing adds up
        assert max(amounts) == whole == found.peak[1].nbytes
    else:
        assert sum(amounts) == pytest.approx(whole)
        for depth in (1, 3):
            left = [one.row for one in outline(found, depth, sort).entries if not one.ends]
            assert sum(map(measured.of, left)) == pytest.approx(whole)
    shares = [measured.share(found, row) for row in listing(found, None, sort)]
    assert shares == [one / whole if whole else None for one in amounts]


def test_every_metric_that_layers_have_is_an_order_and_so_is_every_alias_of_it() -> None:
    assert {*SORTS} == {"order", "path", "saved", "latency", "peak-activations", *ADDED}
    assert WORDS == {**ALIASES, "time": "latency"}
    assert {known(word) for word in WORDS} <= {*SORTS}


def test_what_only_a_whole_network_has_is_refused_with_its_reason() -> None:
    for name in METRICS.keys() - {*SORTS}:
        with pytest.raises(UsageError, match=f"{name} is a number of the whole network"):
            key(name)
    with pytest.raises(UnknownNameError, match="no order of rows is called 'mcas'"):
        key("mcas")


def test_without_a_prediction_there_is_no_time_to_sort_by() -> None:
    found = profile(library.load("resnet18"))
    with pytest.raises(UsageError, match="not predicted") as refused:
        amount(found, "time")
    assert refused.value.hint == "add --latency"
    # with one it is what shares are of, unless rows are sorted by something else
    assert amount(predicted("resnet18")) is AMOUNTS["latency"]
    assert amount(predicted("resnet18"), "params") is AMOUNTS["params"]
    assert amount(found, "path") is AMOUNTS["macs"]


def lives_by_hand(network: Network) -> list[int]:
    """Each result lives from its op until what is said to free it; the inputs always do."""
    given = sum(spec.nbytes for spec in network.inputs)
    end = len(network.ops)
    return [
        given
        + sum(
            nbytes
            for made, op in enumerate(network.ops)
            for nbytes, free in op.memory
            if made <= index < (free if free >= 0 else end)
        )
        for index in range(end)
    ]


@pytest.mark.parametrize("name", NETWORKS)
def test_a_row_has_what_lives_while_it_runs(name: str) -> None:
    network = library.load(name)
    wanted = lives_by_hand(network)
    found = profile(network)
    assert live(network) == wanted
    assert [row.live_bytes for row in found.rows if row.ops] == wanted
    rewritten = rewrite(network, request(name))
    assert peak(network, rewritten.replacements).nbytes == max(
        row.live_bytes for row in profile(network, request(name)).rows
    )


@pytest.mark.parametrize("sort", SORTS)
def test_what_is_sorted_by_has_a_column_and_shares_that_say_of_what(sort: str) -> None:
    timed_profile = predicted("resnet18", request("resnet18"))
    for found in (timed_profile, replace(timed_profile, latency=None)):
        if sort == "latency" and found.latency is None:
            continue
        shown = columns(found, sort)
        (share,) = (one for one in shown if one.part is not None)
        titles = [one.title for one in shown]
        assert len({*titles}) == len(titles)
        measured = amount(found, sort)
        row = found.rows[0]
        assert share.part is not None
        assert share.part(found, row) == measured.share(found, row)
        # no column is of one side of the rewrite without a word
        macs = {one for one in titles if one.startswith("MACs")}
        assert macs - {"MACs saved"} == {"MACs before", "MACs after"}


def test_a_table_is_sorted_by_an_alias(command: Command) -> None:
    code, out, _ = command("profile", "resnet18", "--sort", "peak", "--top", "3")
    assert code == ExitCode.OK
    assert (
        command("profile", "resnet18", "--sort", "peak-activations", "--top", "3")[1].replace(
            "peak-activations", "peak"
        )
        == out
    )
    assert "of peak" in out
    assert "100.0% ████████" in out
