"""Do measured ratios repeat? One pair of models in several fresh processes, and how they differ.

    python benchmarks/latency_repeats.py [MODEL VARIANT] [--processes 5] [--budget 30]

For each pair it prints the ratio of undisturbed times and of felt times that each process found,
and by how much the largest exceeds the least, in percent of the ratio. Meant for a busy machine:
start something beside it, and see.
"""

from __future__ import annotations

import argparse
import time

from dualcost import contest
from dualcost.race import Variant

PAIRS = (("resnet50", "dual:4"), ("mobilenetv2-cifar", "dual:8"))
WHERE = {"mobilenetv2-cifar": "inverted-residual"}


def spread(values: list[float]) -> float:
    """The largest less the least, as a share of the mean."""
    return (max(values) - min(values)) / (sum(values) / len(values))


def repeat(model: str, text: str, processes: int, budget_s: float) -> None:
    """Race a model against a variant of itself in fresh processes, one after the other."""
    variant = Variant.parse(text, where=WHERE.get(model, "default"))
    # a target that is not met: every process takes its whole budget
    race = contest.race([model], [variant], target=1e-6, budget_s=budget_s)
    print(f"{model}, {variant}: {processes} processes, {budget_s:g} s each")
    undisturbed, felt = [], []
    for _ in range(processes):
        start = time.perf_counter()
        result = contest.run(race)
        whole_s = time.perf_counter() - start
        standing = result.standings[1]
        undisturbed.append(standing.undisturbed.value)
        felt.append(standing.felt.value)
        print(
            f"  undisturbed {undisturbed[-1]:.4f} ± {standing.undisturbed.half_width:.4f}"
            f"   felt {felt[-1]:.4f}   control {result.controls['eager'].value:.4f}"
            f"   {result.rounds} rounds, {whole_s:.0f} s with loading"
            f"{', disturbed' if result.disturbed else ''}",
            flush=True,
        )
    print(f"  max − min: undisturbed {spread(undisturbed):.2%}, felt {spread(felt):.2%}")


def main() -> None:
    """Run the pairs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pair", nargs="*", metavar="MODEL VARIANT")
    parser.add_argument("--processes", type=int, default=5)
    parser.add_argument("--budget", type=float, default=30.0, help="seconds of each process")
    words = parser.parse_args()
    if len(words.pair) not in (0, 2):
        parser.error("name a model and a variant, such as resnet18 dual:4")
    pairs = (tuple(words.pair),) if words.pair else PAIRS
    for model, variant in pairs:
        repeat(model, variant, words.processes, words.budget)


if __name__ == "__main__":
    main()
