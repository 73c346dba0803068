"""How long the best plan of a network takes to find, beside one profile of it and one trace.

    python benchmarks/fit.py [MODEL …] [--write]

All run in turn in one process, several rounds, and the least time counts. `choices` costs every
kind with every G at every site, and `program` is HiGHS alone, without the profiles around it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from math import log10

from results import WORDS, deliver

from dualcost.costs.metrics import METRICS
from dualcost.costs.profile import profile
from dualcost.library import networks as library
from dualcost.nn.sources.sources import find
from dualcost.rewrite.rule import Rule
from dualcost.search.fit.budget import budgets
from dualcost.search.fit.choices import Group, choices
from dualcost.search.fit.fit import Problem, fit, offered
from dualcost.search.fit.fitted import Wish
from dualcost.search.fit.program import solve

# a rule that finds something to replace
MODELS = {
    "resnet152": "default",
    "efficientnet_b7": "inverted-residual",
    "convnext_large": "kernel>1 first=no",
}
KINDS = ("dual", "group")
SHARES = {"params": 60, "macs": 50}  # how far of what can be reached, in percent
ROUNDS = 3


def least(work: Callable[[], object], rounds: int = ROUNDS) -> float:
    """Seconds of the fastest of some runs."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def main(models: dict[str, str]) -> None:
    """Report seconds of each step, and the whole fit as a multiple of a profile and of a trace."""
    rows = []
    for name, where in models.items():
        network, rule = library.load(name), Rule.parse(where)
        offer = offered(network, rule, KINDS)
        known = choices(network, offer, rule)
        reach = fit(network, Wish(budgets([f"{metric}=1" for metric in SHARES])), KINDS, rule=rule)
        limits = []
        for reading, (metric, share) in zip(reach.reach, SHARES.items(), strict=True):
            before = METRICS[metric].of(known.base.whole_before)
            limits.append(f"{metric} <= {before - (before - reading.value) * share // 100}")
        wish = Wish(budgets(limits))
        found = fit(network, wish, KINDS, rule=rule)
        assert found.fits
        seconds = {
            "choices": least(partial(choices, network, offer, rule)),
            "program": least(partial(solve, Problem(known, wish).program)),
            "fit": least(partial(fit, network, wish, KINDS, rule=rule)),
            "profile": least(partial(profile, network)),
            "trace": least(partial(find(network.name).trace, network.inputs), 1),
        }
        whole = seconds["fit"]
        rows.append(
            (
                name,
                _plans(known.groups),
                *(f"{seconds[step]:.2f} s" for step in ("choices", "program", "fit")),
                f"{whole / seconds['profile']:.0f}",
                f"{whole / seconds['trace']:.2f}",
                f"{found.gap:.1e}" if found.gap else "0",
            )
        )
    titles = (
        *("model", "plans", "choosing what each site may become", "program", "fit"),
        *("fit / profile", "fit / trace", "gap"),
    )
    deliver("fit", titles, rows)


def _plans(groups: tuple[Group, ...]) -> str:
    """How many plans there are, as a power of ten."""
    return f"10^{sum(log10(1 + len(group.changes)) for group in groups):.0f}"


if __name__ == "__main__":
    main({name: MODELS.get(name, "default") for name in WORDS} or MODELS)
