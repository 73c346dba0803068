"""What becomes of a lock file, as a table and as JSON."""

from __future__ import annotations

import json

from rich.console import Group, RenderableType
from rich.text import Text

from dualcost.gate import metrics
from dualcost.gate.lock import Change, Update
from dualcost.render.check import words
from dualcost.render.terminal import plain_table

SCHEMA = 1


def update_table(update: Update) -> RenderableType:
    """The metrics that change, and what became of the file."""
    table = plain_table()
    for title in ("model", "metric", "was", "is", "difference"):
        table.add_column(title, justify="left" if title in ("model", "metric") else "right")
    for change in update.changes:
        style = "yellow" if _rose(change) else ""
        table.add_row(change.model, change.metric, *_numbers(change), style=style)
    parts: list[RenderableType] = [table, ""] if update.changes else []
    return Group(*parts, *(_refusal(update) if update.refused else [_conclusion(update)]))


def _numbers(change: Change) -> tuple[str, str, str]:
    old, new = change.before, change.after
    was, now = (words.NONE if v is None else metrics.said(change.metric, v) for v in (old, new))
    if old is None or new is None:
        return was, now, words.NONE
    return was, now, words.signed(change.metric, new - old)


def _rose(change: Change) -> bool:
    return change.before is not None and (change.after or 0) > change.before


def _refusal(update: Update) -> list[RenderableType]:
    name = update.config.baseline.name
    lines: list[RenderableType] = [
        Text(f"{verdict.model}: {words.sentence(verdict)}", style="bold red")
        for verdict in update.refused
    ]
    refused = dict.fromkeys(verdict.metric for verdict in update.refused)
    accept = " ".join(f"--accept {metric}" for metric in refused)
    return [
        *lines,
        Text(f"{name} stays as it was", style="bold red"),
        Text(f'hint: dualcost lock {accept} --reason "…" records why', style="dim"),
    ]


def _conclusion(update: Update) -> Text:
    name = update.config.baseline.name
    count = len(update.after.snapshots)
    models = f"{count} model{'s' * (count != 1)}"
    if not update.needed:
        return Text(f"{name} is up to date: {models}", style="bold")
    return Text(f"wrote {name}: {models}", style="bold")


def update_json(update: Update) -> str:
    """The same for machines: exact integers."""
    document = {
        "schema": SCHEMA,
        "lock": update.config.baseline.as_posix(),
        "written": update.needed and not update.refused,
        "changes": [
            {
                "model": change.model,
                "metric": change.metric,
                "before": change.before,
                "after": change.after,
            }
            for change in update.changes
        ],
        "refused": [
            {"model": one.model, "metric": one.metric, "said": words.sentence(one)}
            for one in update.refused
        ],
        "accepted": [
            {
                "model": one.model,
                "metric": one.metric,
                "before": one.before,
                "after": one.after,
                "reason": one.reason,
            }
            for one in update.after.standing
        ],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
