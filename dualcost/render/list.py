"""The networks that are known by name, as a table and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from rich.console import RenderableType

from dualcost import units
from dualcost.network.tracefile import Header
from dualcost.render.terminal import plain_table

SCHEMA = 1


def networks_table(headers: Sequence[Header], unit: str) -> RenderableType:
    """Name, input, MACs and parameters, a line each."""
    table = plain_table()
    table.add_column("network", overflow="fold")
    table.add_column("input", overflow="fold")
    table.add_column("MACs", justify="right", no_wrap=True)
    table.add_column("params", justify="right", no_wrap=True)
    for header in headers:
        table.add_row(
            header.name,
            ", ".join(str(spec) for spec in header.inputs),
            units.count(header.macs, unit),
            units.count(header.params, unit),
        )
    return table


def networks_json(headers: Sequence[Header]) -> str:
    """The same with exact integers."""
    whole = {"schema": SCHEMA, "networks": [asdict(header) for header in headers]}
    return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"
