"""`dualcost paper`: the paper's tables and claims recomputed, its networks raced."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dualcost.cli import candidates
from dualcost.cli.commands.paper.latency import USUAL_TIME, latency
from dualcost.cli.options import Debug, Forms, Output, Time
from dualcost.cli.output import Form, Target, draw
from dualcost.errors import ExitCode, UsageError
from dualcost.latency.machine import Device
from dualcost.paper.parts import CLAIMS, LATENCY, PLOT

if TYPE_CHECKING:
    from dualcost.paper.comparison import ComparedRow

EXAMPLES = (
    ("dualcost paper", "how much of the paper is confirmed"),
    ("dualcost paper table5", "one table, cell by cell"),
    ("dualcost paper V --format csv", "the same for a spreadsheet"),
    ("dualcost paper claims", "what the paper says in words, judged"),
    ("dualcost paper plot table1 -o figures", "a table as a figure"),
    ("dualcost paper latency VI --time 10s --json", "its networks raced on this machine"),
)

RACE = "How latency is measured"


What = Annotated[
    list[str] | None,
    typer.Argument(
        help="Nothing: a summary; tables (table5 or V); claims; plot or latency, and tables.",
        metavar="[WHAT]...",
        autocompletion=candidates.parts_of_paper,
    ),
]


def paper(
    out: Annotated[
        Output,
        Forms(
            Form.TABLE,
            Form.JSON,
            Form.CSV,
            Form.MARKDOWN,
            file="A file; of plot, the folder (by default, this one).",
        ),
    ],
    what: What = None,
    time: Time = "",
    device: Annotated[
        Device | None,
        typer.Option(
            help="Where to measure; by default on the processor, and on a GPU if any.",
            rich_help_panel=RACE,
        ),
    ] = None,
    debug: Debug = False,
) -> None:
    """Recompute the paper's tables and claims.

    Every cost that it prints, and whether it agrees. The exit code is 1 if a cell that should
    agree does not.

    latency measures the networks of tables V to VII on this machine and compares their times with
    the standard network's, as printed and as measured. Ctrl-C keeps what is done.
    """
    from dualcost.library import networks as library
    from dualcost.paper.comparison import DISAGREES, compare, verdicts
    from dualcost.paper.tables import TABLES, printed_rows, table

    words = list(what or ())
    command = words.pop(0) if words and words[0] in (CLAIMS, PLOT, LATENCY) else ""
    if command == CLAIMS and words:
        raise UsageError("claims are about all tables", "leave the tables out")
    named = [table(word) for word in words]
    target = out.summary if command == PLOT else out.target
    if command == LATENCY:
        raise typer.Exit(latency(named, target, time or USUAL_TIME, device or ""))
    if time or device:
        raise UsageError("--time and --device say how latency is measured", "write paper latency")
    tables = named or list(TABLES)
    rows = compare(
        (row for row in printed_rows() if row.table in tables or command == CLAIMS), library.load
    )
    if command == PLOT:
        _plot(rows, out.output or Path())
    elif command == CLAIMS:
        _claims(rows, target)
    else:
        _tables(rows, target, single=bool(words))
    if verdicts(rows)[DISAGREES]:
        raise typer.Exit(ExitCode.FAILED)


def _tables(rows: Sequence[ComparedRow], target: Target, *, single: bool) -> None:
    """The rows of each table that was named, or a summary of all."""
    from dualcost.render.paper import tables as render

    if single:
        sheets = [render.table_sheet(of_table) for of_table in _by_table(rows)]
    else:
        sheets = [render.summary_sheet(rows)]
    target.write(
        table=lambda width: render.sheets_table(sheets),
        markdown=lambda: render.sheets_markdown(sheets),
        json=lambda: render.rows_json(rows),
        csv=lambda: render.rows_csv(rows),
    )


def _claims(rows: Sequence[ComparedRow], target: Target) -> None:
    from dualcost.paper.claim import judge
    from dualcost.paper.claims import CLAIMS
    from dualcost.render.paper import tables as render

    judged = judge(CLAIMS, rows)
    sheets = [render.claims_sheet(judged)]
    target.write(
        table=lambda width: render.sheets_table(sheets),
        markdown=lambda: render.sheets_markdown(sheets),
        json=lambda: render.claims_json(judged),
        csv=lambda: render.claims_csv(judged),
    )


def _plot(rows: Sequence[ComparedRow], folder: Path) -> None:
    """One figure a table, as PNG and SVG."""
    from dualcost.paper.tables import TABLES
    from dualcost.render.paper.figure import table_figure

    for of_table in _by_table(rows):
        number = TABLES.index(of_table[0].row.table) + 1
        paths = (folder / f"table{number}.{ending}" for ending in ("png", "svg"))
        draw(partial(table_figure, of_table), *paths)


def _by_table(rows: Sequence[ComparedRow]) -> list[list[ComparedRow]]:
    tables = dict.fromkeys(compared.row.table for compared in rows)
    return [[compared for compared in rows if compared.row.table == name] for name in tables]
