"""Races of the paper's networks whose times are known, for the tests of what is made of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from support.races import HERE, SPEC, TRUE_S, run_of

from dualcost.lab.measurement import Comparison
from dualcost.lab.race import EAGER, Conditions, Contender, Race, Variant, field_of
from dualcost.paper.latency import Backbone, backbones

ALL_TABLES = ("V", "VI", "VII")


def backbone(name: str) -> Backbone:
    return next(one for one in backbones(ALL_TABLES) if one.name == name)


def raced(
    of: Backbone,
    times: dict[str, float],
    *,
    conditions: Conditions | None = None,
    modes: Sequence[str] = (EAGER,),
    control: float = 1.0,
    noise: float = 1e-4,
    ended: str = "target",
) -> Comparison:
    """A race in which each variant takes its time of `times`, by its text; "" is the first's."""
    variants = [Variant(), *(e.variant for e in of.entries if str(e.variant) in times)]
    contenders = [Contender(of.network, SPEC, one, macs=100) for one in variants]
    field = tuple(field_of(contenders, modes))
    rng = np.random.default_rng(0)
    runs = []
    for contender in field:
        scale = control if contender.control else times.get(str(contender.variant), 1.0)
        segments = TRUE_S * scale * (1 + rng.exponential(noise, (24, len(TRUE_S))))
        runs.append(run_of(segments, contender))
    race = Race(field, conditions or Conditions())
    return Comparison(race, tuple(runs), HERE, 1.5, ended, {})


def as_printed(of: Backbone, het: float | None = None) -> dict[str, float]:
    """The times of a race that gives what is printed for the i7-8700, het what is said."""
    found = {}
    for entry in of.entries[1:]:
        printed = of.printed(entry.row, "cpu")
        if entry.implementation and het:
            printed = het
        if printed is not None:
            found[str(entry.variant)] = printed
    return found
