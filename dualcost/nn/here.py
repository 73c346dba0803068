"""Which machine this is: asked of torch, and of the operating system."""

from __future__ import annotations

import re
from typing import Any

import torch

from dualcost.errors import UsageError
from dualcost.latency import hardware
from dualcost.latency.calibration import Calibration, check_machine, read
from dualcost.latency.machine import Machine


def here(threads: int = 1, device: str = "cpu") -> Machine:
    """This machine, as seen by a measurement on `device` with so many threads.

    Raises:
        UsageError: the device is a GPU, and torch finds none.
    """
    gpu = device.startswith("cuda")
    if gpu and not torch.cuda.is_available():
        raise UsageError("torch finds no GPU on this machine", "leave --device cuda out")
    known = _capabilities()
    caches = hardware.caches()
    return Machine(
        processor=_processor(known),
        instructions=_instructions(),
        cores=hardware.cores(),
        l1d_bytes=caches.get("1", 0) or int(known.get("l1d_cache_size", 0)),
        l2_bytes=caches.get("2", 0) or int(known.get("l2_cache_size", 0)),
        l3_bytes=caches.get("3", 0),
        memory_bytes=hardware.memory_bytes(),
        system=hardware.system(),
        torch=str(torch.__version__),
        onednn=_onednn(),
        device="cuda" if gpu else "cpu",
        gpu=torch.cuda.get_device_name(device) if gpu else "",
        cuda=str(torch.version.cuda or "") if gpu else "",
        cudnn=str(torch.backends.cudnn.version() or "") if gpu else "",  # type: ignore[no-untyped-call]  # torch's
        threads=threads,
    )


def best() -> Machine:
    """This machine, with its GPU where torch finds one."""
    return here(torch.get_num_threads(), "cuda" if torch.cuda.is_available() else "cpu")


def own_calibration() -> Calibration:
    """This machine's calibration.

    Raises:
        UsageError: what is stored is damaged, or of another machine.
        UnmeasuredError: this machine has not been calibrated.
    """
    found = read()
    check_machine(found, here(found.machine.threads))
    return found


def _capabilities() -> dict[str, Any]:
    """What torch knows of the processor; nothing, in a torch before 2.10."""
    ask = getattr(torch.cpu, "get_capabilities", None)
    return dict(ask()) if ask else {}


def _processor(known: dict[str, Any]) -> str:
    return str(known.get("cpu_name") or hardware.processor() or "unknown")


def _instructions() -> str:
    name = torch.backends.cpu.get_cpu_capability()
    return "" if name in ("DEFAULT", "NO AVX") else name


def _onednn() -> str:
    """Its version, from what torch says of its own build."""
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]  # torch's
        return ""
    found = re.search(r"(?:MKL-DNN|oneDNN) v([\d.]+)", torch.__config__.show())
    return found[1] if found else "unknown"
