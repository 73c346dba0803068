"""Where dualcost runs: versions, the machine, and what it keeps there. For a report of a bug.

Paths under the home folder start with "~": a report is public, and a home folder has a name in it.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from dualcost.errors import DualcostError, UnmeasuredError
from dualcost.latency import calibration, hardware
from dualcost.latency.calibration import Calibration
from dualcost.latency.machine import Machine
from dualcost.library import cache
from dualcost.library import networks as library
from dualcost.version import __version__, public

# what decides what dualcost counts, measures and prints
LIBRARIES = (
    *("torch", "torchvision", "timm", "fvcore", "onnx", "onnxscript", "numpy", "scipy", "sympy"),
    *("matplotlib", "joblib", "platformdirs", "psutil", "rich", "typer"),
)
NONE, DAMAGED = "none", "damaged"


@dataclass(frozen=True)
class Kept:
    """Something that dualcost keeps for its user.

    Attributes:
        path: where it lies, or would.
        state: in a few words.
        nbytes: of all its files.
    """

    path: str
    state: str
    nbytes: int = 0


@dataclass(frozen=True)
class Environment:
    """What a report of a bug should say.

    Attributes:
        versions: of dualcost, Python and the libraries; "none" of what is not installed.
        system: the operating system, with its release.
        processor: its name.
        cores: how many cores this process may use.
        caches: bytes of a core's data caches by level.
        memory_bytes: of the whole machine.
        gpus: their names, as far as their driver tells.
        torch: what torch itself says of the machine; None: it was not asked.
        networks: how many are packaged.
        cache: of traces.
        calibration: of this machine.
        configuration: the budgets of the folder.
    """

    versions: Mapping[str, str]
    system: str
    processor: str
    cores: int
    caches: Mapping[str, int]
    memory_bytes: int
    gpus: tuple[str, ...]
    torch: Machine | None
    networks: int
    cache: Kept
    calibration: Kept
    configuration: Kept


def environment(configuration: Kept, torch: Machine | None = None) -> Environment:
    """What is known here; `torch` is what it says of the machine, if it was asked."""
    return Environment(
        versions=versions(),
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        processor=hardware.processor() or "unknown",
        cores=hardware.cores(),
        caches=dict(sorted(hardware.caches().items())),
        memory_bytes=hardware.memory_bytes(),
        gpus=hardware.gpus(),
        torch=torch,
        networks=sum(len(library.names(origin)) for origin in library.ORIGINS),
        cache=_cache(),
        calibration=_calibration(torch),
        configuration=configuration,
    )


def versions() -> dict[str, str]:
    """Of dualcost, Python and LIBRARIES, without importing them."""
    python = f"{platform.python_version()} ({platform.python_implementation()})"
    return {
        "dualcost": __version__,
        "python": python,
        **{name: _version(name) for name in LIBRARIES},
    }


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return NONE


def shown(path: Path) -> str:
    """A path that does not tell whose it is."""
    try:
        return f"~/{path.absolute().relative_to(Path.home()).as_posix()}"
    except (ValueError, RuntimeError):  # it lies elsewhere, or there is no home
        return str(path)


def _cache() -> Kept:
    folder = cache.folder()
    try:
        entries = cache.entries()
    except DualcostError:
        return Kept(shown(folder), "cannot be read")
    damaged = sum(entry.damaged for entry in entries)
    count = f"{len(entries)} network{'s' * (len(entries) != 1)}" if entries else "empty"
    state = f"{count}, {damaged} {DAMAGED}" if damaged else count
    return Kept(shown(folder), state, sum(entry.nbytes for entry in entries))


def _calibration(here: Machine | None) -> Kept:
    path = calibration.default_path()
    try:
        found = calibration.read()
    except UnmeasuredError:
        return Kept(shown(path), NONE)
    except DualcostError:
        return Kept(shown(path), DAMAGED)
    state = f"of {found.date[:10]} by dualcost {found.version}, {_match(found, here)}"
    return Kept(shown(path), state, path.stat().st_size)


def _match(found: Calibration, here: Machine | None) -> str:
    """Whether it is of this machine: fully, if torch was asked; else as far as can be told."""
    if here is not None:
        differences = found.machine.differences(here)
        return f"of another machine: {'; '.join(differences)}" if differences else "of this machine"
    installed = _version("torch")
    if public(found.machine.torch) != public(installed):
        return f"made with torch {found.machine.torch}"
    return "made with this torch"
