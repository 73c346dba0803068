"""What is in the cache, as a table and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from rich.console import Group, RenderableType
from rich.text import Text

from dualcost import units
from dualcost.library.cache import Entry
from dualcost.render.terminal import plain_table

SCHEMA = 1
NAMED = 12  # characters of the name of a damaged file; JSON has them all


def entries_table(entries: Sequence[Entry]) -> RenderableType:
    """A line for each entry, and how many there are."""
    total = units.memory(sum(entry.nbytes for entry in entries))
    count = f"{len(entries)} {'entry' if len(entries) == 1 else 'entries'}"
    end = Text(f"{count}, {total}" if entries else "nothing", style="bold")
    if not entries:
        return end
    table = plain_table()
    table.add_column("network", no_wrap=True)
    table.add_column("input", overflow="fold")
    table.add_column("size", justify="right", no_wrap=True)
    table.add_column("made", no_wrap=True)
    table.add_column("by", overflow="fold")
    for entry in entries:
        versions = ", ".join(f"{name} {version}" for name, version in entry.versions.items())
        table.add_row(
            Text(f"damaged: {entry.path.name[:NAMED]}…" if entry.damaged else entry.network),
            ", ".join(entry.inputs) + " in symbols" * entry.symbols,
            units.memory(entry.nbytes),
            entry.made[:10],
            versions,
        )
    return Group(table, "", end)


def entries_json(entries: Sequence[Entry]) -> str:
    """The same with exact numbers."""
    shown = [{**asdict(entry), "path": str(entry.path)} for entry in entries]
    return json.dumps({"schema": SCHEMA, "entries": shown}, indent=2, ensure_ascii=False) + "\n"
