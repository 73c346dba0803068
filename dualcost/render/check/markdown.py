"""A check as Markdown: for a step's summary, or a comment that is kept up to date."""

from __future__ import annotations

from collections.abc import Iterator

from dualcost.gate.budget import FAIL, OK, Verdict
from dualcost.gate.check import Checked, Report
from dualcost.gate.limit import WARN
from dualcost.render.check import words

# A comment that begins with this one is the last check's: whoever posts comments replaces it.
MARKER = "<!-- dualcost:check -->"
ICONS = {OK: "✅", WARN: "⚠️", FAIL: "❌"}
TITLES = ("", "metric", "base", "now", "difference", "limit", "headroom")


def check_markdown(report: Report) -> str:
    """The whole check, with MARKER above it."""
    icon = ICONS[FAIL] if report.exit_code else ICONS[WARN] if report.warned else ICONS[OK]
    against = f", against `{report.baseline}`" if report.baseline else ""
    lines = [MARKER, f"### {icon} Cost of the models", "", f"{words.summary(report)}{against}."]
    for one in report.models:
        lines += ["", *_model(one)]
    if report.stale:
        lines += ["", f"`{report.config.baseline.name}` is out of date:", ""]
        lines += [f"- {escaped(line)}" for line in report.stale]
    return "\n".join(lines) + "\n"


def _model(checked: Checked) -> Iterator[str]:
    yield f"**{escaped(checked.model.name)}** {escaped(words.about(checked))}"
    if checked.error is not None:
        yield f"\n{ICONS[FAIL]} could not be measured: {escaped(checked.error.message)}"
    if checked.verdicts:
        yield ""
        yield f"| {' | '.join(TITLES)} |"
        yield "| --- | --- | ---: | ---: | ---: | ---: | ---: |"
        yield from (_row(verdict) for verdict in checked.verdicts)
    failing = [verdict for verdict in checked.verdicts if not verdict.passed]
    if failing:
        yield ""
    for verdict in failing:
        yield f"- {ICONS[verdict.status]} {escaped(words.sentence(verdict))}"
        yield from (f"  - {escaped(line)}" for line in words.details(verdict))
    if checked.advice:
        yield f"\n💡 {escaped(checked.advice)}"
    if checked.notes:
        yield ""
        yield from (f"> {escaped(note)}" for note in checked.notes)


def _row(verdict: Verdict) -> str:
    cells = (
        ICONS[verdict.status],
        escaped(words.metric(verdict)),
        words.base(verdict),
        words.now(verdict),
        words.difference(verdict),
        words.limit(verdict),
        words.headroom(verdict),
    )
    return f"| {' | '.join(cells)} |"


def escaped(text: str) -> str:
    """Text that shows as it is: no table, emphasis or HTML comes of it."""
    for character in "\\|*_<>[]":
        text = text.replace(character, f"\\{character}")
    return text.replace("\n", " ")
