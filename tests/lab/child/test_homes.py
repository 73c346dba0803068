"""Weights that move: each is what it was, where nothing else lies, as views and ties are."""

from __future__ import annotations

import copy
from collections.abc import Generator
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import nn

from dualcost import process
from dualcost.errors import UnmeasuredError
from dualcost.lab import bench as contest
from dualcost.lab.child.homes import ALIGNED, Homes
from dualcost.lab.child.lanes import Loaded, lane
from dualcost.lab.race import HOMES, HOMES_BYTES, Conditions, Contender, Race
from dualcost.network.network import TensorSpec

MIB = 2**20


class Tangled(nn.Module):
    """Ties, views of one another, expanded, empty, strided and integer tensors."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Conv2d(3, 8, 3).to(memory_format=torch.channels_last)
        self.norm = nn.BatchNorm2d(8)
        self.encode = nn.Linear(5, 7, bias=False)
        self.decode = nn.Linear(5, 7, bias=False)
        self.decode.weight = self.encode.weight
        whole = torch.arange(24, dtype=torch.float64).reshape(4, 6)
        self.register_buffer("whole", whole)
        self.register_buffer("column", whole[:, 2])
        self.register_buffer("expanded", torch.rand(1, 4).expand(3, 4))
        self.register_buffer("empty", torch.empty(0))
        self.register_buffer("short", torch.rand(3).half())


def tensors(model: nn.Module) -> dict[str, torch.Tensor]:
    return {
        **dict(model.named_parameters(remove_duplicate=False)),
        **dict(model.named_buffers(remove_duplicate=False)),
    }


@pytest.mark.parametrize("count", [1, 3])
def test_what_moves_is_what_it_was(count: int) -> None:
    model = Tangled()
    before = {name: (one, copy.deepcopy(one)) for name, one in tensors(model).items()}
    places = {name: one.data_ptr() for name, (one, _) in before.items()}
    homes = Homes(model, count)
    for _ in range(7):
        homes.move()
        for name, (same, then) in before.items():
            now = tensors(model)[name]
            assert now is same
            assert torch.equal(now, then)
            assert now.stride() == then.stride()
            assert now.numel() == 0 or now.data_ptr() != places[name]
            places[name] = now.data_ptr()


def test_each_lies_apart_and_aligned_but_for_views_which_remain() -> None:
    model = Tangled()
    Homes(model, 2).move()
    assert model.decode.weight is model.encode.weight
    found = tensors(model)
    assert found["column"].data_ptr() == found["whole"].data_ptr() + 2 * 8
    found["whole"][1, 2] = -1
    assert found["column"][1] == -1
    found["expanded"] = found["expanded"][0]
    spans = sorted(
        (one.data_ptr(), one.data_ptr() + one.nbytes)
        for name, one in found.items()
        if name not in ("column", "decode.weight", "empty")
    )
    assert all(start % ALIGNED == 0 for start, _ in spans)
    assert all(end <= start for (_, end), (start, _) in pairwise(spans))


def test_what_a_forward_writes_moves_along() -> None:
    model, image = Tangled(), torch.rand(2, 3, 6, 6)
    homes = Homes(model, 2)
    homes.move()
    expected = copy.deepcopy(model)
    for _ in range(3):
        torch.testing.assert_close(
            model.norm(model.first(image)), expected.norm(expected.first(image)), rtol=0, atol=0
        )
        homes.move()
    then, now = tensors(expected), tensors(model)
    assert now["norm.num_batches_tracked"] == 3
    assert torch.equal(now["norm.running_mean"], then["norm.running_mean"])


def test_in_inference_mode_and_without_weights() -> None:
    with torch.inference_mode():
        model = Tangled().eval()
        image = torch.rand(1, 3, 8, 8)
        then = model.norm(model.first(image))
        homes = Homes(model, 2)
        for _ in range(3):
            homes.move()
            assert torch.equal(model.norm(model.first(image)), then)
    Homes(nn.ReLU(), 2).move()


@pytest.mark.parametrize(
    ("weights", "conditions", "homes"),
    [
        ([10 * MIB, 7 * MIB, 10 * MIB], Conditions(), HOMES),
        ([100 * MIB, 70 * MIB, 100 * MIB], Conditions(), 7),
        ([HOMES_BYTES // 2, 1], Conditions(), 0),  # one home alone is none
        ([0, 0], Conditions(), HOMES),
        ([10 * MIB], Conditions(compile=True), 0),  # a compiled model holds its weights itself
        ([10 * MIB], Conditions(device="cuda"), 0),
    ],
)
def test_all_homes_of_a_race_fit_into_their_share(
    weights: list[int], conditions: Conditions, homes: int
) -> None:
    race = Race(tuple(Contender("zoo:net", (), weight_bytes=one) for one in weights), conditions)
    assert race.homes == homes
    assert race.homes * race.weight_bytes <= HOMES_BYTES


@pytest.mark.parametrize(
    ("free", "homes"),
    [(10**12, 6), (8 * MIB, 0), (4 * 300 * MIB, 2), (9 * 300 * MIB, 4)],
)
def test_homes_take_half_of_the_memory_that_a_race_leaves(
    free: int, homes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = Race((Contender("zoo:net", (), weight_bytes=300 * MIB, activation_bytes=MIB),))
    needed = contest.LIBRARIES_BYTES + 301 * MIB
    requests: list[dict[str, Any]] = []

    def events(module: str, request: dict[str, Any], threads: int) -> Generator[dict[str, Any]]:
        requests.append(request)
        yield {"ended": "budget"}

    monkeypatch.setattr(process, "events", events)
    monkeypatch.setattr(contest, "_available", lambda: iter([needed + free, 10**13]))
    with pytest.raises(UnmeasuredError, match="ended before it measured"):
        contest.run(asked)
    assert Race.from_json(requests[0]).homes == homes
    monkeypatch.setattr(contest, "_available", lambda: iter([needed - 1]))
    with pytest.raises(UnmeasuredError, match="are available"):
        contest.run(asked)
    assert len(requests) == 1


def test_a_contender_moves_alone_if_its_race_has_homes() -> None:
    plain = Contender("zoo:vgg16-cifar10", (TensorSpec((1, 3, 32, 32)),), weight_bytes=1)
    equals = (plain, replace(plain, control=True))
    with torch.inference_mode():
        loaded = Loaded(Conditions())
        for one in equals:
            loaded.build(one)
        first, control = (lane(loaded, one, Race(equals)) for one in equals)
        then = [(one, one.data_ptr(), one.clone()) for one in first.model.parameters()]
        others = [one.data_ptr() for one in control.model.parameters()]
        first.move()
        assert all(one.data_ptr() != place and torch.equal(one, same) for one, place, same in then)
        assert [one.data_ptr() for one in control.model.parameters()] == others
        assert not {one.data_ptr() for one in first.model.parameters()} & {*others}
        still = lane(loaded, plain, Race(equals, Conditions(compile=True)))
        places = [one.data_ptr() for one in still.model.parameters()]
        still.move()
        assert [one.data_ptr() for one in still.model.parameters()] == places
