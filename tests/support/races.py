"""Races whose times are known."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dualcost.lab.measurement import (
    BETWEEN,
    Run,
    Sample,
)
from dualcost.lab.race import EAGER, Contender
from dualcost.latency.machine import Machine
from dualcost.network.network import TensorSpec

HERE = Machine(
    processor="a processor",
    instructions="AVX512",
    cores=2,
    l1d_bytes=2**15,
    l2_bytes=2**20,
    l3_bytes=2**25,
    memory_bytes=2**34,
    system="Linux x86_64",
    torch="2.15.0",
    onednn="3.13.3",
    device="cpu",
    gpu="",
    cuda="",
    cudnn="",
    threads=1,
)


SPEC = (TensorSpec((1, 3, 8, 8)),)


TRUE_S = np.array([1e-3, 2e-3, 0.5e-3, 1.5e-3])  # 5 ms in four segments


def contender(mode: str = EAGER, *, control: bool = False, macs: int = 100) -> Contender:
    return Contender("zoo:net", SPEC, mode=mode, control=control, macs=macs)


def run_of(segments: NDArray[np.float64], who: Contender | None = None, waited: float = 0.0) -> Run:
    samples = tuple(
        Sample(tuple(map(float, row)), (1 + waited) * float(row.sum())) for row in segments
    )
    return Run(who or contender(), samples, ("a", BETWEEN, "b", "a"))
