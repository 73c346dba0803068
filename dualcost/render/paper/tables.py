"""The paper recomputed, as tables in the terminal, Markdown, CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from dualcost.paper.claim import FAILS, JudgedClaim
from dualcost.paper.comparison import (
    AGREES,
    DIFFERS,
    DISAGREES,
    QUOTED,
    Cell,
    ComparedRow,
    verdicts,
)
from dualcost.paper.tables import TITLES
from dualcost.render.profile import markdown
from dualcost.render.terminal import plain_table

SCHEMA = 1
STYLES = {DIFFERS: "yellow", DISAGREES: "bold red", QUOTED: "dim", FAILS: "yellow"}


@dataclass(frozen=True)
class Sheet:
    """A table before it has a form: titles (a number's column is right-aligned), rows, remarks."""

    title: str
    columns: tuple[tuple[str, bool], ...]
    rows: tuple[tuple[str, ...], ...]
    remarks: tuple[str, ...] = ()


def summary_sheet(rows: Sequence[ComparedRow]) -> Sheet:
    """A line for each table: how many cells agree, and why others do not."""
    lines = []
    for number, title in TITLES.items():
        of_table = [compared for compared in rows if compared.row.table == number]
        if of_table:
            lines.append((number, title, *_counts(of_table)))
    lines.append(("", "all tables", *_counts(rows)))
    return Sheet(
        "The paper's costs, recomputed",
        (
            ("table", False),
            ("networks", False),
            ("cells", True),
            ("agree", True),
            ("differ", True),
            ("disagree", True),
            ("quoted", True),
        ),
        tuple(lines),
        _explanations(rows),
    )


def _counts(rows: Sequence[ComparedRow]) -> tuple[str, ...]:
    found = verdicts(rows)
    cells = found[AGREES] + found[DIFFERS] + found[DISAGREES]
    return tuple(
        str(count)
        for count in (cells, found[AGREES], found[DIFFERS], found[DISAGREES], found[QUOTED])
    )


def _explanations(rows: Sequence[ComparedRow]) -> tuple[str, ...]:
    """Why cells differ, each reason once, with the rows that it is about."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for compared in rows:
        for cell in compared.cells:
            if cell.note and cell.verdict in (DIFFERS, QUOTED):
                reasons.setdefault((cell.verdict, cell.note), []).append(
                    f"{compared.row.model} {cell.quantity}"
                )
    return tuple(
        f"{verdict}: {', '.join(names)}: {note}" for (verdict, note), names in reasons.items()
    )


def table_sheet(rows: Sequence[ComparedRow]) -> Sheet:
    """The rows of one table: printed, computed exactly, difference in the last digit, verdict."""
    number = rows[0].row.table
    return Sheet(
        f"Table {number}: {TITLES[number]}",
        (
            ("row", False),
            ("FLOPs", True),
            ("MACs here", True),
            ("off", True),
            ("params", True),
            ("here", True),
            ("off", True),
            ("verdict", False),
        ),
        tuple(_line(compared) for compared in rows),
        (
            "FLOPs is the paper's word for MACs; off: computed minus printed, in the last digit",
            *_explanations(rows),
        ),
    )


def _line(compared: ComparedRow) -> tuple[str, ...]:
    cells = {cell.quantity: cell for cell in compared.cells}
    found = [cell.verdict for cell in compared.cells]
    worst = next((v for v in (DISAGREES, DIFFERS, QUOTED) if v in found), AGREES)
    flops, params = (_cell(cells.get(name)) for name in ("flops", "params"))
    return (compared.row.model, *flops, *params, worst)


def _cell(cell: Cell | None) -> tuple[str, str, str]:
    if cell is None:
        return "", "", ""
    if cell.computed is None or cell.units is None:
        return str(cell.printed), "", ""
    off = f"{cell.units:+.1f}".replace("-0.0", "+0.0")
    return str(cell.printed), f"{cell.computed:,}", off


def claims_sheet(judged: Sequence[JudgedClaim]) -> Sheet:
    """The sentences that state a cost, with what was found."""
    return Sheet(
        "The paper's claims about cost",
        (("the paper says", False), ("figure", False), ("computed", False), ("verdict", False)),
        tuple(
            (
                f"“{one.claim.quote}” ({one.claim.section})",
                one.claim.figure,
                "; ".join(f"{finding.what} {finding.text}" for finding in one.findings)
                + (f" ({one.claim.remark})" if one.claim.remark else ""),
                one.verdict,
            )
            for one in judged
        ),
    )


def sheets_markdown(sheets: Sequence[Sheet]) -> str:
    """For pages."""
    return "\n".join(sheet_markdown(sheet) for sheet in sheets)


def sheets_table(sheets: Sequence[Sheet]) -> RenderableType:
    """For the terminal."""
    parts = [part for sheet in sheets for part in (_sheet_table(sheet), "")]
    return Group(*parts[:-1])


def _sheet_table(sheet: Sheet) -> RenderableType:
    table = plain_table(gap=1)
    for title, number in sheet.columns:
        table.add_column(
            title, justify="right" if number else "left", no_wrap=number, overflow="fold"
        )
    for row in sheet.rows:
        table.add_row(*(Text(cell) for cell in row), style=STYLES.get(row[-1], ""))
    return Group(Text(sheet.title, style="bold"), "", table, *map(Text, ("", *sheet.remarks)))


def sheet_markdown(sheet: Sheet) -> str:
    """For pages."""
    titles = [title for title, _ in sheet.columns]
    body = markdown.table(titles, sheet.rows, [number for _, number in sheet.columns])
    remarks = "".join(f"- {remark}\n" for remark in sheet.remarks)
    return f"### {sheet.title}\n\n{body}\n{remarks}"


# One record a cell, for machines.
FIELDS: dict[str, Callable[[ComparedRow, Cell], Any]] = {
    "id": lambda compared, cell: compared.row.id,
    "table": lambda compared, cell: compared.row.table,
    "model": lambda compared, cell: compared.row.model,
    "source": lambda compared, cell: compared.row.source,
    "network": lambda compared, cell: compared.row.network,
    "conv": lambda compared, cell: compared.row.kind,
    "divisor": lambda compared, cell: compared.row.divisor,
    "where": lambda compared, cell: str(compared.row.rewrite.rule) if compared.row.rewrite else "",
    "accuracy": lambda compared, cell: compared.row.accuracy,
    "quantity": lambda compared, cell: cell.quantity,
    "printed": lambda compared, cell: cell.printed.text,
    "computed": lambda compared, cell: cell.computed,
    "units_off": lambda compared, cell: cell.units,
    "verdict": lambda compared, cell: cell.verdict,
    "note": lambda compared, cell: cell.note,
}


def _records(rows: Sequence[ComparedRow]) -> list[dict[str, Any]]:
    return [
        {name: value(compared, cell) for name, value in FIELDS.items()}
        for compared in rows
        for cell in compared.cells
    ]


def rows_csv(rows: Sequence[ComparedRow]) -> str:
    """One line a cell."""
    text = io.StringIO()
    writer = csv.DictWriter(text, FIELDS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(_records(rows))
    return text.getvalue()


def rows_json(rows: Sequence[ComparedRow]) -> str:
    """The same, with the count of the verdicts."""
    return _dump({"verdicts": dict(verdicts(rows)), "cells": _records(rows)})


def claims_records(judged: Sequence[JudgedClaim]) -> list[dict[str, Any]]:
    """One record a claim."""
    return [
        {
            "id": one.claim.id,
            "section": one.claim.section,
            "quote": one.claim.quote,
            "figure": one.claim.figure,
            "findings": [
                {"what": finding.what, "value": float(finding.value), "holds": finding.holds}
                for finding in one.findings
            ],
            "remark": one.claim.remark,
            "verdict": one.verdict,
        }
        for one in judged
    ]


def claims_json(judged: Sequence[JudgedClaim]) -> str:
    """The claims for machines."""
    return _dump({"claims": claims_records(judged)})


def claims_csv(judged: Sequence[JudgedClaim]) -> str:
    """One line a claim; what was found is joined by semicolons."""
    text = io.StringIO()
    records = claims_records(judged)
    writer = csv.DictWriter(text, records[0], lineterminator="\n")
    writer.writeheader()
    for record in records:
        found = "; ".join(f"{finding['what']} {finding['value']}" for finding in record["findings"])
        writer.writerow({**record, "findings": found})
    return text.getvalue()


def _dump(facts: dict[str, Any]) -> str:
    return json.dumps({"schema": SCHEMA, **facts}, indent=2, ensure_ascii=False) + "\n"
