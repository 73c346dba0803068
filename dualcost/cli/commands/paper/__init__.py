"""`dualcost paper`: the paper's tables and claims recomputed, its networks raced."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dualcost.cli import candidates, options
from dualcost.cli.commands.paper.latency import BUDGET, latency
from dualcost.cli.output import announce, deliver
from dualcost.errors import ExitCode, UsageError
from dualcost.latency.machine import Device
from dualcost.paper.parts import CLAIMS, LATENCY, PLOT

if TYPE_CHECKING:
    from dualcost.paper.comparison import ComparedRow

EXAMPLES = (
    ("dualcost paper", "how much of the paper is confirmed"),
    ("dualcost paper table5", "one table, cell by cell"),
    ("dualcost paper V --csv", "the same for a spreadsheet"),
    ("dualcost paper claims", "what the paper says in words, judged"),
    ("dualcost paper plot table1 -o figures", "a table as a figure"),
    ("dualcost paper latency VI --budget 10s --json", "its networks raced on this machine"),
)

RACE = "How latency is measured"


def paper(
    what: Annotated[
        list[str] | None,
        typer.Argument(
            help="Nothing: a summary; tables (table5 or V); claims; plot or latency, and tables.",
            metavar="[WHAT]...",
            autocompletion=candidates.parts_of_paper,
        ),
    ] = None,
    json: options.Json = False,
    csv: options.Csv = False,
    markdown: options.Markdown = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="A file; of plot, the folder (by default, this one).",
            rich_help_panel=options.OUTPUT,
        ),
    ] = None,
    budget: Annotated[
        str | None,
        typer.Option(
            help=f"End after so much measuring for each variant (default {BUDGET}).",
            metavar="TIME",
            rich_help_panel=RACE,
        ),
    ] = None,
    device: Annotated[
        Device | None,
        typer.Option(
            help="Where to measure; by default on the processor, and on a GPU if any.",
            rich_help_panel=RACE,
        ),
    ] = None,
    debug: options.Debug = False,
) -> None:
    """Recompute the paper's tables and claims.

    Every cost that it prints, and whether it agrees. The exit code is 1 if a cell that should
    agree does not.

    latency measures the networks of tables V to VII on this machine and compares their times with
    the standard network's, as printed and as measured. Ctrl-C keeps what is done.
    """
    forms = {"json": json, "csv": csv, "markdown": markdown}
    chosen = [name for name, wanted in forms.items() if wanted]
    if len(chosen) > 1:
        raise UsageError(f"--{' and --'.join(chosen)} exclude each other", "choose one")
    form = chosen[0] if chosen else "table"
    from dualcost.library import networks as library
    from dualcost.paper.comparison import DISAGREES, compare, verdicts
    from dualcost.paper.tables import TABLES, printed_rows, table

    words = list(what or ())
    command = words.pop(0) if words and words[0] in (CLAIMS, PLOT, LATENCY) else ""
    if command == CLAIMS and words:
        raise UsageError("claims are about all tables", "leave the tables out")
    named = [table(word) for word in words]
    if command == LATENCY:
        raise typer.Exit(latency(named, form, output, budget or BUDGET, device or ""))
    if budget or device:
        raise UsageError("--budget and --device say how latency is measured", "write paper latency")
    tables = named or list(TABLES)
    rows = compare(
        (row for row in printed_rows() if row.table in tables or command == CLAIMS), library.load
    )
    if command == PLOT:
        _plot(rows, output or Path())
    elif command == CLAIMS:
        deliver(_claims(rows, form, output), output)
    else:
        deliver(_tables(rows, form, bool(words), output), output)
    if verdicts(rows)[DISAGREES]:
        raise typer.Exit(ExitCode.FAILED)


def _tables(rows: Sequence[ComparedRow], form: str, single: bool, output: Path | None) -> str:
    """The rows of each table that was named, or a summary of all."""
    from dualcost.render.paper import tables as render

    if form == "json":
        return render.rows_json(rows)
    if form == "csv":
        return render.rows_csv(rows)
    if single:
        sheets = [render.table_sheet(of_table) for of_table in _by_table(rows)]
    else:
        sheets = [render.summary_sheet(rows)]
    return render.sheets_text(sheets, form, output)


def _claims(rows: Sequence[ComparedRow], form: str, output: Path | None) -> str:
    from dualcost.paper.claim import judge
    from dualcost.paper.claims import CLAIMS
    from dualcost.render.paper import tables as render

    judged = judge(CLAIMS, rows)
    if form == "json":
        return render.claims_json(judged)
    if form == "csv":
        return render.claims_csv(judged)
    return render.sheets_text([render.claims_sheet(judged)], form, output)


def _plot(rows: Sequence[ComparedRow], folder: Path) -> None:
    """One figure a table, as PNG and SVG."""
    from dualcost.paper.tables import TABLES
    from dualcost.render.figure import drawing, save
    from dualcost.render.paper.figure import table_figure

    for of_table in _by_table(rows):
        number = TABLES.index(of_table[0].row.table) + 1
        with drawing():
            figure = table_figure(of_table)
            for ending in ("png", "svg"):
                path = folder / f"table{number}.{ending}"
                save(figure, path)
                announce(f"wrote {path}")


def _by_table(rows: Sequence[ComparedRow]) -> list[list[ComparedRow]]:
    tables = dict.fromkeys(compared.row.table for compared in rows)
    return [[compared for compared in rows if compared.row.table == name] for name in tables]
