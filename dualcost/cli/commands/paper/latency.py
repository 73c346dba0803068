"""`dualcost paper latency`: the paper's networks raced here, beside the printed times."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dualcost.cli.output import announce, deliver
from dualcost.cli.progress import watching
from dualcost.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from dualcost.cli.progress import Progress as Bar
    from dualcost.lab.bench import Progress
    from dualcost.lab.measurement import Comparison
    from dualcost.lab.race import Variant
    from dualcost.paper.latency import Backbone, Result, Start

BUDGET = "30s"  # of measuring, for each variant of a network


def latency(
    tables: Sequence[str], form: str, output: Path | None, budget: str, device: str
) -> ExitCode:
    """Measure, and write the result in a form: "table", "markdown", "csv" or "json".

    Args:
        tables: Roman numbers; none of them for all that print times.
        form: how it is written.
        output: the file; None for standard output.
        budget: of measuring, for each variant of a network.
        device: "cpu" or "cuda"; "" for what there is.

    Raises:
        DualcostError: a word does not fit, or nothing can be measured.
    """
    from dualcost.files import check_writable
    from dualcost.paper.latency import INTERRUPTED, TIMED, backbones, measure
    from dualcost.units import parse_duration

    without = [number for number in tables if number not in TIMED]
    if without:
        raise UsageError(f"table {without[0]} prints no times", "table5, table6 or table7")
    budget_s = parse_duration(budget)
    if output is not None:
        check_writable(output)
    asked = backbones(tables or TIMED)
    places = [device] if device else devices()
    pairs = len(places) * sum(len(backbone.entries) - 1 for backbone in asked)
    with watching(round(pairs * budget_s), "measuring") as bar:
        results = measure(asked, places, _start(budget_s, bar), announce)
    deliver(_written(results, form, output), output)
    whole = len(results) == len(asked) * len(places)
    ended = results[-1].comparisons[-1].ended
    return ExitCode.OK if whole and ended != INTERRUPTED else ExitCode.INTERRUPTED


def devices() -> list[str]:
    """The processor, and a GPU where there is one."""
    from dualcost.nn.here import here

    try:
        here(device="cuda")
    except UsageError:
        return ["cpu"]
    return ["cpu", "cuda"]


def _start(budget_s: float, bar: Bar) -> Start:
    from dualcost.lab import bench as contest
    from dualcost.lab.race import Conditions
    from dualcost.units import duration

    advance, say = bar

    def start(backbone: Backbone, variants: Sequence[Variant], device: str) -> Comparison:
        whole_s = budget_s * len(variants)
        models = len(variants) + 1
        say(f"{backbone.name}, {device}: {models} models in turn, at most {duration(whole_s)}")
        passed = 0

        def watch(progress: Progress) -> None:
            nonlocal passed
            now = min(int(progress.elapsed_s), round(whole_s))
            advance(max(0, now - passed))
            passed = max(passed, now)

        name, conditions = f"zoo:{backbone.network}", Conditions(device)
        comparison = contest.run(
            contest.race([name], variants, conditions, budget_s=whole_s), watch
        )
        advance(round(whole_s) - passed)
        return comparison

    return start


def _written(results: Sequence[Result], form: str, output: Path | None) -> str:
    from dualcost.render.paper import latency as render
    from dualcost.render.paper.tables import sheets_text

    if form == "json":
        return render.latency_json(results)
    if form == "csv":
        return render.latency_csv(results)
    return sheets_text(render.latency_sheets(results), form, output)
