"""What a race measured, as a table and as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from dualcost.lab.measurement import BETWEEN, Comparison, Ratio, Standing, Trust
from dualcost.lab.race import Contender
from dualcost.render.terminal import plain_table
from dualcost.units import duration, percent
from dualcost.version import __version__

SCHEMA = 1
STYLES = {"faster": "green", "slower": "red", "not told apart": "yellow"}
ENDS = {
    "target": "the target of {target} was met",
    "budget": "the budget was spent before the target of {target} was met",
    "interrupted": "interrupted before the target of {target} was met",
}
LABELS = 10  # the columns that labels take


def measurement_table(comparison: Comparison) -> RenderableType:
    """One row per contender, the layers if they were timed, and how far all that can be trusted."""
    parts: list[RenderableType] = [
        Text(f"latency of {', '.join(_models(comparison))}", style="bold"),
        "",
    ]
    if comparison.race.by_layer:
        parts += [_layers(comparison), ""]
    style = "bold" if comparison.disturbed else ""
    facts = [
        ("best", "what a forward takes if nothing disturbs it: the least time of each part", ""),
        ("median", f"the median of all forwards; both are {_clock(comparison)}", ""),
        *(("control", line, "") for line in _controls(comparison)),
        ("trust", sentence(comparison), style),
        *(("note", note, "yellow") for note in comparison.notes),
        ("input", _inputs(comparison), ""),
        ("run", _conditions(comparison), ""),
        ("rounds", _end(comparison), ""),
        ("machine", str(comparison.machine), ""),
    ]
    table = plain_table()
    table.show_header = False
    table.add_column(style="dim", width=LABELS - 2)
    table.add_column(overflow="fold")
    for label, text, style in facts:
        table.add_row(label, Text(text, style))
    return Group(*parts, _standings(comparison), "", table)


def _clock(comparison: Comparison) -> str:
    """What the times of segments are of."""
    conditions = comparison.race.conditions
    if conditions.device != "cpu":
        return "times of the GPU"
    if conditions.threads > 1:
        return "times by the clock"
    return "processor time: waiting for the processor is no part of it"


def sentence(comparison: Comparison) -> str:
    """Whether the machine was disturbed, and which ratios can be trusted."""
    forwards = comparison.rounds * len(comparison.runs)
    why = (
        f"by the clock, waiting included, forwards took {comparison.slowdown:.0%} longer than best"
    )
    if comparison.switches:
        times = f"{comparison.switches} time{'s' * (comparison.switches != 1)}"
        why += f", and the system interrupted {forwards} forwards {times}"
    match comparison.trust:
        case Trust.BOTH:
            return f"The machine was quiet: {why}. Both ratios can be trusted."
        case Trust.BEST:
            return f"The machine was disturbed: {why}. Trust the ratios of best."
        case Trust.INTERVALS:
            return (
                f"The machine was disturbed: {why}. The ratios hold within their intervals; with "
                "more time, or in a quieter moment, the intervals would be narrower."
            )


def _models(comparison: Comparison) -> list[str]:
    return [*dict.fromkeys(run.contender.model for run in comparison.runs)]


def _inputs(comparison: Comparison) -> str:
    shown = (", ".join(map(str, run.contender.inputs)) for run in comparison.runs)
    return "; ".join(dict.fromkeys(shown))


def _conditions(comparison: Comparison) -> str:
    conditions = comparison.race.conditions
    modes = dict.fromkeys(run.contender.mode for run in comparison.runs)
    threads = f"{conditions.threads} thread{'s' * (conditions.threads != 1)}"
    words = [*modes, conditions.dtype, conditions.memory_format]
    if conditions.device == "cpu":
        words.append(threads)
    words += [name for name, value in comparison.settings.items() if value and "tf32" in name]
    return ", ".join(words)


def _label(contender: Contender, comparison: Comparison) -> str:
    words = [str(contender.variant)]
    if len(_models(comparison)) > 1:
        words.insert(0, contender.model.split(":", 1)[-1])
    if len(comparison.race.conditions.modes) > 1:
        words.append(contender.mode)
    return ", ".join(words)


def _standings(comparison: Comparison) -> RenderableType:
    table = plain_table()
    titles = ("variant", "MACs ratio", "best", "median", "ratio of best", "ratio of median")
    for title in titles:
        table.add_column(title, justify="left" if title == "variant" else "right")
    for standing in comparison.standings:
        run = standing.run
        first = run is comparison.first(run.contender.mode)
        table.add_row(
            _label(run.contender, comparison),
            "–" if standing.macs is None else f"{standing.macs:.3f}",
            duration(run.undisturbed_s),
            duration(run.felt_s),
            "1" if first else Text(_interval(standing.undisturbed), STYLES[standing.verdict]),
            "1" if first else _interval(standing.felt),
        )
    return table


def _interval(ratio: Ratio) -> str:
    return f"{ratio.value:.3f} ± {ratio.half_width:.3f}"


def _controls(comparison: Comparison) -> list[str]:
    lines = []
    for mode, control in comparison.controls.items():
        named = f" ({mode})" if len(comparison.race.conditions.modes) > 1 else ""
        lines.append(
            f"a copy of the first took {control.value:.3f} of its time{named}; no interval is "
            f"narrower than this difference"
        )
    unclear = [
        _label(one.run.contender, comparison) for one in comparison.standings if _unclear(one)
    ]
    if unclear:
        lines.append(f"no difference from the first was found: {'; '.join(unclear)}")
    return lines


def _unclear(standing: Standing) -> bool:
    is_first = standing.undisturbed.low == standing.undisturbed.high == 1
    return standing.verdict == "not told apart" and not is_first


def _end(comparison: Comparison) -> str:
    why = ENDS[comparison.ended].format(target=percent(comparison.race.target))
    return (
        f"{comparison.rounds} rounds in {comparison.elapsed_s:.1f} s; {why}: halves of the rounds "
        f"differ by {percent(comparison.spread)}"
    )


def _layers(comparison: Comparison) -> RenderableType:
    table = plain_table()
    table.add_column("layer", overflow="fold")
    for standing in comparison.standings:
        table.add_column(_label(standing.run.contender, comparison), justify="right")
    for layer in comparison.layers:
        cells = ["–" if seconds is None else duration(seconds) for seconds in layer.seconds]
        style = "dim" if layer.path == BETWEEN else ""
        table.add_row(layer.path or "(root)", *cells, style=style)
    wholes = [duration(standing.run.undisturbed_s) for standing in comparison.standings]
    table.add_row("the whole forward", *wholes, style="bold")
    return table


def measurement_json(comparison: Comparison) -> str:
    """The same for machines, with every sample: seconds, and ratios to the first of the mode."""
    race = comparison.race
    document: dict[str, Any] = {
        "schema": SCHEMA,
        "dualcost": __version__,
        "conditions": asdict(race.conditions),
        "settings": comparison.settings,
        "machine": comparison.machine.to_json(),
        "target": race.target,
        "budget_s": race.budget_s,
        "ended": comparison.ended,
        "elapsed_s": comparison.elapsed_s,
        "rounds": comparison.rounds,
        "spread": comparison.spread,
        "disturbed": comparison.disturbed,
        "sentence": sentence(comparison),
        "notes": list(comparison.notes),
        "contenders": [_contender(one) for one in comparison.standings],
        "controls": {mode: asdict(ratio) for mode, ratio in comparison.controls.items()},
    }
    if race.by_layer:
        document["layers"] = [asdict(layer) for layer in comparison.layers]
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _contender(standing: Standing) -> dict[str, Any]:
    run = standing.run
    contender = run.contender
    return {
        "model": contender.model,
        "variant": str(contender.variant),
        "mode": contender.mode,
        "inputs": [str(spec) for spec in contender.inputs],
        "macs": contender.macs,
        "params": contender.params,
        "macs_ratio": standing.macs,
        "undisturbed_s": run.undisturbed_s,
        "felt_s": run.felt_s,
        "ratio": asdict(standing.undisturbed),
        "felt_ratio": asdict(standing.felt),
        "verdict": standing.verdict,
        "interruptions": run.switches,
        "samples": {
            "wall_s": [sample.wall_s for sample in run.samples],
            "felt_s": [sample.felt_s for sample in run.samples],
        },
    }
