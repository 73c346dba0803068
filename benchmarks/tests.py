"""How long the README's test command takes, beside the tests of another checkout.

Both run on two processes, one after the other in one run, and their ratio is reported: machines
differ, and this one may be busy. The day decides which tests of the second tier are among ours.

    python benchmarks/tests.py OLD

OLD is a checkout that this environment can run the tests of.
"""

from __future__ import annotations

import os
import re
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
PASSED = re.compile(r"(\d+) passed")


@dataclass(frozen=True)
class Suite:
    """A whole run of tests.

    Attributes:
        name: what is tested.
        passed: how many tests passed.
        wall_s: wall time.
        processor_s: processor time of all processes.
    """

    name: str
    passed: int
    wall_s: float
    processor_s: float


def suite(name: str, root: Path) -> Suite:
    """Run all tests of a checkout.

    Raises:
        SystemExit: a test failed.
    """
    environment = {name: text for name, text in os.environ.items() if name != "COLUMNS"}
    if root != ROOT:  # this one is installed
        environment["PYTHONPATH"] = str(root)
    start, before = time.perf_counter(), _processor_s()
    done = subprocess.run(
        # -v against the -q of their own options, with which pytest does not say how many passed
        [sys.executable, "-m", "pytest", "-n", "2", "-v", "--no-header", "-rfE"],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    wall_s = time.perf_counter() - start
    passed = PASSED.search(done.stdout)
    if done.returncode or passed is None:
        sys.exit(f"{name}:\n{done.stdout[-3000:]}{done.stderr}")
    return Suite(name, int(passed[1]), wall_s, _processor_s() - before)


def _processor_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main(old: str) -> None:
    """Report the times of both, and what is left of the first."""
    before, after = suite("before", Path(old).resolve()), suite("now", ROOT)
    for run in (before, after):
        print(
            f"{run.name}: {run.passed:,} passed, {run.wall_s:.0f} s wall time "
            f"({run.wall_s / before.wall_s:.2f}), {run.processor_s:.0f} s of processors "
            f"({run.processor_s / before.processor_s:.2f})"
        )


if __name__ == "__main__":
    main(sys.argv[1])
