"""How many points a second: a sweep over arrays, one profile a point, and one trace a point.

    python benchmarks/sweep.py [MODEL …] [--write]

All three run in turn in one process, several rounds, and the least time counts. The sweep has a
million (kind, G) points; of profiles and traces only as many are made as the time allows, and some
of the sweep's points are compared with profiles. Building and tracing the model as it is stands for
what a point costs without recipes; converting it would come on top.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from results import WORDS, deliver

from dualcost.costs.profile import profile
from dualcost.library import networks as library
from dualcost.network.network import Network
from dualcost.nn.sources.source import Source
from dualcost.nn.sources.sources import find
from dualcost.search.sweep.arrays import Sweep, sweep
from dualcost.search.sweep.rows import Replacing

# a rule for networks of blocks
MODELS = {
    "resnet50": "default",
    "resnet152": "default",
    "inception_v3": "default",
    "mobilenet_v2": "inverted-residual",
    "efficientnet_b7": "inverted-residual",
}
KINDS = ("dual", "group")
POINTS = 10**6
ROUNDS = 3
PROFILES = 64
TRACES = 2


def least(work: Callable[[], object]) -> float:
    """Seconds of the fastest of ROUNDS runs."""
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def checked(found: Sweep, network: Network, way: Replacing, divisors: np.ndarray[Any, Any]) -> int:
    """Compare points with profiles, and say how many different costs there are."""
    for index in np.random.default_rng(1).integers(0, len(divisors), PROFILES):
        wanted = profile(network, way.request(KINDS[0]).at(int(divisors[index]))).after
        assert (found.macs[index], found.params[index]) == (wanted.macs, wanted.params)
    return len(np.unique(found.macs.compressed()))


def main(models: dict[str, str]) -> None:
    """Report seconds of the sweep, and points a second of the other ways."""
    divisors = np.arange(1, POINTS // len(KINDS) + 1)
    rows = []
    for name, where in models.items():
        network = library.load(name)
        way = Replacing(where, "gcd")
        found = sweep(network, KINDS, divisors, way=way)
        costs = checked(found, network, way, divisors)

        def arrays(network: Network = network, way: Replacing = way) -> None:
            sweep(network, KINDS, divisors, way=way)

        def profiles(network: Network = network, way: Replacing = way) -> None:
            for divisor in range(1, PROFILES + 1):
                profile(network, way.request(KINDS[0]).at(divisor))

        source = find(network.name)

        def traces(source: Source = source, network: Network = network) -> None:
            for _ in range(TRACES):
                source.trace(network.inputs)

        rows.append(
            (
                name,
                f"{least(arrays):.2f} s",
                f"{PROFILES / least(profiles):,.0f} points/s",
                f"{TRACES / least(traces):.1f} points/s",
                f"{costs}",
            )
        )
    titles = ("model", "sweep of 10⁶ points", "`profile()`", "build and trace", "different costs")
    deliver("sweep", titles, rows)


if __name__ == "__main__":
    main({name: MODELS.get(name, "default") for name in WORDS} or MODELS)
