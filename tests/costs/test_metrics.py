"""Each metric is what its record says, and is read alike wherever users name it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from support.commands import Command

from dualcost.costs.closedform import closed_form
from dualcost.costs.metrics import (
    ADDED,
    ALIASES,
    BY_LAYER,
    CLOSED,
    COMPARED,
    EXACT,
    KEPT,
    METRICS,
    Metric,
    metric,
)  # fmt: skip
from dualcost.costs.profile import profile
from dualcost.errors import ExitCode, UnknownNameError, UsageError
from dualcost.gate import metrics as gated
from dualcost.library import networks as library
from dualcost.network.cost import CONVENTIONS
from dualcost.rewrite.request import Request
from dualcost.search.constraint import Constraint
from dualcost.search.fit.budget import budget
from dualcost.views.order import SORTS, known

# and which sites of it are replaced
NETWORKS = {
    "resnet18": "default",
    "mobilenet_v2": "inverted-residual",
    "mobilenetv1-cifar10": "separable",
    "densenet121": "default",
    "fasterrcnn_resnet50_fpn": "default",
}
READERS: dict[str, Callable[[str], object]] = {
    "a constraint": lambda name: Constraint.parse(f"{name} <= 1").metric.name,
    "a budget of fit": lambda name: budget(f"{name} <= 1").metric.name,
    "an axis": lambda name: metric(name, COMPARED).name,
    "a side of a comparison": lambda name: metric(name, BY_LAYER).name,
}


def test_names_keys_and_aliases_are_not_shared() -> None:
    names = [*METRICS, *ALIASES]
    assert len(set(names)) == len(names)
    assert len({one.key for one in METRICS.values()}) == len(METRICS)
    assert ALIASES == {"weights": "weight-bytes", "peak": "peak-activations"}


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("convention", CONVENTIONS)
def test_what_adds_up_is_the_sum_of_its_layers(network: str, convention: str) -> None:
    rewrite = Request.parse("dual", 4, where=NETWORKS[network], indivisible="keep")
    found = profile(library.load(network), rewrite, CONVENTIONS[convention])
    for one in ADDED.values():
        assert sum(one.of_cost(row.before) for row in found.rows) == one.of(found.whole_before)
        assert sum(one.of_cost(row.after) for row in found.rows) == one.of(found.whole_after)


def test_what_does_not_add_up_is_said_to_be_so() -> None:
    found = profile(library.load("resnet18"))
    assert [*(EXACT.keys() - ADDED.keys())] != []
    for name in EXACT.keys() - ADDED.keys():
        with pytest.raises(AttributeError):  # a layer has none
            EXACT[name].of_cost(found.rows[0].after)


@pytest.mark.parametrize("name", CLOSED)
@pytest.mark.parametrize("network", ["resnet18", "mobilenet_v2", "vgg16"])
def test_a_closed_form_has_the_value_of_the_profile(network: str, name: str) -> None:
    traced = library.load(network)
    where = "inverted-residual" if network == "mobilenet_v2" else "default"
    form = closed_form(traced, Request.parse("dual", where=where, open=True))
    for G in form.divisors:
        found = profile(traced, Request.parse("dual", G, where=where))
        assert form.sum(name).at({"G": G}) == CLOSED[name].of(found.whole_after)


def test_flops_have_a_closed_form_only_where_they_are_twice_the_macs() -> None:
    traced = library.load("resnet18")
    assert {*closed_form(traced).sums} == {*CLOSED}
    counted = closed_form(traced, None, CONVENTIONS["all"])
    assert {*counted.sums} == {*CLOSED} - {"flops"}
    with pytest.raises(UsageError, match="flops has no closed form"):
        counted.sum("flops")


@pytest.mark.parametrize("place", READERS)
def test_an_unknown_metric_is_told_the_same_names_everywhere(place: str) -> None:
    with pytest.raises(UnknownNameError, match="no metric is called 'wieght-bytes'") as refused:
        READERS[place]("wieght-bytes")
    assert refused.value.hint == f"did you mean weight-bytes? metrics: {', '.join(METRICS)}"


@pytest.mark.parametrize(("alias", "name"), ALIASES.items())
def test_an_alias_is_read_wherever_its_metric_is(alias: str, name: str) -> None:
    assert Constraint.parse(f"{alias} <= 1 MiB").metric is METRICS[name]
    assert metric(alias, COMPARED) is METRICS[name]
    assert gated.check(alias) == gated.canonical(alias) == name
    assert gated.check(f"reduction.{alias}") == f"reduction.{name}"
    if METRICS[name].adds_up:
        assert budget(f"{alias}=1MiB").metric is METRICS[name]
        assert metric(alias, BY_LAYER) is METRICS[name]
    if name in SORTS:
        assert known(alias) == name


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["compare", "alexnet", "vgg11", "--by", "peak"],
            "peak-activations is not a metric of layers",
        ),
        (["compare", "alexnet", "vgg11", "--by", "flops"], "flops is not a metric of layers"),
        (["sweep", "alexnet", "--x", "flops"], "flops is not an axis of a sweep"),
        (["solve", "alexnet", "latency <= 1", "--conv", "dual"], "latency is not a count"),
        (["fit", "alexnet", "--budget", "peak=1MiB"], "peak-activations is not what layers add up"),
    ],
)
def test_a_metric_that_has_no_place_here_is_known_all_the_same(
    command: Command, words: list[str], message: str
) -> None:
    code, out, err = command(*words)
    assert (code, out) == (ExitCode.USAGE, "")
    assert message in err


def test_what_lock_files_keep_is_exact() -> None:
    assert KEPT.items() <= EXACT.items()


def test_a_record_without_a_field_of_cost_reads_a_whole_network() -> None:
    whole = profile(library.load("alexnet")).whole_after
    twice = Metric("twice", "twice", "", "", "", whole=lambda whole: 2 * whole.peak_bytes)
    assert (twice.adds_up, twice.stored, twice.of(whole)) == (False, False, 2 * whole.peak_bytes)
