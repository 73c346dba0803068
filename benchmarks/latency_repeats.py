"""Do measured ratios repeat? One pair of models in several fresh processes, and how they differ.

    python benchmarks/latency_repeats.py [MODEL VARIANT] [--processes 5] [--budget 30]
                                         [--device cuda]

For each pair, and on a GPU for each mode, it prints the ratios of best and of median times
that each process found, and by how much the largest exceeds the least, in percent of the ratio.
Meant for a busy machine: start something beside it, and see.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence

import torch

from dualcost.lab import bench as contest
from dualcost.lab.measurement import Comparison, Standing
from dualcost.lab.race import Conditions, Variant
from dualcost.rewrite.request import Request

PAIRS = (("resnet50", "dual:4"), ("mobilenetv2-cifar", "dual:8"))
WHERE = {"mobilenetv2-cifar": "inverted-residual"}


def spread(values: Sequence[float]) -> float:
    """The largest less the least, as a share of the mean."""
    return (max(values) - min(values)) / (sum(values) / len(values))


def repeat(model: str, text: str, processes: int, budget_s: float, device: str) -> None:
    """Race a model against a variant of itself in fresh processes, one after the other."""
    variant = Variant(Request.parse(text, where=WHERE.get(model, "default")))
    conditions = Conditions(device)
    # a target that is not met: every process takes its whole budget
    race = contest.race([model], [variant], conditions, target=1e-6, budget_s=budget_s)
    where = f" on {torch.cuda.get_device_name()}" if device == "cuda" else ""
    print(f"{model}, {variant}{where}: {processes} processes, {budget_s:g} s each")
    several = len(conditions.modes) > 1
    results = []
    for _ in range(processes):
        start = time.perf_counter()
        results.append(contest.run(race))
        whole_s = time.perf_counter() - start
        for mode in conditions.modes:
            print(f"  {line(results[-1], mode, several)}, {whole_s:.0f} s with loading", flush=True)
    for mode in conditions.modes:
        found = [standing(result, mode) for result in results]
        undisturbed = spread([one.undisturbed.value for one in found])
        felt = spread([one.felt.value for one in found])
        prefix = f"{mode}: " if several else ""
        print(f"  {prefix}max − min: best {undisturbed:.2%}, median {felt:.2%}")


def line(result: Comparison, mode: str, several: bool) -> str:
    """What one process found in one mode, which is named where there are several."""
    found, control = standing(result, mode), result.controls[mode].value
    prefix = f"{mode}: " if several else ""
    disturbed = "disturbed, " * result.disturbed
    return (
        f"{prefix}best {found.undisturbed.value:.4f} ± {found.undisturbed.half_width:.4f}"
        f"   median {found.felt.value:.4f}   control {control:.4f}"
        f"   {disturbed}{result.rounds} rounds"
    )


def standing(result: Comparison, mode: str) -> Standing:
    """How the variant compares to the model."""
    _, other = (one for one in result.standings if one.run.contender.mode == mode)
    return other


def main() -> None:
    """Run the pairs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pair", nargs="*", metavar="MODEL VARIANT")
    parser.add_argument("--processes", type=int, default=5)
    parser.add_argument("--budget", type=float, default=30.0, help="seconds of each process")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    words = parser.parse_args()
    if words.device == "cuda" and not torch.cuda.is_available():
        parser.error("torch finds no GPU on this machine")
    if len(words.pair) not in (0, 2):
        parser.error("name a model and a variant, such as resnet18 dual:4")
    pairs = (tuple(words.pair),) if words.pair else PAIRS
    for model, variant in pairs:
        repeat(model, variant, words.processes, words.budget, words.device)


if __name__ == "__main__":
    main()
