"""A profile as Markdown, for issues and pull requests."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from dualcost import units
from dualcost.costs.profile import Profile, Row
from dualcost.network.cost import ratio
from dualcost.render.profile import heading
from dualcost.render.profile.columns import columns
from dualcost.views.order import EXECUTION


def profile_markdown(
    profile: Profile, rows: Sequence[Row], unit: str, sort: str = EXECUTION
) -> str:
    """Totals, rows, and how they came about.

    Args:
        profile: the profile.
        rows: those to be shown (`listing.listing`).
        unit: of counts, one of `units.UNIT_NAMES`.
        sort: one of `order.SORTS`: by what the rows are sorted, and of what their shares are.
    """
    shown = columns(profile, sort)
    layers = table(
        [column.title for column in shown],
        ([column.text(profile, row, unit) for column in shown] for row in rows),
        [column.number for column in shown],
    )
    lines = [
        f"### {heading.title(profile)}",
        "",
        *(f"- **{one.label}**: {one.text}" for one in heading.sums(profile)),
        *(f"- **{label}**: {text}" for label, text in heading.latency(profile)),
        *(f"- **{label}**: {text}" for label, text in heading.question(profile)),
        *(f"- handled: {line}" for line in heading.handled(profile)),
        "",
        layers,
        _totals(profile, unit),
        *(f"- {label}: {text}" for label, text in heading.memory(profile)),
        *(f"- {label}: {text}" for label, text in heading.uncounted(profile)),
        *(f"- {label}: {text}" for label, text in heading.tool(profile)),
    ]
    return "\n".join(lines) + "\n"


def table(titles: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[bool]) -> str:
    """A table in GitHub's form."""
    rule = ("---:" if number else "---" for number in right)
    lines = [cells_line(titles), cells_line(rule), *(cells_line(row) for row in rows)]
    return "\n".join(lines) + "\n"


def cells_line(cells: Iterable[str]) -> str:
    """One line of such a table."""
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _totals(profile: Profile, unit: str) -> str:
    lines = [*heading.totals(profile), ("total", profile.before, profile.after)]
    titles = ["", "MACs before", "MACs after", "ratio", "params before", "params after", "ratio"]
    rows = []
    for name, before, after in lines:
        cells = [name]
        for metric in ("macs", "params"):
            old, new = getattr(before, metric), getattr(after, metric)
            left = ratio(new, old)
            cells += [units.count(old, unit), units.count(new, unit)]
            cells.append("" if left is None else f"{left:.3f}")
        rows.append(cells)
    return table(titles, rows, [False, *[True] * 6])
