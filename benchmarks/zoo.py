"""Trace every model of torchvision and timm, and write a table: status, MACs, parameters, cost.

    python benchmarks/zoo.py [GLOB] [-o docs/zoo.md]

Each model is traced in this process, one after the other, on fake tensors and without weights
(models that need values: on real ones). Seconds are those of building and tracing; memory is what
the process held at its highest meanwhile above what it held before, as Linux sees it.
"""

from __future__ import annotations

import argparse
import gc
import logging
import platform
import re
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from types import ModuleType

import timm
import torch
import torchvision

from dualcost.errors import DualcostError
from dualcost.network.network import UNKNOWN
from dualcost.nn.sources.source import Source
from dualcost.nn.sources.sources import from_timm, from_torchvision, torchvision_names
from dualcost.render.profile.markdown import table

KIB = 1024


@dataclass(frozen=True)
class Result:
    """What became of one model."""

    name: str
    status: str
    macs: int = 0
    params: int = 0
    seconds: float = 0.0
    grown: int = 0


def sources(pattern: str) -> Iterator[tuple[str, Callable[[], Source]]]:
    """Name and finder of every model."""
    finders = {"torchvision": from_torchvision, "timm": from_timm}
    names = {"torchvision": torchvision_names(), "timm": tuple(timm.list_models())}
    for origin, find in finders.items():
        for name in names[origin]:
            if fnmatchcase(f"{origin}:{name}", pattern):
                yield f"{origin}:{name}", partial(find, name)


def held(which: str) -> int:
    """Bytes that this process holds ("VmRSS"), or held at most since `forget` ("VmHWM")."""
    found = re.search(rf"{which}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) * KIB


def forget() -> None:
    """Let the most memory that was held be what is held now."""
    Path("/proc/self/clear_refs").write_text("5")


def measure(name: str, find: Callable[[], Source]) -> Result:
    """Trace one model; an error is a status, and the others go on."""
    gc.collect()
    forget()
    before = held("VmRSS")
    start = time.perf_counter()
    try:
        network = find().trace()
    except DualcostError as error:
        return Result(name, f"stopped: {error.message}", seconds=time.perf_counter() - start)
    unknown = sorted({op.name for op in network.ops if op.group == UNKNOWN})
    status = f"partial: {', '.join(unknown)}" if unknown else "; ".join(network.notes) or "counted"
    seconds = time.perf_counter() - start
    return Result(
        name, status, network.macs, network.params, seconds, max(0, held("VmHWM") - before)
    )


def public(library: ModuleType) -> str:
    """The version of a library, without the build."""
    return str(library.__version__).partition("+")[0]


def page(results: list[Result]) -> str:
    """The table, with a summary above it."""
    whole = [result for result in results if result.macs]
    bounded = sum(result.status.startswith("partial") for result in results)
    real = sum(result.status.startswith("run on real") for result in results)
    seconds = sorted(result.seconds for result in whole)
    rows = (
        (
            result.name,
            f"{result.macs:,}" if result.macs else "",
            f"{result.params:,}" if result.params else "",
            f"{result.seconds:.2f}",
            f"{result.grown / KIB**2:.1f}",
            result.status,
        )
        for result in results
    )
    grown = sorted(r.grown for r in whole if not r.status.startswith("run on real"))
    return "\n".join(
        (
            "# Every model of torchvision and timm",
            "",
            f"Written by `python benchmarks/zoo.py` with torch {public(torch)}, torchvision "
            f"{public(torchvision)} and timm {timm.__version__}, in one process on a shared "
            f"{platform.machine()} machine. Of {len(results)} models {len(whole)} are counted "
            f"({bounded} of them partially; {real} on real tensors, since they need values).",
            f"Building and tracing one takes {seconds[len(seconds) // 2]:.2f} s in the median and "
            f"{seconds[-1]:.1f} s at most. On fake tensors it takes "
            f"{grown[len(grown) // 2] / KIB**2:.1f} MiB of memory in the median and "
            f"{grown[-1] / KIB**2:.1f} MiB at most.",
            "",
            table(
                ("model", "MACs", "parameters", "seconds", "MiB", "status"),
                list(rows),
                (False, True, True, True, True, False),
            ),
        )
    )


def main() -> None:
    """Run, with progress on standard error; Ctrl-C keeps what is done."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pattern", nargs="?", default="*")
    parser.add_argument("-o", "--output", type=Path)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    from_timm("resnet18").trace()  # what torch imports when it first traces
    results: list[Result] = []
    models = list(sources(arguments.pattern))
    # models that need values take real memory: they come last, so that the others' is seen
    models.sort(key=lambda model: "rcnn" in model[0] or "ssd" in model[0])
    try:
        for count, (name, find) in enumerate(models, start=1):
            results.append(measure(name, find))
            print(f"{count}/{len(models)} {name}: {results[-1].status}", file=sys.stderr)
    except KeyboardInterrupt:
        print("interrupted: the table has what was done", file=sys.stderr)
    text = page(sorted(results, key=lambda result: result.name))
    if arguments.output:
        arguments.output.write_text(text)
    else:
        print(text)


if __name__ == "__main__":
    main()
