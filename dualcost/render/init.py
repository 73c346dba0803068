"""What a first configuration allows, as a table and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from rich.console import Group, RenderableType
from rich.text import Text

from dualcost.gate import metrics
from dualcost.gate.init import Start
from dualcost.render.terminal import plain_table

SCHEMA = 1


def start_table(starts: Sequence[Start], path: Path) -> RenderableType:
    """Each model's metrics and budgets, and what to do next."""
    table = plain_table()
    for title in ("model", "metric", "now", "budget"):
        table.add_column(title, justify="right" if title in ("now", "budget") else "left")
    for start in starts:
        for metric, limit in start.budgets.items():
            table.add_row(start.name, metric, metrics.said(metric, start.now[metric]), limit)
    return Group(
        table,
        "",
        Text(f"wrote {path}", style="bold"),
        Text("next: `dualcost lock` writes the baseline; commit both; `dualcost check` in CI"),
    )


def start_json(starts: Sequence[Start], path: Path) -> str:
    """The same for machines: exact integers."""
    document = {
        "schema": SCHEMA,
        "written": path.as_posix(),
        "models": [
            {"name": one.name, "target": one.target, "now": one.now, "budgets": one.budgets}
            for one in starts
        ],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
