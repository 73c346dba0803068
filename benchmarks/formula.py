"""What a closed form saves: a network's cost at other sizes and G, beside tracing it again.

    python benchmarks/formula.py [MODEL …] [--write]

The form is made once, from one trace with symbols; then it is evaluated at sizes at which the model
is also built, traced and profiled, and both must give the same integers. All run in one process.
"""

from __future__ import annotations

import time

from results import WORDS, deliver

from dualcost.costs.closedform import closed_form
from dualcost.costs.profile import profile
from dualcost.library import networks as library
from dualcost.network.network import TensorSpec
from dualcost.nn.sources.sources import find
from dualcost.rewrite.request import Request

MODELS = ("torchvision:resnet50", "torchvision:vgg16", "torchvision:densenet121")
POINTS = [(1, 224, 2), (1, 160, 4), (8, 192, 8), (2, 320, 2), (4, 256, 4), (16, 288, 8)]


def main(names: tuple[str, ...]) -> None:
    """Report for each model how long the form takes once, and how much faster a point is then."""
    rows = []
    for name in names:
        start = time.perf_counter()
        form = closed_form(library.load_symbolic(name), Request.parse("dual", open=True))
        made = time.perf_counter() - start
        find(name).trace()  # what torch imports when it first traces
        start = time.perf_counter()
        evaluated = [form.at(B=batch, H=side, W=side, G=G) for batch, side, G in POINTS]
        point = (time.perf_counter() - start) / len(POINTS)
        start = time.perf_counter()
        traced = [
            profile(
                find(name).trace((TensorSpec((batch, 3, side, side)),)), Request.parse("dual", G=G)
            ).after
            for batch, side, G in POINTS
        ]
        again = (time.perf_counter() - start) / len(POINTS)
        for one, other in zip(evaluated, traced, strict=True):
            assert (one.macs, one.params) == (other.macs, other.params), name
        times = f"{made:.2f} s", f"{1e3 * point:.2f} ms", f"{1e3 * again:.1f} ms"
        rows.append((name.partition(":")[2], *times, f"{again / point:,.0f}"))
    titles = ("model", "making the form, once", "a point", "traced again", "ratio")
    deliver("formula", titles, rows)


if __name__ == "__main__":
    main(tuple(WORDS) or MODELS)
