"""A profile as a figure: a bar for each line of its table, before and after."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dualcost import units
from dualcost.costs.metrics import ADDED, METRICS
from dualcost.kinds.kinds import STANDARD
from dualcost.render.figure import look_of, new_figure
from dualcost.render.profile.columns import place
from dualcost.render.profile.heading import title
from dualcost.units import Unit
from dualcost.views.order import known

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dualcost.costs.profile import Profile
    from dualcost.views.tree import Outline

BEFORE, UNCHANGED = "#BBBBBB", "#546E7A"
INCHES_A_BAR = 0.2


def profile_figure(profile: Profile, lines: Outline, sort: str = "order") -> Figure:
    """Horizontal bars of MACs, or of the metric that rows are sorted by.

    Args:
        profile: what it is about.
        lines: the rows, as the table has them; sums of what follows them are left out.
        sort: how they were sorted.
    """
    metric = ADDED.get(known(sort), METRICS["macs"])
    rows = [entry.row for entry in lines.entries if not entry.open]
    figure = new_figure(8, 1.3 + INCHES_A_BAR * len(rows))
    axes = figure.subplots()
    places = range(len(rows))
    scale = units.MEBI if metric.unit is Unit.BYTES else 1
    before = [metric.of_cost(row.before) / scale for row in rows]
    if profile.rewrite:
        after = [metric.of_cost(row.after) / scale for row in rows]
        colour = look_of(profile.rewrite.kind.name).colour
        totals = [metric.unit.text(metric.of_cost(c)) for c in (profile.before, profile.after)]
        names = ("before", f"after: {profile.rewrite.label}")
        labels = [f"{name} ({total})" for name, total in zip(names, totals, strict=True)]
        axes.barh(places, before, height=0.8, color=BEFORE, label=labels[0])
        # what is as it was is not in the colour of the kind
        colours = [UNCHANGED if row.before == row.after else colour for row in rows]
        axes.barh(places, after, height=0.45, color=colours)
        axes.barh([0], [0], color=colour, label=labels[1])
        axes.legend(loc="lower right", fontsize=8)
    else:
        axes.barh(places, before, height=0.7, color=look_of(STANDARD.name).colour)
    axes.set_yticks(places, [place(row) or "(the rest)" for row in rows], fontsize=7)
    axes.invert_yaxis()
    axes.margins(y=0.01)
    axes.grid(axis="y", visible=False)
    axes.xaxis.set_major_formatter(lambda value, _: units.tick(value))
    axes.set_xlabel(f"{metric.label} (MiB)" if scale > 1 else metric.label)
    axes.set_title(title(profile), fontsize=9)
    return figure
