"""What a budget may limit is read from a profile exactly, and written with its own unit."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.networks import quickly

from dualcost.costs.profile import Profile, profile
from dualcost.errors import UsageError
from dualcost.gate import metrics
from dualcost.library import networks as library
from dualcost.network.network import Network
from dualcost.rewrite.request import Request

NETWORKS = {  # and which sites of it are replaced
    "resnet18": "kernel>1 groups=1",
    "mobilenet_v2": "inverted-residual",
    "mobilenetv1-cifar10": "separable",
    "fasterrcnn_resnet50_fpn": "default",
}


def rewritten(name: str) -> Profile:
    asked = Request.parse("dual", 4, indivisible="keep", where=NETWORKS[name])
    return profile(library.load(name), asked)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_profile_without_its_rewrite_is_the_profile_of_the_network(name: str) -> None:
    plain = profile(library.load(name))
    found = rewritten(name)
    assert found.whole_before == found.unrewritten.whole_after == plain.whole_after
    assert metrics.measured(found.whole_before) != metrics.measured(found.whole_after)


def frozen(network: Network, every: int) -> Network:
    """The network with every n-th parameter frozen."""
    parameters = (
        replace(parameter, trainable=bool(index % every))
        for index, parameter in enumerate(network.parameters)
    )
    return replace(network, parameters=tuple(parameters))


@pytest.mark.parametrize("every", [1, 2, 3])
def test_what_is_frozen_and_replaced_is_trainable_afterwards(every: int) -> None:
    network = frozen(library.load("resnet18"), every)
    asked = Request.parse("dual", 4)
    found = profile(network, asked)
    replaced = {row.path for row in found.rows if row.replaced}
    # a replaced layer's own parameters go with it; all that is frozen besides stays
    left = sum(
        parameter.numel
        for parameter in network.parameters
        if not parameter.trainable and parameter.name.rpartition(".")[0] not in replaced
    )
    assert metrics.measured(found.whole_after)["trainable-params"] == found.after.params - left
    whole = sum(parameter.numel for parameter in network.parameters if parameter.trainable)
    assert metrics.measured(found.whole_before)["trainable-params"] == whole


def test_unknown_ops_are_counted_by_how_often_they_ran() -> None:
    found = replace(profile(library.load("alexnet")), unknown={"a": 2, "b": 3})
    assert metrics.measured(found.whole_after)["unknown-ops"] == 2 + 3


@quickly
@given(st.sampled_from(["", "K", "M", "G"]), st.integers(0, 10**6))
def test_a_count_with_a_prefix_is_exact(prefix: str, number: int) -> None:
    scale = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9}[prefix]
    assert metrics.quantity("macs", f"{number} {prefix}") == number * scale
    assert (
        metrics.quantity("macs", f"{number / 1000:.3f} {prefix}") == Fraction(number, 1000) * scale
    )


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("params", 19_000_000, 19_000_000),
        ("params", "1,000", 1000),
        ("traffic", "1.5 MiB", 1.5 * 2**20),
        ("traffic", "1.5 MB", 1_500_000),
        ("reduction.macs", "12.5 %", Fraction(1, 8)),
        ("latency.cpu", "1.5 ms", Fraction(3, 2000)),
        ("latency.cuda", "250 µs", Fraction(1, 4000)),
        ("latency.estimate", "2 s", 2),
    ],
)
def test_a_quantity_is_read_in_its_canonical_unit(
    name: str, text: str | int, value: Fraction | float
) -> None:
    assert metrics.quantity(name, text) == value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("params", "12 MiB"),
        ("params", "-3"),
        ("params", "many"),
        ("traffic", "12 M"),
        ("traffic", 12),
        ("latency.cpu", "12"),
        ("latency.cpu", "12 min"),
        ("reduction.macs", "0.25"),
    ],
)
def test_a_quantity_without_its_unit_is_refused(name: str, text: str | int) -> None:
    with pytest.raises(UsageError):
        metrics.quantity(name, text)


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("params", 18_326_568, "18.33 M"),
        ("params", -5, "-5"),
        ("traffic", -(3 * 2**20), "-3.000 MiB"),
        ("traffic", 0, "0 B"),
        ("reduction.macs", Fraction(1, 8), "12.5 %"),
        ("reduction.macs", Fraction(-1, 4), "-25 %"),
        ("latency.cpu", 0.0125, "12.50 ms"),
        ("latency.cpu", 0.0, "0 s"),
    ],
)
def test_a_value_is_said_in_its_unit(name: str, value: Fraction | float, text: str) -> None:
    assert metrics.said(name, value) == text
