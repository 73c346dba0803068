"""The networks that are known by name, as a table and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from rich.console import RenderableType

from dualcost import units
from dualcost.network.tracefile import Header
from dualcost.render.terminal import Column, FittingTable

SCHEMA = 1


def networks_table(headers: Sequence[Header], unit: str) -> RenderableType:
    """Name, input, MACs and parameters, a line each."""
    inputs = [", ".join(map(str, header.inputs)) for header in headers]
    columns = (
        Column("network", [header.name for header in headers], number=False, least=26),
        Column("input", inputs, number=False, leaves=1),
        Column("MACs", [units.count(header.macs, unit) for header in headers]),
        Column("params", [units.count(header.params, unit) for header in headers]),
    )
    return FittingTable(columns, gap=2)


def networks_json(headers: Sequence[Header]) -> str:
    """The same with exact integers."""
    whole = {"schema": SCHEMA, "networks": [asdict(header) for header in headers]}
    return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"
