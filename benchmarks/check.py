"""How long the gate takes for ten networks whose traces are packaged.

The target is that nothing but start-up is felt: less than one second after it, and no torch. The
floor is a Python that imports what every such program imports. All run in turn, in one run, and
only ratios to the floor are reported: machines differ, and this one may be busy.

    python benchmarks/check.py [ROUNDS] [--write]
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from results import WORDS, deliver

MODELS = (
    *("alexnet", "vgg16", "resnet18", "resnet50", "resnet152", "mobilenet_v2", "densenet121"),
    *("efficientnet_b7", "convnext_large", "inception_v3"),
)
CONFIG = "[ratchet]\nparams = '0 %'\nmacs = '0 %'\n" + "".join(
    f"[models.{name}]\ntarget = 'torchvision:{name}'\n"
    f"[models.{name}.budget]\nparams = '999 M'\nmacs = '999 G'\npeak-activations = '1 GiB'\n"
    for name in MODELS
)
DUALCOST = ["-m", "dualcost"]
COMMANDS = {
    "floor: import typer, rich": ["-c", "import typer, rich.table, rich.console"],
    "dualcost --version": [*DUALCOST, "--version"],
    "dualcost check, one model": [*DUALCOST, "check", "resnet50"],
    "dualcost check, ten models": [*DUALCOST, "check"],
    "the floor and torch": ["-c", "import typer, rich.table, rich.console, torch"],
}


def seconds(arguments: list[str], folder: Path) -> float:
    """Wall time of one Python process."""
    start = time.perf_counter()
    words = [sys.executable, *arguments]
    subprocess.run(words, stdout=subprocess.DEVNULL, check=True, cwd=folder)
    return time.perf_counter() - start


def main(rounds: int = 9) -> None:
    """Report, for each command, the ratio to the floor of the minima and of the medians."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        (folder / "dualcost.toml").write_text(CONFIG)
        seconds([*DUALCOST, "lock"], folder)
        for arguments in COMMANDS.values():
            seconds(arguments, folder)  # compiled files and caches
        times: dict[str, list[float]] = {name: [] for name in COMMANDS}
        for _ in range(rounds):
            for name, arguments in COMMANDS.items():
                times[name].append(seconds(arguments, folder))
    floor = next(iter(times.values()))
    rows = []
    for name, found in times.items():
        least = min(found) / min(floor)
        middle = statistics.median(found) / statistics.median(floor)
        rows.append((name, f"{least:.2f}", f"{middle:.2f}"))
    titles = ("command", "minimum / floor's", "median / floor's")
    deliver("check", titles, rows, note=f"{rounds} rounds.")


if __name__ == "__main__":
    main(*map(int, WORDS))
