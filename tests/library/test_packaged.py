"""The packaged traces are what the installed libraries and this tracer give, network by network."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from support.families import EXAMPLES, in_turn

from dualcost.library import networks as library
from dualcost.network.network import UNKNOWN, Network, Op
from dualcost.nn.sources.sources import from_torchvision, from_zoo, torchvision_names
from dualcost.nn.zoo import ZOO

SOURCES = {
    **{f"zoo:{name}": from_zoo for name in ZOO},
    **{f"torchvision:{name}": from_torchvision for name in torchvision_names()},
}


def per_box(op: Op) -> tuple[Any, ...]:
    """An op of a detector's head, for one of the boxes: how many there are depends on values."""
    rows = op.in_shapes[0][0]
    assert op.macs % rows == 0
    return (
        op.name,
        op.path,
        op.module,
        op.group,
        op.macs // rows,
        op.parameters,
        op.in_shapes[0][1:],
        op.out_shapes[0][1:],
        op.site and replace(op.site, batch=1),
    )


def sure(network: Network) -> tuple[Any, ...]:
    """What does not depend on values: the layers and what they read, but not the boxes between."""
    layers = [
        per_box(op) if op.path.startswith("roi_heads.") else replace(op, inputs=(), memory=())
        for op in network.ops
        if op.macs or op.parameters
    ]
    first_note, *_ = network.notes
    whole = network.name, network.inputs, network.parameters, network.buffers, network.blocks
    return *whole, first_note, layers


@pytest.mark.parametrize(
    "name",
    [
        in_turn(name, daily=name.startswith("zoo:") or name.partition(":")[2] in EXAMPLES)
        for name in sorted(SOURCES)
    ],
)
def test_a_packaged_network_is_what_a_new_trace_finds(name: str) -> None:
    packaged = library.load(name)
    bare = name.partition(":")[2]
    traced = SOURCES[name](bare).trace()
    again = f"run `python scripts/pack_traces.py {bare}`"
    if traced.notes and packaged.notes:
        assert sure(traced) == sure(packaged), again
    else:
        assert replace(traced, versions={}) == replace(packaged, versions={}), again


def test_every_example_is_a_network() -> None:
    assert set(torchvision_names()) > EXAMPLES


def test_every_network_is_packaged_and_nothing_else() -> None:
    packaged = {f"{origin}:{name}" for origin in library.ORIGINS for name in library.names(origin)}
    assert packaged == set(SOURCES), "run `python scripts/pack_traces.py`"


def test_every_op_of_a_packaged_network_is_known() -> None:
    unknown = {
        (name, op.name) for name in SOURCES for op in library.load(name).ops if op.group == UNKNOWN
    }
    assert unknown == set()


def test_a_two_stage_detector_says_how_many_boxes_its_heads_ran_on() -> None:
    noted = {
        header.name.removeprefix("torchvision:"): header.notes
        for header in library.headers()
        if header.notes
    }
    two_stage = {name: notes for name, notes in noted.items() if "rcnn" in name}
    assert (len(noted), len(two_stage)) == (12, 7)
    for name, notes in noted.items():
        assert notes[0].startswith("run on real tensors with random inputs, because ")
        assert len(notes) == (2 if name in two_stage else 1), name
    for name, (_, boxes) in two_stage.items():
        found = {part: int(rows) for rows, part in re.findall(r"(\d+) in (\w+)", boxes)}
        # what the region proposal network keeps at most, and how many of those are detections
        assert 0 < found.pop("box_head") <= (150 if "320" in name else 1000)
        assert all(0 < rows <= 100 for rows in found.values())
        second = {"mask_head"} if "mask" in name else {"keypoint_head"} if "key" in name else set()
        assert set(found) == second
