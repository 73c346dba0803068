"""The layers of a network as a table that folds by module: its columns, each once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from dualcost import units
from dualcost.costs.metrics import METRICS, Metric
from dualcost.costs.profile import REMOVED, Profile, Row
from dualcost.latency.estimate import Timing
from dualcost.network.cost import Cost, ratio
from dualcost.network.network import CONVOLUTION, LINEAR, MATMUL, NORM, UNKNOWN
from dualcost.render.html.table import Cell, Column, Exact, Heading, Line, Table
from dualcost.render.profile.columns import COLUMNS
from dualcost.render.rewrite import becomes, why
from dualcost.rewrite.decision import Outcome
from dualcost.views.report import Report
from dualcost.views.tree import Branch

# What the tables of a terminal say of a row, by the title of their column.
TEXTS = {column.title: column.text for column in COLUMNS}
METRIC_KEYS = {metric.key for metric in METRICS.values()}
HUES = (CONVOLUTION, LINEAR, MATMUL, NORM, UNKNOWN)
FILTERS = (
    ("", "all layers"),
    ("m", "with MACs"),
    ("p", "with parameters"),
    ("r", "replaced"),
)


def layers_table(report: Report) -> Table:
    """All rows of the profile, in the modules that they ran in, and the total."""
    profile = report.profile
    shown = [column for column in LAYER_COLUMNS if column.only(profile)]
    levels = {-1: -1}
    lines = []
    for index, (parent, branch) in enumerate(report.tree.walk()):
        levels[index] = levels[parent] + 1
        cells = [column.cell(profile, branch) for column in shown]
        lines.append(
            Line(cells, levels[index], parent, hue(branch), _tags(branch.row), not branch.leaf)
        )
    return Table(
        headings=[_heading_of(column, profile) for column in shown],
        lines=lines,
        last=Line([_total(report, column) for column in shown]),
        filters=FILTERS if profile.rewrite else FILTERS[:-1],
    )


def _total(report: Report, column: Column) -> Cell:
    """The whole network in a column; what an unknown op may add to is a lower bound."""
    if column.heading.key == "layer":
        return Cell("total")
    cell = column.cell(report.profile, report.tree)
    if report.profile.partial and column.heading.key in ("macs", "macs_before"):
        return replace(cell, text=f"≥ {cell.text}")
    return cell


def hue(branch: Branch) -> str:
    """What colours a branch: the kind that replaces it, or what it is."""
    row = branch.row
    if not branch.leaf:
        return "module"
    if row.choice:
        return row.choice.kind.name
    if row.becomes == REMOVED:
        return str(REMOVED)
    return row.group if row.group in HUES else "rest"


def label(branch: Branch) -> str:
    """What tells a branch from its siblings: its name, or the op that its module runs itself."""
    row = branch.row
    if branch.name:
        return branch.name
    if row.replaced:
        return f"({becomes(row.becomes)})"
    return f"({row.folds} × {row.group})" if row.folds > 1 else f"({row.op or row.group})"


def _tags(row: Row) -> str:
    facts = {
        "m": row.before.macs or row.after.macs,
        "p": row.before.params or row.after.params,
        "r": row.becomes,
    }
    return "".join(tag for tag, holds in facts.items() if holds)


def _layer(profile: Profile, branch: Branch) -> Cell:
    row = branch.row
    path = branch.path or "(root)"
    words = [path, row.module, row.op, why(Outcome.REPLACED, row.reason)]
    if not branch.leaf:
        words = [path, f"{len(branch.leaves)} layers"]
    return Cell(label(branch), path, " · ".join(filter(None, words)))


def _kind(profile: Profile, branch: Branch) -> Cell:
    row = branch.row
    if not branch.leaf:
        text = becomes(row.becomes)
    elif row.becomes == REMOVED:
        text = f"{row.group}, {REMOVED}"
    else:
        text = row.group if row.folds > 1 else TEXTS["kind"](profile, row, "auto")
    return Cell(text, text)


def _size(title: str, of: Callable[[Row], Exact]) -> Callable[[Profile, Branch], Cell]:
    """A size of a layer, which a module has not."""

    def cell(profile: Profile, branch: Branch) -> Cell:
        row = branch.row
        text = TEXTS[title](profile, row, "auto") if branch.leaf and row.folds == 1 else ""
        return Cell(text, of(row) if text else None)

    return cell


def _channels(row: Row) -> Exact:
    return None if row.M is None or row.N is None else [row.M, row.N]


def _kernel(row: Row) -> Exact:
    return [row.site.taps, *row.site.stride] if row.site else None


def _positions(row: Row) -> Exact:
    return row.site.out_elements // row.site.N if row.site else None


def _before(metric: Metric) -> Callable[[Profile, Branch], Cell]:
    return lambda profile, branch: _cell(metric, branch.row.before)


def _after(metric: Metric) -> Callable[[Profile, Branch], Cell]:
    return lambda profile, branch: _cell(metric, branch.row.after)


def _cell(metric: Metric, cost: Cost) -> Cell:
    value = metric.of_cost(cost)
    return Cell(metric.unit.text(value), value)


def _heading(metric: Metric) -> Heading:
    return Heading(metric.key, metric.title, metric.about)


def _heading_of(column: Column, profile: Profile) -> Heading:
    """Its heading; where the page has both sides of a rewrite, it says which this is."""
    heading = column.heading
    both = any(one.heading.key == f"{heading.key}_before" for one in LAYER_COLUMNS)
    after = profile.rewrite is not None and (both or heading.key in METRIC_KEYS)
    return replace(heading, title=f"{heading.title} after") if after else heading


def _share(profile: Profile, branch: Branch) -> Cell:
    value = ratio(branch.row.after.macs, profile.after.macs) or 0.0
    return Cell(units.percent(value) if value else "", value, share=100 * value)


def _ratio(profile: Profile, branch: Branch) -> Cell:
    return Cell(TEXTS["ratio"](profile, branch.row, "auto"), branch.row.ratio)


def _time(timing: Timing | None) -> Cell:
    seconds = timing.seconds if timing else None
    return Cell(units.milliseconds(seconds) if seconds else "", seconds)


def _bound(profile: Profile, branch: Branch) -> Cell:
    text = TEXTS["bound"](profile, branch.row, "auto")
    return Cell(text, text)


def _rewritten(profile: Profile) -> bool:
    return profile.rewrite is not None


def _timed(profile: Profile) -> bool:
    return profile.latency is not None


LAYER_COLUMNS: tuple[Column, ...] = (
    Column(Heading("layer", "layer", "the module; sorted by its path", number=False), _layer),
    Column(Heading("kind", "kind", "what it is, and what it becomes", number=False), _kind),
    Column(
        Heading("channels", "M→N", "input → output channels or features"), _size("M→N", _channels)
    ),
    Column(Heading("kernel", "K/s", "kernel, and stride if not 1"), _size("K/s", _kernel)),
    Column(
        Heading("groups", "groups", "groups as it is; G or P where it is replaced"),
        _size("groups", lambda row: row.divisor),
    ),
    Column(Heading("out", "out", "size of the output map"), _size("out", _positions)),
    Column(
        Heading("macs_before", "MACs before", "multiply-accumulates as it is"),
        _before(METRICS["macs"]),
        _rewritten,
    ),
    Column(_heading(METRICS["macs"]), _after(METRICS["macs"])),
    Column(Heading("share", "of MACs", "its share of all MACs"), _share),
    Column(
        Heading("ratio", "ratio", "what is left of its MACs, or else of its parameters"),
        _ratio,
        _rewritten,
    ),
    Column(
        _heading(METRICS["operations"]),
        _after(METRICS["operations"]),
        lambda profile: profile.convention.operations is not None,
    ),
    Column(
        Heading("params_before", "params before", "weights and biases as it is"),
        _before(METRICS["params"]),
        _rewritten,
    ),
    Column(_heading(METRICS["params"]), _after(METRICS["params"])),
    Column(_heading(METRICS["traffic"]), _after(METRICS["traffic"])),
    Column(
        Heading("seconds_before", "~ms before", "milliseconds as it is, predicted"),
        lambda profile, branch: _time(branch.before),
        lambda profile: _rewritten(profile) and _timed(profile),
    ),
    Column(
        Heading("seconds", "~ms", "milliseconds, predicted"),
        lambda profile, branch: _time(branch.row.time),
        _timed,
    ),
    Column(
        Heading("bound", "bound", "which peak of the machine bounds it", number=False),
        _bound,
        _timed,
    ),
)
