"""What counters leave behind: a model before and after each of them has counted it.

    python benchmarks/leftovers.py

A model in train mode is counted by each counter that is installed, in a process of its own, as
its documentation shows. Then everything that the model holds is compared with what it held: hooks,
buffers, attributes, the mode of each module, the numbers in its parameters and buffers.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys

PROGRAMS = {
    "dualcost": ("dualcost", "import dualcost\ndualcost.profile(model, input='1x3x32x32')"),
    "FlopCounterMode": (
        "torch",
        "from torch.utils.flop_counter import FlopCounterMode\n"
        "with FlopCounterMode(display=False): model(x)",
    ),
    "fvcore": (
        "fvcore",
        "from fvcore.nn import FlopCountAnalysis\nFlopCountAnalysis(model, x).total()",
    ),
    "ptflops": (
        "ptflops",
        "from ptflops import get_model_complexity_info\n"
        "get_model_complexity_info(model, (3, 32, 32), print_per_layer_stat=False)",
    ),
    "thop": ("thop", "from thop import profile\nprofile(model, (x,), verbose=False)"),
    "torchinfo": (
        "torchinfo",
        "from torchinfo import summary\nsummary(model, input_data=x, verbose=0)",
    ),
    "calflops": (
        "calflops",
        "from calflops import calculate_flops\n"
        "calculate_flops(model, (1, 3, 32, 32), print_results=False)",
    ),
}

PROGRAM = """
import json, logging, warnings
warnings.simplefilter("ignore"); logging.disable(50)
import torch
from torch import nn

def held():
    found = {}
    for path, module in model.named_modules():
        found[path, "mode"] = module.training
        found[path, "hooks"] = sum(
            len(value) for name, value in vars(module).items() if name.endswith("_hooks")
        )
        for name, value in vars(module).items():
            if not name.startswith("_"):
                found[path, "attributes", name] = None
        for kind in ("parameters", "buffers"):
            for name, value in getattr(module, f"named_{kind}")(recurse=False):
                found[path, kind, name] = value.detach().clone().tolist()
        if "forward" in vars(module):
            found[path, "forward"] = repr(vars(module)["forward"])
    return found

torch.manual_seed(0)
model = nn.Sequential(
    nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
    nn.Linear(8, 4),
).train()
x = torch.rand(1, 3, 32, 32)
before, state = held(), torch.random.get_rng_state()
BODY
after = held()
keys = dict.fromkeys([*before, *after])
changed = [key for key in keys if before.get(key, "-") != after.get(key, "-")]
print(json.dumps([sorted({" ".join(key[1:]) for key in changed}),
                  not torch.equal(state, torch.random.get_rng_state())]))
"""


def left(counter: str) -> str:
    """What a counter changed in the model, in words."""
    program = PROGRAM.replace("BODY", PROGRAMS[counter][1])
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    if done.returncode:
        return f"failed: {done.stderr.strip().splitlines()[-1]}"
    changed, drawn = json.loads(done.stdout.splitlines()[-1])
    return ", ".join(changed + ["the state of the random generator"] * drawn) or "nothing"


def main() -> None:
    """Print a line for each counter."""
    for counter, (module, _) in PROGRAMS.items():
        if importlib.util.find_spec(module):
            print(f"{counter:16} {left(counter)}", flush=True)


if __name__ == "__main__":
    main()
