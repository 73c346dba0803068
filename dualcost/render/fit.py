"""A network fitted to its budgets, as a table, as JSON, and as the comment of a plan."""

from __future__ import annotations

import json
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from dualcost import units
from dualcost.costs.metrics import BY_LAYER, METRICS
from dualcost.network.cost import Cost
from dualcost.render.profile import heading
from dualcost.render.solve import headroom
from dualcost.render.terminal import plain_table
from dualcost.search.fit.budget import LATENCY
from dualcost.search.fit.fitted import LAYERS, OBJECTIVES, SECONDS, Fitted, Layer
from dualcost.search.solve import Reading
from dualcost.version import __version__

SCHEMA = 1
ACCURACY = "accuracy is not modelled: train and test the result"


def fitted_table(fitted: Fitted, all_layers: bool = False) -> RenderableType:
    """What each layer becomes, the budgets, and how good the plan is."""
    profile = fitted.profile
    layers = fitted.layers if all_layers else fitted.changed
    title = f"{profile.network}: {_changed(fitted)}, {OBJECTIVES[fitted.wish.objective]}"
    parts: list[RenderableType] = [
        Text(title, style="bold"),
        Text(f"input  {', '.join(str(spec) for spec in profile.inputs)}", style="dim"),
        "",
    ]
    if layers:
        parts += [_layers(layers), ""]
    parts += [_budgets(fitted), ""]
    parts += [Text(line, style="dim") for line in _notes(fitted)]
    parts += [Text(line) for line in _comparison(fitted)]
    style = "bold green" if fitted.fits else "bold red"
    return Group(*parts, Text(_conclusion(fitted), style), Text(ACCURACY, "yellow"))


def _changed(fitted: Fitted) -> str:
    return f"{len(fitted.changed)} of {len(fitted.layers)} layers changed"


def _layers(layers: tuple[Layer, ...]) -> Table:
    table = plain_table()
    for title in ("layer", "M→N", "was", "becomes"):
        table.add_column(title, justify="right" if title == "M→N" else "left", overflow="fold")
    for title in ("params saved", "MACs saved"):
        table.add_column(title, justify="right", no_wrap=True)
    for layer in layers:
        table.add_row(
            layer.path or "(root)",
            f"{layer.M}→{layer.N}",
            str(layer.was or ""),
            str(layer.becomes or ""),
            _saved(layer.before.params, layer.after.params),
            _saved(layer.before.macs, layer.after.macs),
            style="" if layer.becomes else "dim",
        )
    return table


def _saved(before: int, after: int) -> str:
    """What is saved; what is added has a minus."""
    if before == after:
        return ""
    sign = "−" if after > before else ""
    return f"{sign}{units.count(abs(before - after))}"


def _budgets(fitted: Fitted) -> Table:
    """A row for each budget, and the totals that are always of interest."""
    table = plain_table()
    table.add_column("budget")
    for title in ("before", "after", "headroom"):
        table.add_column(title, justify="right")
    table.add_column("")
    if not fitted.fits:
        table.add_column("reachable", justify="right")
    for before, after, reach in zip(fitted.before, fitted.readings, fitted.reach, strict=True):
        said = after.constraint.said
        verdict = Text("holds", "green") if after.met else Text("fails", "bold red")
        cells: list[str | Text] = [
            after.constraint.text, said(before.value), said(after.value), headroom(after), verdict
        ]  # fmt: skip
        if not fitted.fits:
            cells.append(said(reach.value))
        table.add_row(*cells)
    limited = {reading.constraint.metric.name for reading in fitted.readings}
    costs = fitted.profile.before, fitted.profile.after
    for metric in (METRICS["params"], METRICS["macs"]):
        if metric.name not in limited:
            shown = (metric.unit.text(metric.of_cost(cost)) for cost in costs)
            table.add_row(metric.label, *shown, style="dim")
    return table


def _notes(fitted: Fitted) -> list[str]:
    profile = fitted.profile
    lines = [f"note: {note}" for note in profile.notes]
    if profile.partial:
        lines += [f"{label}: {text}" for label, text in heading.not_counted(profile)]
    if profile.latency is not None:
        about = [fact for fact in heading.tool(profile) if fact[0] in ("machine", "caution")]
        lines += [f"{label}: {text}" for label, text in (*heading.latency(profile), *about)]
    return lines


def _worth(fitted: Fitted, worth: int) -> str:
    """The sum of an objective in its unit: "5.557 M parameters removed"."""
    if fitted.wish.objective == SECONDS:
        return f"~{units.duration(worth / 10**9)}"
    if fitted.wish.objective == LAYERS:
        return f"{worth} layer{'s' * (worth != 1)} touched"
    return f"{units.count(worth)} parameters removed"


def _comparison(fitted: Fitted) -> list[str]:
    """The plan beside the best single kind and G."""
    if not fitted.fits or fitted.rewrite is None:
        return []
    uniform = fitted.uniform
    lines = [f"this plan     {_worth(fitted, fitted.worth)} ({_optimal(fitted)})"]
    if uniform is None:
        return [*lines, "uniform       no single kind and number meets the budgets"]
    one = f"{uniform.choice} at {uniform.sites} site{'s' * (uniform.sites != 1)}"
    lines.append(f"best uniform  {_worth(fitted, uniform.worth)}: {one}")
    return [*lines, f"difference    {_better(fitted, uniform.worth)}"]


def _optimal(fitted: Fitted) -> str:
    if fitted.gap is None:
        return "it is not known how near this is to the least"
    if not fitted.gap:
        return "no plan has less: gap 0%"
    return f"gap: at most {100 * fitted.gap:.1g}% above the least"


def _better(fitted: Fitted, uniform: int) -> str:
    more = fitted.difference
    if not more:
        return "none: the uniform choice is equally good"
    share = f" ({units.percent(more / uniform)})" if uniform else ""
    if fitted.wish.objective == SECONDS:
        return f"{units.duration(more / 10**9)} less{share}"
    if fitted.wish.objective == LAYERS:
        return f"{more} layer{'s' * (more != 1)} fewer{share}"
    return f"{units.count(more)} fewer{share}"


def _conclusion(fitted: Fitted) -> str:
    if fitted.rewrite is None and fitted.fits:
        return "the network meets all budgets as it is"
    if fitted.fits and fitted.profile.partial:
        return "all budgets are met by what is counted, but MACs are a lower bound"
    if fitted.fits:
        return "all budgets are met"
    alone = [reading for reading in fitted.reach if not reading.met]
    if alone:
        shown = ", ".join(
            f"“{one.constraint}” is out of reach: {one.constraint.said(one.value)} at best"
            for one in alone
        )
        return f"no plan meets the budgets; {shown}. Above is the nearest plan"
    return "each budget can be met, but not all at once; above is the nearest plan"


def about(fitted: Fitted) -> list[str]:
    """What the comment of a plan says: for which network, and what it makes of the budgets."""
    profile = fitted.profile
    return [
        f"dualcost {__version__}: fit {profile.network}, {OBJECTIVES[fitted.wish.objective]}",
        f"input {', '.join(str(spec) for spec in profile.inputs)}",
        *(f"{one.constraint}: {one.constraint.said(one.value)}" for one in fitted.readings),
        ACCURACY,
    ]


def fitted_json(fitted: Fitted) -> str:
    """The same for machines: exact integers, bytes in bytes, latencies in nanoseconds."""
    profile, uniform = fitted.profile, fitted.uniform
    document = {
        "schema": SCHEMA,
        "network": profile.network,
        "inputs": [str(spec) for spec in profile.inputs],
        "convention": profile.convention.name,
        "fits": fitted.fits,
        "objective": fitted.wish.objective,
        "worth": fitted.worth,
        "bound": fitted.bound,
        "gap": fitted.gap,
        "budgets": [
            {**_reading(after), "before": before.value, "reachable": reach.value}
            for before, after, reach in zip(
                fitted.before, fitted.readings, fitted.reach, strict=True
            )
        ],
        "rewrite": fitted.rewrite.words() if fitted.rewrite else None,
        "total": {"before": _cost(profile.before), "after": _cost(profile.after)},
        "layers": [_layer(layer) for layer in fitted.layers],
        "uniform": {
            "kind": uniform.choice.kind.name,
            "divisor": uniform.choice.divisor,
            "sites": uniform.sites,
            "worth": uniform.worth,
            "difference": fitted.difference,
            "budgets": [_reading(reading) for reading in uniform.readings],
        }
        if uniform
        else None,
        "partial": profile.partial,
        "notes": list(profile.notes),
        "accuracy": ACCURACY,
        "versions": heading.versions(profile),
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _reading(reading: Reading) -> dict[str, Any]:
    constraint = reading.constraint
    return {
        "budget": constraint.text,
        "metric": constraint.metric.name,
        "unit": "ns" if constraint.metric is LATENCY else constraint.metric.unit,
        "limit": constraint.limit,
        "value": reading.value,
        "headroom": reading.headroom,
        "met": reading.met,
    }


def _layer(layer: Layer) -> dict[str, Any]:
    return {
        "path": layer.path,
        "M": layer.M,
        "N": layer.N,
        "was": str(layer.was or ""),
        "becomes": str(layer.becomes) if layer.becomes else None,
        "before": _cost(layer.before),
        "after": _cost(layer.after),
    }


def _cost(cost: Cost) -> dict[str, int]:
    return {one.key: one.of_cost(cost) for one in BY_LAYER.values()}
