"""A check for the terminal: a table for each model, and what helps with what did not pass."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from dualcost.gate.budget import FAIL, OK, RATCHET, Verdict
from dualcost.gate.check import Checked, Report
from dualcost.gate.limit import WARN
from dualcost.render.check import words
from dualcost.render.terminal import Column, FittingTable

STYLES = {OK: "green", WARN: "yellow", FAIL: "bold red"}
NUMBERS = ("base", "now", "difference", "limit", "headroom")
TITLES = {"difference": "change"}
LEAVES = {"base": 2, "difference": 1}  # which are given up first where there is little room


def check_table(report: Report) -> RenderableType:
    """The whole check, its summary last."""
    against = f" against {report.baseline}" if report.baseline else ""
    checked = words.path(report) or "the limits of this command"
    parts: list[RenderableType] = [Text(f"{checked}{against}", style="dim")]
    for one in report.models:
        parts += ["", *_model(one)]
    if report.stale:
        parts += ["", Text(f"{report.config.baseline.name} is out of date", style="bold red")]
        parts += [_indented(Text(line)) for line in report.stale]
        parts.append(_indented(Text("hint: `dualcost lock` writes it anew", style="dim")))
    style = "bold red" if report.exit_code else "bold yellow" if report.warned else "bold green"
    return Group(*parts, "", Text(words.summary(report), style=style))


def _model(checked: Checked) -> Iterator[RenderableType]:
    yield Text(checked.model.name, style="bold").append(f"  {words.about(checked)}", style="dim")
    if checked.error is not None:
        said = f"could not be measured: {checked.error.message}"
        yield _indented(Text(said, style="bold red"))
        if checked.error.hint:
            yield _indented(Text(f"hint: {checked.error.hint}", style="dim"))
    if checked.verdicts:
        yield _indented(_verdicts(checked.verdicts))
    told: set[str] = set()
    for verdict in checked.verdicts:
        if not verdict.passed:
            yield from _help(verdict, told)
    if checked.advice:
        yield _indented(Text(checked.advice, style="cyan"))
    yield from (_indented(Text(note, style="dim")) for note in checked.notes)


def _verdicts(verdicts: tuple[Verdict, ...]) -> FittingTable:
    shown = [title for title in NUMBERS if title not in _needless(verdicts)]
    numbers = [
        Column(
            TITLES.get(title, title),
            [getattr(words, title)(verdict) for verdict in verdicts],
            leaves=LEAVES.get(title, 0),
        )
        for title in shown
    ]
    said = [Text(words.SAID[one.status], STYLES[one.status]) for one in verdicts]
    metrics = Column("metric", [_metric(verdict) for verdict in verdicts], number=False)
    return FittingTable([metrics, *numbers, Column("", said, number=False)], elsewhere="write JSON")


def _metric(verdict: Verdict) -> str:
    """A ratchet's line stands below its budget's: one word is enough."""
    return f"{verdict.name} ↑" if verdict.kind == RATCHET else verdict.name


def _needless(verdicts: tuple[Verdict, ...]) -> tuple[str, ...]:
    """Columns that would be empty."""
    compared = any(verdict.base is not None for verdict in verdicts)
    return () if compared else ("base", "difference")


def _help(verdict: Verdict, told: set[str]) -> Iterator[RenderableType]:
    """What is wrong, and what helps: a line that a model was `told` is not said again."""
    style = STYLES[verdict.status]
    said = Text(f"{words.SAID[verdict.status]}: ", style=style)
    yield _indented(said.append(words.sentence(verdict), style="default"))
    for line in words.details(verdict):
        if line not in told:
            yield _indented(Text(line), by=4)
    told.update(words.details(verdict))


def _indented(what: RenderableType, by: int = 2) -> Padding:
    """It stays indented where a line is folded."""
    return Padding(what, (0, 0, 0, by))
