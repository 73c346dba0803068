"""Trace every model of torchvision and timm, and write a table: MACs, parameters, cost, status.

    python benchmarks/zoo.py [GLOB] [--write]

It is CSV, with --write that of docs/reference/zoo.md, whose summary is then written too.

Each model is traced in this process, one after the other, on fake tensors and without weights
(models that need values: on real ones). Seconds are those of building and tracing; memory is what
the process held at its highest meanwhile above what it held before, as Linux sees it.
"""

from __future__ import annotations

import argparse
import csv
import gc
import io
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
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

import torch
import torchvision
from results import WRITE, replaced

from dualcost.errors import DualcostError
from dualcost.files import write_atomically
from dualcost.network.network import UNKNOWN
from dualcost.nn.sources.source import Source
from dualcost.nn.sources.sources import from_timm, from_torchvision, torchvision_names

KIB = 1024
MIB = KIB * KIB
PAGE = Path(__file__).parent.parent / "docs/reference/zoo.md"


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
    import timm  # seconds, which a test that reads the summary does not need

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


def rows(results: list[Result]) -> str:
    """The table as CSV; what is not counted has no numbers."""
    written = io.StringIO()
    lines = csv.writer(written, lineterminator="\n")
    lines.writerow(("model", "macs", "params", "trace_s", "trace_mib", "status"))
    for result in results:
        counts = (result.macs or "", result.params or "")
        spent = (f"{result.seconds:.2f}", f"{result.grown / MIB:.1f}")
        lines.writerow((result.name, *counts, *spent, result.status))
    return written.getvalue()


def summary(results: list[Result]) -> str:
    """How many are counted, and what tracing one takes."""
    whole = [result for result in results if result.macs]
    bounded = sum(result.status.startswith("partial") for result in results)
    fake = [result for result in whole if not result.status.startswith("run on real")]
    seconds = sorted(result.seconds for result in whole)
    grown = sorted(result.grown / MIB for result in fake)
    return (
        f"Of {len(results):,} models {len(whole):,} are counted, {bounded} of them partially; "
        f"{len(whole) - len(fake)} run on real tensors, since they need values. Building and\n"
        f"tracing one takes {seconds[len(seconds) // 2]:.2f} s in the median and "
        f"{seconds[-1]:.1f} s at most; on fake tensors {grown[len(grown) // 2]:.1f} MiB of memory "
        f"in the median and {grown[-1]:.1f} MiB\n"
        f"at most. torch {public(torch)}, torchvision {public(torchvision)} and timm "
        f"{version('timm')}, in one process on a shared {platform.machine()} machine.\n"
    )


def main() -> None:
    """Run, with progress on standard error; Ctrl-C keeps what is done."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pattern", nargs="?", default="*")
    parser.add_argument(WRITE, action="store_true")
    arguments = parser.parse_args()
    if arguments.write and arguments.pattern != "*":
        parser.error(f"{WRITE} writes the table of all models, and not of some")
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
    results.sort(key=lambda result: result.name)
    if arguments.write:
        write_atomically(PAGE.with_suffix(".csv"), rows(results).encode())
        text = replaced(PAGE.read_text(), "zoo", summary(results))
        write_atomically(PAGE, text.encode())
    else:
        print(rows(results), end="")


if __name__ == "__main__":
    main()
