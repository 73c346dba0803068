"""`dualcost check`: the models of a repository against their budgets and their baseline."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dualcost.cli import candidates, options
from dualcost.cli.output import announce, deliver
from dualcost.errors import UnknownNameError, UsageError
from dualcost.render.check import FORMS, written

if TYPE_CHECKING:
    from dualcost.gate.check import Report
    from dualcost.gate.config import Config

EXAMPLES = (
    ("dualcost check", "every model against its budgets"),
    ("dualcost check --frozen", "and fail if the lock is out of date"),
    ("dualcost check --baseline git:main", "against the main branch"),
    (
        "dualcost check --output text --output json=cost.json --output github",
        "in several forms at once",
    ),
)
WHAT = "What it is compared with"

ConfigFile = Annotated[
    Path | None,
    typer.Option(
        help="Default: the nearest dualcost.toml, or pyproject.toml with [tool.dualcost].",
        metavar="FILE",
        show_default=False,
    ),
]
Jobs = Annotated[
    int,
    typer.Option(help="Models traced at once; 0: as many as processors.", min=0),
]


@dataclass(frozen=True)
class Output:
    """A form that the result is written in, and where to; None is standard output."""

    form: str
    path: Path | None

    @classmethod
    def parse(cls, text: str) -> Output:
        """Read "text" or "json=cost.json".

        Raises:
            UsageError: there is no such form, or the file is missing.
        """
        form, equals, path = text.partition("=")
        if form not in FORMS:
            raise UnknownNameError("form of output", form, FORMS, f"forms: {', '.join(FORMS)}")
        if equals and not path:
            raise UsageError(f"--output {text} names no file", f"write {form}=FILE, or {form}")
        return cls(form, Path(path) if path else None)


def check(
    models: Annotated[
        list[str] | None,
        typer.Argument(
            help="Only these models of the configuration.",
            metavar="NAME...",
            autocompletion=candidates.configured,
        ),
    ] = None,
    config: ConfigFile = None,
    baseline: Annotated[
        str,
        typer.Option(
            help="git:REF, the JSON report of a check, or a lock file; default: as configured.",
            metavar="BASELINE",
            rich_help_panel=WHAT,
            show_default=False,
        ),
    ] = "",
    frozen: Annotated[
        bool,
        typer.Option("--frozen", help="Fail if the lock is out of date.", rich_help_panel=WHAT),
    ] = False,
    latency: Annotated[bool, typer.Option(help="Measure the latencies that have a limit.")] = True,
    why: Annotated[
        bool, typer.Option("--why", help="Say what would make a model fit that does not.")
    ] = False,
    jobs: Jobs = 0,
    output: Annotated[
        list[str] | None,
        typer.Option(
            help=f"{', '.join(FORMS)}; with =FILE to a file. May be repeated; default: text.",
            metavar="FORM[=FILE]",
            autocompletion=candidates.forms,
            rich_help_panel=options.OUTPUT,
            show_default=False,
        ),
    ] = None,
    debug: options.Debug = False,
) -> None:
    """Check models against the budgets that the repository keeps.

    Exit code 1: a budget or the ratchet fails; 2: the configuration does not fit; 3: a model or
    the baseline could not be measured.
    """
    from dualcost.files import check_writable
    from dualcost.gate import baseline as before
    from dualcost.gate import check as inspection

    outputs = [Output.parse(text) for text in output or ["text"]]
    for one in outputs:
        if one.path:
            check_writable(one.path)
    asked = configuration(config).only(tuple(models or ()))
    report = inspection.check(
        asked,
        before.read(asked, baseline, announce, jobs),
        frozen=frozen,
        latency=latency,
        why=why,
        jobs=jobs,
        announce=announce,
    )
    for one in outputs:
        deliver(written(report, one.form, one.path), one.path)
        if one.form == "github":
            _summarise(report)
    raise typer.Exit(report.exit_code)


def configuration(path: Path | None) -> Config:
    """The configuration of the command line, else the nearest one.

    Raises:
        UsageError: there is none, or it does not fit.
    """
    from dualcost.gate import config

    return config.read(path or config.find())


def _summarise(report: Report) -> None:
    """Add the Markdown to the summary of the step, where GitHub says where that is."""
    place = os.environ.get("GITHUB_STEP_SUMMARY")
    if place:
        from dualcost.render.check.markdown import check_markdown

        with Path(place).open("a", encoding="utf-8") as summary:  # other steps write there, too
            summary.write(check_markdown(report))
