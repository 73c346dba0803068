"""What would make a model fit: the fewest layers that become something else (`fit`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor

from dualcost.errors import UsageError
from dualcost.gate.appraisal import of_profile
from dualcost.gate.budget import FAIL, Verdict, judge
from dualcost.gate.config import Model
from dualcost.gate.metrics import OF_LAYERS, said, unit
from dualcost.kinds.choice import Choice
from dualcost.kinds.kinds import DUAL, GROUP
from dualcost.library import networks as library
from dualcost.network.cost import Convention, convention
from dualcost.network.network import Network
from dualcost.search.fit.budget import budgets as parsed
from dualcost.search.fit.fit import fit
from dualcost.search.fit.fitted import LAYERS, Fitted, Wish
from dualcost.units import Unit

KINDS = ((DUAL.name,), (DUAL.name, GROUP.name))  # the second where the first is not enough
NAMED = 3  # layers of one kind that are named; the others are counted


@dataclass(frozen=True)
class Wanted:
    """A metric, the largest value that it may have, and the value that it has."""

    metric: str
    high: int
    now: int


def wanted(verdicts: Sequence[Verdict]) -> tuple[Wanted, ...]:
    """What a rewrite would have to bring down: the maxima of the whole model, the missed ones too.

    A budget that holds today has to hold after the rewrite as well. Empty, if none is missed.
    """
    lowest: dict[str, Wanted] = {}
    missed = False
    for one in verdicts:
        if one.metric in OF_LAYERS and one.bound == "max" and not one.layers:
            missed = missed or not one.passed
            asked = Wanted(one.metric, floor(one.limit), int(one.now))
            known = lowest.get(one.metric, asked)
            lowest[one.metric] = min(asked, known, key=lambda want: want.high)
    return tuple(lowest.values()) if missed else ()


def advise(
    model: Model,
    asked: Sequence[Wanted],
    announce: library.Announce = lambda message: None,
) -> str:
    """The cheapest rewrite that would fit, in a sentence; or how near one comes.

    Args:
        model: as configured; what it replaces already is free to become something else.
        asked: what must be brought down.
        announce: told what is about to take a while.

    Raises:
        DualcostError: the model cannot be found or run.
    """
    network = library.load(model.target, model.inputs, None, announce, model.example, model.rules)
    texts = [f"{one.metric} <= {one.high}{_unit(one.metric)}" for one in asked]
    try:
        found = _fitted(network, Wish(parsed(texts), LAYERS), convention(model.convention))
    except UsageError as error:
        return f"no rewrite is known: {error.message}"
    rewritten = _sites(found)
    if not rewritten:
        return "as it is, without a rewrite, it fits" if found.fits else "no rewrite is known"
    start = f"{rewritten} saves {_savings(found, asked)}"
    if found.fits:
        return f"try {start}: {_all_in_all(model, found, announce)}"
    short = (
        f"{reading.constraint.metric.name} by "
        f"{said(reading.constraint.metric.name, reading.value - reading.constraint.limit)}"
        for reading in found.readings
        if not reading.met
    )
    return f"{start}: still over in {', '.join(short)}"


def _fitted(network: Network, wish: Wish, counted: Convention) -> Fitted:
    for kinds in KINDS:
        found = fit(network, wish, kinds, convention=counted)
        if found.fits:
            break
    return found


def _all_in_all(model: Model, found: Fitted, announce: library.Announce) -> str:
    """Whether all other limits hold, too: those of layers, of savings, of the peak."""
    verdicts = judge(model, of_profile(model, found.profile, announce), None, ())
    missed = [verdict.name for verdict in verdicts if verdict.status == FAIL]
    return f"fits, but for {', '.join(missed)}" if missed else "fits"


def _unit(metric: str) -> str:
    return " B" if unit(metric) is Unit.BYTES else ""


def _sites(found: Fitted) -> str:
    """The layers that become something else, by what they become."""
    paths: dict[Choice | None, list[str]] = {}
    for layer in found.changed:
        paths.setdefault(layer.becomes, []).append(layer.path)
    parts = []
    for becomes, layers in paths.items():
        more = f" and {len(layers) - NAMED} more" if layers[NAMED:] else ""
        parts.append(f"{becomes} on {', '.join(layers[:NAMED])}{more}")
    return "; ".join(parts)


def _savings(found: Fitted, asked: Sequence[Wanted]) -> str:
    """What falls, against what the model costs now."""
    now = {one.metric: one.now for one in asked}
    saved = (
        (reading.constraint.metric.name, now[reading.constraint.metric.name] - reading.value)
        for reading in found.readings
    )
    return ", ".join(f"{said(name, value)} {name}" for name, value in saved if value > 0)
