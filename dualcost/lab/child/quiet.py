"""A process made quiet: one whose times repeat, as far as it can see to that itself.

What must be set before torch is imported is in `process.steady`.
"""

from __future__ import annotations

import gc
import time

import psutil
import torch

LISTENING_S = 0.2
ALIKE = 20.0  # percent: one moment tells no more


def quiet(threads: int) -> list[int]:
    """Compute with so many threads on the idlest cores, without denormals and without collecting.

    Subnormal numbers take the processor's slow path, which depends on the values of random
    weights; a collection of garbage takes its time in whatever forward it happens.

    Returns:
        The cores that are as idle as the idlest; none, where no system lets one choose (macOS).
    """
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    busy = _busy()
    if len(busy) > threads:
        psutil.Process().cpu_affinity(sorted(busy, key=busy.__getitem__)[:threads])
    gc.collect()
    gc.freeze()
    gc.disable()
    return [core for core in busy if busy[core] <= min(busy.values()) + ALIKE]


def _busy() -> dict[int, float]:
    """By how many percent others keep each core busy that this process may use."""
    process = psutil.Process()
    if not hasattr(process, "cpu_affinity"):
        return {}
    psutil.cpu_percent(percpu=True)
    time.sleep(LISTENING_S)
    busy = psutil.cpu_percent(percpu=True)
    return {core: busy[core] for core in process.cpu_affinity()}
