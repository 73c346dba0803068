"""The paper's networks raced here: sheets for the terminal and Markdown, CSV, and JSON.

Ratios alone are shown: the times behind them say nothing about another machine.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from dualcost.lab.measurement import Comparison, Ratio
from dualcost.paper.correlation import ALL, Correlation, correlations
from dualcost.paper.latency import IMPLEMENTATIONS, PRINTED, Entry, Place, Result
from dualcost.paper.orderings import Order, orders
from dualcost.render.bench import sentence
from dualcost.render.paper.tables import SCHEMA, Sheet
from dualcost.units import duration, percent
from dualcost.version import __version__

DEVICES = {"cpu": "CPU", "cuda": "GPU"}
MACHINES = {"cpu": "i7-8700", "cuda": "V100"}  # of the paper (section IV-G)
NOTHING = "–"


def latency_sheets(results: Sequence[Result]) -> list[Sheet]:
    """A sheet for each network and device, the orderings, and the correlations."""
    sheets = [_result_sheet(result) for result in results]
    found = orders(results)
    if found:
        sheets.append(_orders_sheet(found))
    return [*sheets, _correlations_sheet(results)]


def _result_sheet(result: Result) -> Sheet:
    columns = sorted(PRINTED, key=lambda device: device != result.device)
    names = result.modes if len(result.modes) > 1 else ("here",)
    return Sheet(
        f"Table {result.backbone.table}: times over that of {result.backbone.standard.model}, "
        f"on the {DEVICES[result.device]} here",
        (
            ("row", False),
            ("MACs", True),
            *((name, True) for name in names),
            *((MACHINES[device], True) for device in columns),
        ),
        tuple(_line(result, places, columns) for places in _by_entry(result)),
        tuple(line for comparison in result.comparisons for line in _trust(comparison)),
    )


def _by_entry(result: Result) -> list[list[Place | None]]:
    """For each entry its place in every mode, None where it did not run."""
    modes = [{place.entry: place for place in result.places(mode)} for mode in result.modes]
    return [
        [places.get(entry) for places in modes]
        for entry in result.backbone.entries
        if any(entry in places for places in modes)
    ]


def _line(
    result: Result, places: Sequence[Place | None], columns: Sequence[str]
) -> tuple[str, ...]:
    known = next(place for place in places if place)
    macs = known.standing.macs
    printed = [result.backbone.printed(known.entry.row, device) for device in columns]
    return (
        _name(known.entry),
        NOTHING if macs is None else f"{macs:.3f}",
        *(_interval(place.standing.undisturbed) if place else NOTHING for place in places),
        *(_three(ratio) for ratio in printed),
    )


def _name(entry: Entry) -> str:
    return ", ".join(filter(None, (entry.row.model, entry.implementation)))


def _interval(ratio: Ratio) -> str:
    exact = ratio.low == ratio.high
    return "1" if exact else f"{ratio.value:.3f} ± {ratio.half_width:.3f}"


def _three(ratio: float | None) -> str:
    return NOTHING if ratio is None else f"{ratio:.3f}"


def _trust(comparison: Comparison) -> list[str]:
    """How far a race can be trusted."""
    controls = ", ".join(f"{one.value:.3f}" for one in comparison.controls.values())
    end = (
        f"{comparison.rounds} rounds in {duration(comparison.elapsed_s)}, halves of which differ "
        f"by {percent(comparison.spread)}; a copy of the first took {controls} of its time"
    )
    ended = ["interrupted, so that intervals are wider"] * (comparison.ended == "interrupted")
    return [end, *ended, sentence(comparison), *comparison.notes]


def _orders_sheet(found: Sequence[Order]) -> Sheet:
    said = dict.fromkeys(order.ordering.words for order in found)
    several = len({(order.result.device, order.mode) for order in found}) > 1
    return Sheet(
        "Which network is faster, as the paper says",
        (
            ("network", False),
            ("faster", False),
            ("slower", False),
            ("paper", True),
            ("here", True),
            ("verdict", False),
        ),
        tuple(
            (
                _where(order.result.backbone.name, order.result.device, order.mode, several),
                str(order.faster.variant),
                str(order.slower.variant),
                _three(order.printed),
                _interval(order.ratio),
                order.verdict,
            )
            for order in found
        ),
        (
            f"It says: {'; '.join(said)}",
            "paper, here: the time of the slower over that of the faster; the verdict is within "
            "the interval if that holds 1",
        ),
    )


def _where(name: str, device: str, mode: str, several: bool) -> str:
    """A network, and where it ran if there are several such places."""
    return f"{name}, {DEVICES[device]} {mode}" if several else name


def _correlations_sheet(results: Sequence[Result]) -> Sheet:
    found = correlations(results)
    several = len({(one.device, one.mode) for one in found}) > 1
    ranked = dict.fromkeys((one.device, one.mode, one.of) for one in found)
    columns = [(device, form) for device in PRINTED for form in IMPLEMENTATIONS]
    cells = {
        (one.device, one.mode, one.of, one.column, one.implementation): _ranks(one) for one in found
    }
    lines = []
    for device, mode, of in ranked:
        name = _where(of, device, mode, several)
        lines.append((name, *(cells[device, mode, of, *column] for column in columns)))
    return Sheet(
        "Rank correlation of ratios here with the printed ones (Spearman)",
        (
            ("networks", False),
            *((f"{MACHINES[device].split('-')[0]} {form}", True) for device, form in columns),
        ),
        tuple(lines),
        (
            "grouped, branches: the form of het that is taken; in brackets, of how many networks",
            *["all: without the standard networks, whose ratio is 1 everywhere"]
            * any(one.of == ALL for one in found),
            *dict.fromkeys(
                f"Here: {comparison.machine}"
                for result in results
                for comparison in result.comparisons
            ),
        ),
    )


def _ranks(one: Correlation) -> str:
    return NOTHING if one.value is None else f"{one.value:+.2f} ({one.count})"


def _records(results: Sequence[Result]) -> list[dict[str, Any]]:
    """One record for each row, form of het, device and mode."""
    return [
        {
            "table": result.backbone.table,
            "backbone": result.backbone.name,
            "id": place.entry.row.id,
            "model": place.entry.row.model,
            "conv": place.entry.row.kind,
            "divisor": place.entry.row.divisor,
            "implementation": place.entry.implementation,
            "device": result.device,
            "mode": mode,
            "macs_ratio": place.standing.macs,
            **_numbers("ratio", place.standing.undisturbed),
            **_numbers("felt_ratio", place.standing.felt),
            "printed_cpu_ratio": result.backbone.printed(place.entry.row, "cpu"),
            "printed_gpu_ratio": result.backbone.printed(place.entry.row, "cuda"),
        }
        for result in results
        for mode in result.modes
        for place in result.places(mode)
    ]


def _numbers(name: str, ratio: Ratio) -> dict[str, float]:
    return {name: ratio.value, f"{name}_low": ratio.low, f"{name}_high": ratio.high}


def latency_csv(results: Sequence[Result]) -> str:
    """One line for each row, form of het, device and mode."""
    records = _records(results)
    text = io.StringIO()
    writer = csv.DictWriter(text, records[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return text.getvalue()


def latency_json(results: Sequence[Result]) -> str:
    """The same, with the races, the orderings and the correlations."""
    document = {
        "schema": SCHEMA,
        "dualcost": __version__,
        "races": [
            _race(result, comparison) for result in results for comparison in result.comparisons
        ],
        "rows": _records(results),
        "orderings": [_order(order) for order in orders(results)],
        "correlations": [asdict(one) for one in correlations(results)],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _race(result: Result, comparison: Comparison) -> dict[str, Any]:
    return {
        "table": result.backbone.table,
        "backbone": result.backbone.name,
        "network": result.backbone.network,
        "variants": [str(one.run.contender.variant) for one in comparison.standings],
        "conditions": asdict(comparison.race.conditions),
        "settings": comparison.settings,
        "machine": comparison.machine.to_json(),
        "target": comparison.race.target,
        "budget_s": comparison.race.budget_s,
        "ended": comparison.ended,
        "elapsed_s": comparison.elapsed_s,
        "rounds": comparison.rounds,
        "spread": comparison.spread,
        "disturbed": comparison.disturbed,
        "sentence": sentence(comparison),
        "notes": list(comparison.notes),
        "controls": {mode: asdict(ratio) for mode, ratio in comparison.controls.items()},
    }


def _order(order: Order) -> dict[str, Any]:
    return {
        "says": order.ordering.words,
        "faster": order.faster.row.id,
        "faster_implementation": order.faster.implementation,
        "slower": order.slower.row.id,
        "slower_implementation": order.slower.implementation,
        "device": order.result.device,
        "mode": order.mode,
        "printed": order.printed,
        **_numbers("ratio", order.ratio),
        "verdict": order.verdict,
    }
