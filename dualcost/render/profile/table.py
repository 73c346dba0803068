"""A profile as a table in the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from dualcost import units
from dualcost.costs.profile import Profile
from dualcost.network.cost import Cost, ratio
from dualcost.render.glyphs import aligned, stacked
from dualcost.render.profile import heading
from dualcost.render.profile.layers import layers, remark, whole
from dualcost.render.rewrite import why
from dualcost.render.terminal import plain_table
from dualcost.rewrite.rewrite import Rewritten
from dualcost.views.tree import Outline


def profile_table(
    profile: Profile,
    outline: Outline,
    unit: str,
    width: int,
    footer: Sequence[tuple[str, str]] = (),
) -> RenderableType:
    """The totals, the rows, and how they came about, for a terminal of this width.

    Args:
        profile: the profile.
        outline: the lines of its table.
        unit: of counts, one of `units.UNIT_NAMES`.
        width: of the terminal.
        footer: labels and commands, which are not wrapped, so that they can be copied.
    """
    commands = [whole(f"{label:{LABELS}}{text}") for label, text in footer]
    for command in commands:
        command.stylize("dim", 0, LABELS)
    return Group(
        Text(heading.title(profile), style="bold"),
        _sums(profile),
        _pairs(heading.question(profile)),
        "",
        *layers(profile, outline, unit, width),
        *(Text(line, style="dim") for line in filter(None, [remark(outline)])),
        *(Text(f"{'handled':{LABELS}}{line}", style="yellow") for line in heading.handled(profile)),
        "",
        *_totals(profile, unit, width),
        "",
        _pairs([*heading.memory(profile), *heading.uncounted(profile), *heading.tool(profile)]),
        *commands,
    )


def explanation(rewritten: Rewritten) -> RenderableType:
    """Every site that a rule was asked about, and what became of it."""
    decisions = rewritten.decisions
    table = plain_table()
    for title in ("site", "", "why"):
        table.add_column(title, overflow="fold")
    for decision in decisions:
        verdict = Text("replaced", "cyan") if decision.replaced else Text("kept", "dim")
        reason = why(decision.outcome, decision.reason)
        table.add_row(decision.candidate.path or "(root)", verdict, reason)
    replaced = sum(decision.replaced for decision in decisions)
    return Group(
        Text(f"{rewritten.network.name} with {rewritten.request} where {rewritten.request.rule}"),
        table,
        Text(f"{replaced} of {len(decisions)} replaced", style="bold"),
    )


LABELS = 13  # the columns that labels take


def _pairs(lines: Sequence[tuple[str, str]], style: str = "") -> Table:
    """Labels and texts."""
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False, pad_edge=False)
    table.add_column(style="dim", min_width=LABELS - 2)
    table.add_column(overflow="fold")
    for label, text in lines:
        table.add_row(label, Text(text, style=style))
    return table


def _sums(profile: Profile) -> Table:
    """The exact totals, bold, and below them the time if one was asked for."""
    sums = heading.sums(profile)
    widths = [max(len(getattr(one, side)) for one in sums) for side in ("before", "after")]
    lines = []
    for one in sums:
        text = one.before.rjust(widths[0])
        if one.after:
            text += f" → {one.after.rjust(widths[1])}  ({one.change})"
        lines.append((one.label, text))
    return _pairs([*lines, *heading.latency(profile)], "bold")


def _totals(profile: Profile, unit: str, width: int) -> list[Text]:
    """Convolutions, linear layers and so on, and what they add up to, bold."""
    sides = slice(None) if profile.rewrite is not None else slice(None, None, 3)
    lines = [*heading.totals(profile), ("total", profile.before, profile.after)]
    cells = [
        [*_change(before, after, "macs", unit), *_change(before, after, "params", unit)]
        for _, before, after in lines
    ]
    titles = ["MACs before", "MACs after", "ratio", "params before", "params after", "ratio"]
    if profile.rewrite is None:
        titles = ["MACs", "", "", "params", "", ""]
    columns = [
        [*stacked(title), *aligned(column)]
        for title, *column in [*zip(titles, *cells, strict=True)][sides]
    ]
    columns = [[text.rjust(max(map(len, column))) for text in column] for column in columns]
    names = ["", "", *(name for name, *_ in lines)]
    columns.insert(0, [name.ljust(max(map(len, names))) for name in names])
    rows = [row for row in zip(*columns, strict=True) if "".join(row).strip()]
    gap = "  " if sum(map(len, rows[0])) + 2 * len(rows[0]) - 2 <= width else " "
    heads = len(rows) - len(lines)
    styles = ["dim"] * heads + [""] * (len(lines) - 1) + ["bold"]
    return [whole(gap.join(row), style) for row, style in zip(rows, styles, strict=True)]


def _change(before: Cost, after: Cost, metric: str, unit: str) -> tuple[str, str, str]:
    old, new = getattr(before, metric), getattr(after, metric)
    left = ratio(new, old)
    shown = "" if left is None else f"{left:.3f}"
    return units.count(old, unit), units.count(new, unit), shown
