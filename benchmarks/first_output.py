"""How long a user waits for the first output.

The target of `dualcost profile resnet50 --conv dual --G 4` is twice the floor; that of `dualcost
paper`, which recomputes the 94 networks of the paper's tables, is three times one such profile.

The floor is a Python that imports what every such program imports; the ceiling is one that also
imports torch. All three run in turn, in one run, and only ratios to the floor are reported:
machines differ, and this one may be busy.

    python benchmarks/first_output.py [ROUNDS] [--write]
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

from results import WORDS, deliver

COMMANDS = {
    "floor: import typer, rich": ["-c", "import typer, rich.table, rich.console"],
    "dualcost --help": ["-m", "dualcost", "--help"],
    "dualcost list": ["-m", "dualcost", "list"],
    "dualcost profile resnet50 --conv dual --G 4": [
        *("-m", "dualcost", "profile", "resnet50", "--conv", "dual", "--G", "4")
    ],
    "dualcost paper": ["-m", "dualcost", "paper"],
    "the floor and torch": ["-c", "import typer, rich.table, rich.console, torch"],
}


def seconds(arguments: list[str]) -> float:
    """Wall time of one Python process."""
    start = time.perf_counter()
    subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


def main(rounds: int = 15) -> None:
    """Report, for each command, the ratio to the floor of the minima and of the medians."""
    for arguments in COMMANDS.values():
        seconds(arguments)  # compiled files and caches
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(rounds):
        for name, arguments in COMMANDS.items():
            times[name].append(seconds(arguments))
    floor = next(iter(times.values()))
    rows = []
    for name, found in times.items():
        least = min(found) / min(floor)
        middle = statistics.median(found) / statistics.median(floor)
        rows.append((name, f"{least:.2f}", f"{middle:.2f}"))
    titles = ("command", "minimum / floor's", "median / floor's")
    deliver("first_output", titles, rows, note=f"{rounds} rounds.")


if __name__ == "__main__":
    main(*map(int, WORDS))
