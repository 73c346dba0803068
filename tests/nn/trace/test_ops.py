"""What each kind of op multiplies and accumulates: closed forms, and torch's own counter."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support.models import Forward, counted, floats, numel
from support.networks import quickly
from support.ops import CASES
from torch import Tensor, nn

from dualcost.network.network import ELEMENTWISE, FREE, UNKNOWN
from dualcost.nn.trace.trace import trace


@pytest.mark.parametrize("name", CASES)
def test_the_macs_of_every_kind_of_product_are_those_of_its_closed_form(name: str) -> None:
    case = CASES[name]
    model = case.make()
    network = trace(model, case.inputs)
    found = {
        group: sum(op.macs for op in network.ops if op.group == group)
        for group in {op.group for op in network.ops if op.macs} | set(case.macs)
    }
    assert found == case.macs
    assert not [op.name for op in network.ops if op.group == UNKNOWN]
    assert network.params == numel(model)
    if case.witness:
        assert network.macs == counted(model, *case.inputs, device=case.witness)


@quickly
@given(
    st.sampled_from([nn.LSTM, nn.GRU, nn.RNN]),
    st.integers(1, 3),
    st.booleans(),
    st.booleans(),
    st.integers(1, 4),
    st.integers(1, 4),
    st.integers(1, 5),
    st.integers(1, 5),
)
def test_a_recurrent_network_applies_every_matrix_at_every_step(
    kind: type[nn.LSTM] | type[nn.GRU] | type[nn.RNN],
    layers: int,
    both: bool,
    bias: bool,
    batch: int,
    steps: int,
    features: int,
    state: int,
) -> None:
    model = kind(features, state, layers, bias=bias, bidirectional=both)
    network = trace(model, [floats(steps, batch, features)])
    gates = {nn.LSTM: 4, nn.GRU: 3, nn.RNN: 1}[kind]
    directions = 2 if both else 1
    inputs = [features] + [directions * state] * (layers - 1)
    per_step = sum(directions * gates * state * (width + state) for width in inputs)
    assert network.macs == steps * batch * per_step
    assert network.macs == counted(model, floats(steps, batch, features), device="meta")
    assert network.params == numel(model)


def test_a_layer_that_only_changes_a_shape_in_place_is_free() -> None:
    def forward(self: Any, x: Tensor) -> Tensor:
        return (x + 1).unsqueeze_(0).transpose_(0, 1).squeeze_(1)

    network = trace(Forward(forward), [floats(2, 3)])
    assert [(op.name, op.group) for op in network.ops[1:]] == [
        ("unsqueeze_", FREE),
        ("transpose_", FREE),
        ("squeeze_", FREE),
    ]


def test_what_torch_does_not_tag_in_every_form_is_elementwise_in_all() -> None:
    network = trace(Forward(lambda self, x: torch.rsub((x + 1).abs_(), x)), [floats(2)])
    assert [(op.name, op.group) for op in network.ops[1:]] == [
        ("abs_", ELEMENTWISE),
        ("rsub", ELEMENTWISE),
    ]


def test_what_no_rule_counts_is_unknown_and_not_zero() -> None:
    network = trace(Forward(lambda self, x: torch.fft.rfft(x)), [floats(2, 8)])
    assert [op.group for op in network.ops] == [UNKNOWN]


def test_a_profilers_marks_are_no_work() -> None:
    def forward(self: Any, x: Tensor) -> Tensor:
        with torch.profiler.record_function("a part"):
            return x + 1

    assert [op.name for op in trace(Forward(forward), [floats(2)]).ops] == ["add"]
