"""A process made quiet: one whose times repeat, as far as it can see to that itself.

What must be set before torch is imported is in `child.variables`.
"""

from __future__ import annotations

import gc
import time

import psutil
import torch

LISTENING_S = 0.2


def quiet(threads: int) -> None:
    """Compute with so many threads on the idlest cores, without denormals and without collecting.

    Subnormal numbers take the processor's slow path, which depends on the values of random
    weights; a collection of garbage takes its time in whatever forward it happens.
    """
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    pin(threads)
    gc.collect()
    gc.freeze()
    gc.disable()


def pin(threads: int) -> None:
    """Stay on the idlest of the cores that this process may use, where the system lets one."""
    process = psutil.Process()
    if not hasattr(process, "cpu_affinity"):  # macOS
        return
    allowed = process.cpu_affinity()
    if len(allowed) <= threads:
        return
    psutil.cpu_percent(percpu=True)
    time.sleep(LISTENING_S)
    busy = psutil.cpu_percent(percpu=True)
    process.cpu_affinity(sorted(allowed, key=lambda core: busy[core])[:threads])
