"""The networks that are known by name, as a table, as JSON and as CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict

from rich.console import RenderableType

from dualcost import units
from dualcost.errors import UnknownNameError
from dualcost.network.tracefile import Header
from dualcost.render.terminal import Column, FittingTable

SCHEMA = 1
SORTS = {
    "order": lambda header: 0,
    "path": lambda header: header.name.partition(":")[2],
    "macs": lambda header: -header.macs,
    "params": lambda header: -header.params,
}


def ordered(headers: Sequence[Header], sort: str, top: int) -> list[Header]:
    """The networks in an order, the largest first, and so many of them; 0: all.

    Raises:
        UnknownNameError: there is no such order.
    """
    if (sort or "order") not in SORTS:
        raise UnknownNameError("order of networks", sort, SORTS, f"orders: {', '.join(SORTS)}")
    return sorted(headers, key=SORTS[sort or "order"])[: top or None]


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


def networks_csv(headers: Sequence[Header]) -> str:
    """The same for a spreadsheet: a row each, exact integers."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(("network", "input", "macs", "params"))
    for header in headers:
        inputs = ", ".join(str(spec) for spec in header.inputs)
        rows.writerow((header.name, inputs, header.macs, header.params))
    return text.getvalue()


def networks_json(headers: Sequence[Header]) -> str:
    """The same with exact integers."""
    whole = {"schema": SCHEMA, "networks": [asdict(header) for header in headers]}
    return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"
