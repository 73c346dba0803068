"""What counting costs: dualcost beside FlopCounterMode and other counters, on the same models.

    python benchmarks/counters.py [MODEL …] [--write]

Every counter runs in a process of its own on each model, in turn, several rounds. Importing torch
and the counter, and building the model, are not timed; memory is what the process held at its
highest above that. dualcost and FlopCounterMode count on tensors without memory; the others need
real ones. Other counters take part if they are installed.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys

from results import WORDS, deliver

MODELS = ("resnet50", "mobilenet_v2", "vit_b_16", "regnet_y_128gf", "vit_h_14")
ROUNDS = 3
TIMEOUT_S = 300

# name of a counter: the module that it needs, and its program; `model` and `x` exist by then
PROGRAMS = {
    "dualcost": (
        "dualcost",
        "from dualcost.nn.trace import trace; from dualcost.profiles import profile\n"
        "from dualcost.site import TensorSpec",
        "total = profile(trace(model, [TensorSpec(tuple(x.shape))])).before.macs",
    ),
    "FlopCounterMode": (
        "torch",
        "from torch.utils.flop_counter import FlopCounterMode\n"
        "torch.backends.mha.set_fastpath_enabled(False)",
        "counter = FlopCounterMode(display=False)\n"
        "with counter, torch.no_grad(): model(x)\n"
        "total = counter.get_total_flops() // 2",
    ),
    "fvcore": (
        "fvcore",
        "from fvcore.nn import FlopCountAnalysis\nimport logging; logging.disable(50)",
        "total = int(FlopCountAnalysis(model, x).total())",
    ),
    "ptflops": (
        "ptflops",
        "from ptflops import get_model_complexity_info",
        "total = get_model_complexity_info(model, tuple(x.shape[1:]), as_strings=False,"
        " print_per_layer_stat=False)[0]",
    ),
    "thop": ("thop", "from thop import profile", "total = profile(model, (x,), verbose=False)[0]"),
    "torchinfo": (
        "torchinfo",
        "from torchinfo import summary",
        "total = summary(model, input_data=x, verbose=0).total_mult_adds",
    ),
    "calflops": (
        "calflops",
        "from calflops import calculate_flops",
        "options = {'print_results': False, 'output_as_string': False}\n"
        "total = calculate_flops(model, tuple(x.shape), **options)[1]",
    ),
}
ON_META = ("dualcost", "FlopCounterMode")

PROGRAM = """
import json, resource, sys, time, warnings
warnings.simplefilter("ignore")
import torch, torchvision
from dualcost.nn.build import build
{setup}
make = lambda: torchvision.models.get_model({model!r}, weights=None)
model = build(make, {model!r}, weights={real})
model.eval()
x = torch.empty(1, 3, 224, 224, device="cpu" if {real} else "meta")
def count():
{body}
    return int(total)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
times = []
for _ in range(3):  # the first run imports what torch needs only then
    start = time.perf_counter(); total = count(); times.append(time.perf_counter() - start)
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(json.dumps([total, min(times), grown / 1024]))
"""


Outcome = tuple[int, float, float] | str


def run(counter: str, model: str) -> Outcome:
    """Total, least seconds of three runs, and MiB; or why there is none."""
    _, setup, body = PROGRAMS[counter]
    indented = "\n".join(f"    {line}" for line in body.splitlines())
    real = counter not in ON_META
    program = PROGRAM.format(setup=setup, body=indented, model=model, real=real)
    try:
        done = subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT_S,
        )
    except subprocess.TimeoutExpired:
        return f"took more than {TIMEOUT_S} s"
    if done.returncode:
        return done.stderr.strip().splitlines()[-1][:60]
    total, seconds, mib = json.loads(done.stdout.splitlines()[-1])
    return total, seconds, mib


def main(models: tuple[str, ...]) -> None:
    """Report a few lines for each model; times are ratios to FlopCounterMode in the same round."""
    present = [name for name, (module, *_) in PROGRAMS.items() if importlib.util.find_spec(module)]
    rows: list[tuple[str, ...]] = []
    for model in models:
        rounds = [{name: run(name, model) for name in present} for _ in range(ROUNDS)]
        for name in present:
            found = line([results[name] for results in rounds], rounds)
            rows.append((model if name == present[0] else "", name, *found))
    titles = ("model", "counter", "total (MACs)", "time / FlopCounterMode", "MiB")
    deliver("counters", titles, rows, left=2)


def line(found: list[Outcome], rounds: list[dict[str, Outcome]]) -> tuple[str, str, str]:
    """Total, least ratio to FlopCounterMode in the same round, and memory; or why there is none."""
    ratios = []
    for ours, results in zip(found, rounds, strict=True):
        theirs = results["FlopCounterMode"]
        if isinstance(ours, str):
            return ours, "", ""
        if not isinstance(theirs, str):
            ratios.append(ours[1] / theirs[1])
        total, _, mib = ours
    shown = f"{min(ratios):.2f}" if ratios else "–"
    return f"{total:,}", shown, f"{mib:.1f}"


if __name__ == "__main__":
    main(tuple(WORDS) or MODELS)
