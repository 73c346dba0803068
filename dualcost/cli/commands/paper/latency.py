"""`dualcost paper latency`: the paper's networks raced here, beside the printed times."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dualcost.cli.output import Target, announce
from dualcost.cli.progress import watching
from dualcost.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from dualcost.cli.progress import Progress as Bar
    from dualcost.lab.bench import Progress
    from dualcost.lab.measurement import Comparison
    from dualcost.lab.race import Variant
    from dualcost.paper.latency import Backbone, Start

USUAL_TIME = "30s"  # of measuring, for each variant of a network


def latency(tables: Sequence[str], target: Target, time: str, device: str) -> ExitCode:
    """Measure, and write the result.

    Args:
        tables: Roman numbers; none of them for all that print times.
        target: where the result goes.
        time: of measuring, for each variant of a network.
        device: "cpu" or "cuda"; "" for what there is.

    Raises:
        DualcostError: a word does not fit, or nothing can be measured.
    """
    from dualcost.paper.latency import INTERRUPTED, TIMED, backbones, measure
    from dualcost.units import parse_duration

    without = [number for number in tables if number not in TIMED]
    if without:
        raise UsageError(f"table {without[0]} prints no times", "table5, table6 or table7")
    budget_s = parse_duration(time)
    asked = backbones(tables or TIMED)
    places = [device] if device else devices()
    pairs = len(places) * sum(len(backbone.entries) - 1 for backbone in asked)
    with watching(round(pairs * budget_s), "measuring") as bar:
        results = measure(asked, places, _start(budget_s, bar), announce)
    from dualcost.render.paper import latency as render
    from dualcost.render.paper.tables import sheets_markdown, sheets_table

    sheets = render.latency_sheets(results)
    target.write(
        table=lambda width: sheets_table(sheets),
        markdown=lambda: sheets_markdown(sheets),
        json=lambda: render.latency_json(results),
        csv=lambda: render.latency_csv(results),
    )
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
