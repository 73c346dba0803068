"""The state in which ops are timed: as a network leaves it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from dualcost.lab.child import calibrate
from dualcost.lab.child.calibrate import FORMATS, Bench, Known, Link, Runner
from dualcost.lab.child.chains import chains
from dualcost.lab.child.pace import Pace
from dualcost.lab.child.probes import Probe
from dualcost.latency.workload import workload
from dualcost.network.site import ConvSite
from dualcost.rewrite.lowering import convolution_op


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    """With so little memory that it is used again and again."""
    monkeypatch.setattr(calibrate, "POOL", 1 << 18)
    return Bench(l2_bytes=1 << 16)


def ran(M: int, bench: Bench, name: str) -> tuple[Runner, list[Tensor], list[Tensor]]:
    """A 3×3 over M channels after one run, the inputs that it read and the weights that it used."""
    site = ConvSite(M, 16, (3, 3), (1, 1), (1, 1), (1, 1), 1, False, False, (12, 12), (12, 12))
    op = convolution_op(site)
    runner = Runner(Probe(op, op.in_shapes), bench, name)
    inputs: list[Tensor] = []
    weights: list[Tensor] = []

    def note(module: nn.Module, arguments: tuple[Tensor, ...]) -> None:
        inputs.append(arguments[0])
        weights.append(module.get_parameter("weight"))

    runner.module.register_forward_pre_hook(note)
    with torch.inference_mode():
        runner.run(Pace(), until=0)
    return runner, inputs, weights


@pytest.mark.parametrize("name", FORMATS)
def test_an_op_reads_what_was_just_written_and_other_weights_each_time(
    bench: Bench, name: str
) -> None:
    runner, inputs, weights = ran(32, bench, name)
    assert len(inputs) == 3  # its code is brought near; weights from a cache; weights from memory
    assert all(float(read.min()) >= 0 and read is not runner.sources[0] for read in inputs)
    assert len({weight.data_ptr() for weight in weights}) == 3
    assert all(read.is_contiguous(memory_format=FORMATS[name]) for read in inputs)


@pytest.mark.parametrize("name", FORMATS)
def test_what_reads_an_image_runs_once_on_one_that_nobody_wrote(bench: Bench, name: str) -> None:
    """It is the first op of a forward: neither its code nor its image is near."""
    runner, inputs, _ = ran(3, bench, name)
    assert [read is runner.sources[0] for read in inputs] == [True]
    ((warm, cold),) = runner.runs.times
    assert warm == cold > 0


def test_equal_ops_of_chains_are_measured_once_and_counted_each_time(bench: Bench) -> None:
    known: dict[Known, Runner] = {}
    chain = chains(count=1)[0]
    links = [Link(chain, bench, name, known) for name in FORMATS for _ in range(2)]
    assert len(known) == len(FORMATS) * len({workload(probe.op) for probe in chain.probes})
    for link in links:
        assert [runner.probe.op for runner in link.runners] == [probe.op for probe in chain.probes]
        assert {runner.name for runner in link.runners} == {link.name}
    assert len(known) < len(FORMATS) * len(chain.probes)
