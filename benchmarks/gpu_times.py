"""Are the times on a GPU right? A peer measures the same forwards: torch.utils.benchmark.

    python benchmarks/gpu_times.py [MODEL...] [--budget 5]

For each model it prints the time of a forward by `dualcost bench`, eagerly and replayed from a CUDA
graph, and by torch's own timer, which synchronizes by the clock of the processor, and their ratio.
"""

from __future__ import annotations

import argparse

import torch
from torch.utils.benchmark import Timer

from dualcost.lab import bench as contest
from dualcost.lab.child.lanes import Call, Loaded
from dualcost.lab.race import EAGER, Conditions, Contender

MODELS = ("resnet50", "mobilenet_v2", "vgg16", "zoo:mobilenetv2-cifar")
CONDITIONS = Conditions("cuda")


def peer_s(contender: Contender, budget_s: float) -> float:
    """Seconds of one forward, the median by torch's timer."""
    torch.backends.cudnn.benchmark = True  # as in a race
    loaded = Loaded(CONDITIONS)
    with torch.inference_mode():
        loaded.build(contender)
        _, call = loaded.call(contender)
        if contender.mode != EAGER:
            call = captured(call)
        found = Timer("call()", globals={"call": call}).blocked_autorange(min_run_time=budget_s)
    return float(found.median)


def captured(call: Call) -> Call:
    """The replay of a graph of a call."""
    call()  # cuDNN chooses
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        call()
    return graph.replay


def main() -> None:
    """Measure each model by both."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", default=MODELS)
    parser.add_argument("--budget", type=float, default=5.0, help="seconds of each measurement")
    words = parser.parse_args()
    if not torch.cuda.is_available():
        parser.error("torch finds no GPU on this machine")
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}")
    print(f"{'model':24}{'mode':12}{'dualcost':>11}{'torch':>11}{'ratio':>8}")
    for model in words.models:
        race = contest.race([model], conditions=CONDITIONS, budget_s=words.budget)
        for standing in contest.run(race).standings:
            contender, ours_s = standing.run.contender, standing.run.felt_s
            theirs_s = peer_s(contender, words.budget)
            print(
                f"{model:24}{contender.mode:12}{ours_s * 1e3:8.4f} ms{theirs_s * 1e3:8.4f} ms"
                f"{ours_s / theirs_s:8.3f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
