"""A profile as a table in the terminal."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from dualcost import units
from dualcost.cost import Cost, ratio
from dualcost.profiles import Profile, Row
from dualcost.render import heading
from dualcost.render.columns import columns
from dualcost.rewrite import Rewritten


def profile_table(profile: Profile, rows: Sequence[Row], unit: str, width: int) -> RenderableType:
    """Heading, rows and totals for a terminal of this width."""
    return Group(
        Text(heading.title(profile), style="bold"),
        _pairs(heading.facts(profile)),
        "",
        _layers(profile, rows, unit, width),
        *(Text(f"handled  {line}", style="yellow") for line in heading.handled(profile)),
        "",
        _totals(profile, unit),
        *(Text(line, style="dim") for line in heading.uncounted(profile)),
        "",
        _pairs(heading.memory(profile), bold=[*heading.latency(profile), *heading.sums(profile)]),
    )


def explanation(rewritten: Rewritten) -> RenderableType:
    """Every site that a rule was asked about, and what became of it."""
    decisions = rewritten.decisions
    table = plain_table()
    for title in ("site", "", "why"):
        table.add_column(title, overflow="fold")
    for decision in decisions:
        verdict = Text("replaced", "cyan") if decision.replaced else Text("kept", "dim")
        table.add_row(decision.candidate.path or "(root)", verdict, decision.reason)
    replaced = sum(decision.replaced for decision in decisions)
    return Group(
        Text(f"{rewritten.network.name} with {rewritten.asked} where {rewritten.asked.rule}"),
        table,
        Text(f"{replaced} of {len(decisions)} replaced", style="bold"),
    )


def plain_table(gap: int = 2) -> Table:
    """A table of aligned columns, this far apart, without lines."""
    return Table(box=None, padding=(0, gap, 0, 0), header_style="dim", pad_edge=False)


def _pairs(lines: Sequence[tuple[str, str]], bold: Sequence[tuple[str, str]] = ()) -> Table:
    """Labels and texts; what matters most comes last, and bold."""
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False, pad_edge=False)
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for label, text in lines:
        table.add_row(label, Text(text))
    for label, text in bold:
        table.add_row(label, Text(text, style="bold"))
    return table


def _layers(profile: Profile, rows: Sequence[Row], unit: str, width: int) -> Table:
    table = plain_table(gap=1)
    shown = columns(profile, width)
    for column in shown:
        table.add_column(
            column.title,
            justify="right" if column.number else "left",
            no_wrap=column.number,
            overflow="fold",
        )
    for row in rows:
        cells = (Text(column.text(profile, row, unit)) for column in shown)
        table.add_row(*cells, style=heading.row_style(row))
    return table


def _totals(profile: Profile, unit: str) -> Table:
    table = plain_table()
    rewritten = profile.rewrite is not None
    table.add_column("")
    for metric in ("MACs", "params"):
        for title in (metric, "after", "ratio") if rewritten else (metric,):
            table.add_column(title, justify="right")
    lines = [*heading.totals(profile), ("total", profile.before, profile.after)]
    for name, before, after in lines:
        style = "bold" if name == "total" else ""
        cells = [*_change(before, after, "macs", unit), *_change(before, after, "params", unit)]
        table.add_row(name, *(cells if rewritten else cells[::3]), style=style)
    return table


def _change(before: Cost, after: Cost, metric: str, unit: str) -> tuple[str, str, str]:
    old, new = getattr(before, metric), getattr(after, metric)
    left = ratio(new, old)
    shown = "" if left is None else f"{left:.3f}"
    return units.count(old, unit), units.count(new, unit), shown


def as_text(render: Callable[[int], RenderableType], output: Path | None) -> str:
    """What `render(width)` makes, for the terminal (with its colours) or for a file or pipe.

    What is not a terminal gets plain text, and is wide enough that nothing is folded.
    """
    console = terminal()
    if output is not None or not console.is_terminal:
        width = console.width if "COLUMNS" in os.environ else PIPED_WIDTH
        console = Console(**PLAIN, width=width, color_system=None, force_terminal=False)
    with console.capture() as capture:
        console.print(render(console.width))
    return "\n".join(line.rstrip() for line in capture.get().splitlines()) + "\n"


PIPED_WIDTH = 160
PLAIN: dict[str, Any] = {"highlight": False, "emoji": False, "markup": False}


def terminal(stderr: bool = False) -> Console:
    """A console that prints what it is given, and nothing cleverer."""
    return Console(stderr=stderr, **PLAIN)
