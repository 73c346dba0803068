"""The environment as text for a report of a bug, and as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict

from rich.console import Group, RenderableType
from rich.text import Text

from dualcost import units
from dualcost.lab.environment import Environment, Kept
from dualcost.render.terminal import plain_table

SCHEMA = 1


def environment_table(found: Environment) -> RenderableType:
    """Versions, machine, and what is kept, each with a label."""
    caches = " / ".join(units.memory(nbytes) for nbytes in found.caches.values())
    machine = {
        "system": found.system,
        "processor": f"{found.processor}, {found.cores} core{'s' * (found.cores != 1)}",
        "caches": caches or "unknown",
        "memory": units.memory(found.memory_bytes),
        "GPU": ", ".join(found.gpus) or "none that a driver reports",
        "torch says": str(found.torch) if found.torch else "not asked: add --torch",
    }
    kept = {
        "networks": f"{found.networks} packaged",
        "cache": _kept(found.cache),
        "calibration": _kept(found.calibration),
        "configuration": _kept(found.configuration),
    }
    sections = [("versions", dict(found.versions)), ("machine", machine), ("kept", kept)]
    parts: list[RenderableType] = []
    for title, lines in sections:
        table = plain_table()
        table.show_header = False
        table.add_column(width=13, style="dim")
        table.add_column(overflow="fold")
        for label, text in lines.items():
            table.add_row(label, Text(text))
        parts += [*([""] if parts else []), Text(title, style="bold"), table]
    return Group(*parts)


def _kept(one: Kept) -> str:
    size = f", {units.memory(one.nbytes)}" if one.nbytes else ""
    where = f" ({one.path})" if one.path else ""
    return f"{one.state}{size}{where}"


def environment_json(found: Environment) -> str:
    """The same, with exact numbers."""
    whole = {"schema": SCHEMA, **asdict(found)}
    return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"
