"""Which machine this is: asked of torch, psutil and the operating system."""

from __future__ import annotations

import platform
import re
from pathlib import Path
from typing import Any

import psutil
import torch

from dualcost.calibration import Calibration, check_machine, read
from dualcost.errors import UsageError
from dualcost.machine import Machine

CACHES = Path("/sys/devices/system/cpu/cpu0/cache")  # Linux; elsewhere torch may know


def here(threads: int = 1, device: str = "cpu") -> Machine:
    """This machine, as seen by a measurement on `device` with so many threads.

    Raises:
        UsageError: the device is a GPU, and torch finds none.
    """
    gpu = device.startswith("cuda")
    if gpu and not torch.cuda.is_available():
        raise UsageError("torch finds no GPU on this machine", "leave --device cuda out")
    known = _capabilities()
    caches = _caches()
    return Machine(
        processor=_processor(known),
        instructions=_instructions(),
        cores=len(psutil.Process().cpu_affinity()) if _has_affinity() else psutil.cpu_count() or 0,
        l1d_bytes=caches.get("1", 0) or int(known.get("l1d_cache_size", 0)),
        l2_bytes=caches.get("2", 0) or int(known.get("l2_cache_size", 0)),
        l3_bytes=caches.get("3", 0),
        memory_bytes=psutil.virtual_memory().total,
        system=f"{platform.system()} {platform.machine()}",
        torch=str(torch.__version__),
        onednn=_onednn(),
        device="cuda" if gpu else "cpu",
        gpu=torch.cuda.get_device_name(device) if gpu else "",
        cuda=str(torch.version.cuda or "") if gpu else "",
        cudnn=str(torch.backends.cudnn.version() or "") if gpu else "",  # type: ignore[no-untyped-call]  # torch's
        threads=threads,
    )


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
    return str(known.get("cpu_name") or _in_cpuinfo() or platform.processor() or "unknown")


def _in_cpuinfo() -> str:
    """The name in Linux's list of processors, which platform.processor() does not read."""
    path = Path("/proc/cpuinfo")
    found = re.search(r"^model name\s*: (.+)$", path.read_text(), re.M) if path.exists() else None
    return found[1].strip() if found else ""


def _instructions() -> str:
    name = torch.backends.cpu.get_cpu_capability()
    return "" if name in ("DEFAULT", "NO AVX") else name


def _has_affinity() -> bool:
    return hasattr(psutil.Process, "cpu_affinity")  # not on macOS


def _caches() -> dict[str, int]:
    """Bytes of the data caches of one core by level, as Linux tells them."""
    found = {}
    for index in CACHES.glob("index*"):
        try:
            kind, level, text = (
                (index / name).read_text().strip() for name in ("type", "level", "size")
            )
        except OSError:  # a virtual machine may hide one
            continue
        size = re.fullmatch(r"(\d+)([KM]?)", text)
        if kind != "Instruction" and size:
            found[level] = int(size[1]) * {"": 1, "K": 2**10, "M": 2**20}[size[2]]
    return found


def _onednn() -> str:
    """Its version, from what torch says of its own build."""
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]  # torch's
        return ""
    found = re.search(r"(?:MKL-DNN|oneDNN) v([\d.]+)", torch.__config__.show())
    return found[1] if found else "unknown"
