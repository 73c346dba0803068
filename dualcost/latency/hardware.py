"""What the operating system tells of this machine, without torch."""

from __future__ import annotations

import platform
import re
from pathlib import Path

import psutil

CACHES = Path("/sys/devices/system/cpu/cpu0/cache")  # Linux; elsewhere torch may know
GPUS = Path("/proc/driver/nvidia/gpus")  # Linux, where NVIDIA's driver is loaded


def system() -> str:
    """The operating system and the architecture, such as "Linux x86_64"."""
    return f"{platform.system()} {platform.machine()}"


def processor() -> str:
    """The processor's name; "" if nothing tells it."""
    path = Path("/proc/cpuinfo")  # which platform.processor() does not read
    found = re.search(r"^model name\s*: (.+)$", path.read_text(), re.M) if path.exists() else None
    return found[1].strip() if found else platform.processor()


def cores() -> int:
    """How many cores this process may use."""
    if hasattr(psutil.Process, "cpu_affinity"):  # not on macOS
        return len(psutil.Process().cpu_affinity())
    return psutil.cpu_count() or 0


def memory_bytes() -> int:
    """The memory of the whole machine."""
    return int(psutil.virtual_memory().total)


def caches() -> dict[str, int]:
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


def gpus() -> tuple[str, ...]:
    """The names of NVIDIA's GPUs, as their driver tells them; () says nothing of others."""
    found = []
    for path in sorted(GPUS.glob("*/information")):
        try:
            model = re.search(r"^Model:\s*(.+)$", path.read_text(), re.MULTILINE)
        except OSError:
            continue
        found.append(model[1].strip() if model else "unknown")
    return tuple(found)
