"""`dualcost check`: the models of a repository against their budgets and their baseline."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dualcost.cli import candidates
from dualcost.cli.options import OUTPUT, Change, Debug, Source, Without
from dualcost.cli.output import announce, deliver
from dualcost.errors import UnknownNameError, UsageError
from dualcost.render.check import ENDINGS, FORMS, written

if TYPE_CHECKING:
    from dualcost.gate.check import Report
    from dualcost.gate.config import Config

EXAMPLES = (
    ("dualcost check", "every model against its budgets"),
    ("dualcost check --frozen", "and fail if the lock is out of date"),
    ("dualcost check --baseline git:main", "against the main branch"),
    (
        "dualcost check resnet50+dual:4 --max macs=3G --max params=20M",
        "a model and its limits, without a configuration",
    ),
    (
        "dualcost check --format text --format github -o cost.json -o cost.md",
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
class Copy:
    """A form that the result is written in, and where to; None is standard output."""

    form: str
    path: Path | None

    @classmethod
    def parse(cls, text: str) -> Copy:
        """Read "cost.json", "gitlab=quality.json", or "text" alone.

        Raises:
            UsageError: there is no such form, or the file is missing or ends in no form.
        """
        form, equals, path = text.partition("=")
        if equals and not path:
            raise UsageError(f"--output {text} names no file", f"write {form}=FILE, or {form}")
        ending = Path(text).suffix
        if not equals and ending in ENDINGS:
            return cls(ENDINGS[ending], Path(text))
        if not equals and ending:
            raise UsageError(
                f"{text} ends in what this cannot write", f"endings: {', '.join(ENDINGS)}"
            )
        return cls(known_form(form), Path(path) if path else None)


def known_form(name: str) -> str:
    """The form of that name.

    Raises:
        UnknownNameError: there is none.
    """
    name = {"table": "text"}.get(name, name)
    if name not in FORMS:
        raise UnknownNameError("form of output", name, FORMS, f"forms: {', '.join(FORMS)}")
    return name


@dataclass(frozen=True)
class Against:
    """What models are compared with, besides what a configuration says."""

    limits: Annotated[
        list[str] | None,
        typer.Option(
            "--max",
            help="A limit of the models that are named, instead of a configuration: macs=3G, or "
            "“reduction.params >= 25 %”. May be repeated.",
            metavar="LIMIT",
            rich_help_panel=WHAT,
            show_default=False,
        ),
    ] = None
    growth: Annotated[
        list[str] | None,
        typer.Option(
            "--max-increase",
            help="How much more than in the baseline they may have: macs=1%, params=0.",
            metavar="GROWTH",
            rich_help_panel=WHAT,
            show_default=False,
        ),
    ] = None
    baseline: Annotated[
        str,
        typer.Option(
            help="git:REF, the JSON report of a check, or a lock file; default: as configured.",
            metavar="BASELINE",
            rich_help_panel=WHAT,
            show_default=False,
        ),
    ] = ""
    frozen: Annotated[
        bool,
        typer.Option("--frozen", help="Fail if the lock is out of date.", rich_help_panel=WHAT),
    ] = False
    told: Without | None = None


@dataclass(frozen=True)
class Copies:
    """The forms of the result, and where each goes."""

    format: Annotated[
        list[str] | None,
        typer.Option(
            help=f"{', '.join(FORMS)}; of the file of -o if there is one. May be repeated.",
            metavar="FORM",
            autocompletion=candidates.forms,
            rich_help_panel=OUTPUT,
            show_default=False,
        ),
    ] = None
    json: Annotated[
        bool, typer.Option("--json", help="The same as --format json.", rich_help_panel=OUTPUT)
    ] = False
    output: Annotated[
        list[str] | None,
        typer.Option(
            "--output",
            "-o",
            help="Write to this file; its ending says the form, or FORM=FILE. May be repeated.",
            metavar="FILE",
            autocompletion=candidates.forms,
            rich_help_panel=OUTPUT,
            show_default=False,
        ),
    ] = None
    told: Without | None = None

    def read(self) -> list[Copy]:
        """Each file by its ending, and each form that has no file to standard output.

        Raises:
            UsageError: a form or an ending is not known.
            OutputError: a file cannot be written.
        """
        from dualcost.files import check_writable

        forms = [*(self.format or ()), *(["json"] if self.json else ())]
        files = self.output or []
        if len(forms) == 1 and len(files) == 1 and "=" not in files[0] and files[0] not in FORMS:
            return [Copy(known_form(forms[0]), Path(files[0]))]
        copies = [*(Copy(known_form(form), None) for form in forms), *map(Copy.parse, files)]
        for copy in copies:
            if copy.path:
                check_writable(copy.path)
        return copies or [Copy("text", None)]


def check(
    source: Annotated[
        Source,
        Without(
            batch="say the shapes with --input: a budget is for one input",
            imgsz="say the shapes with --input: a budget is for one input",
            device="a check runs where there may be no other device",
        ),
    ],
    change: Change,
    against: Against,
    copies: Copies,
    models: Annotated[
        list[str] | None,
        typer.Argument(
            help="Only these models of the configuration; with --max, any models as of `profile`.",
            metavar="[MODEL]...",
            autocompletion=candidates.configured,
        ),
    ] = None,
    config: ConfigFile = None,
    latency: Annotated[bool, typer.Option(help="Measure the latencies that have a limit.")] = True,
    why: Annotated[
        bool, typer.Option("--why", help="Say what would make a model fit that does not.")
    ] = False,
    jobs: Jobs = 0,
    debug: Debug = False,
) -> None:
    """Check models against the budgets that the repository keeps.

    Exit code 1: a budget or the ratchet fails; 2: the configuration does not fit; 3: a model or
    the baseline could not be measured.
    """
    from dualcost.gate import baseline as before
    from dualcost.gate import check as inspection

    outputs = copies.read()
    asked = _asked(models or [], config, source, change, against)
    report = inspection.check(
        asked,
        before.read(asked, against.baseline, announce, jobs),
        frozen=against.frozen,
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


def _asked(
    models: list[str],
    config: Path | None,
    source: Source,
    change: Change,
    against: Against,
) -> Config:
    """What is checked: models that are named here with their limits, or those of a configuration.

    Raises:
        UsageError: words of both stand beside each other, or one does not fit.
    """
    if against.limits or against.growth:
        from dualcost.gate.terms import stated

        if config:
            raise UsageError("--config names the limits, and --max does too", "leave one out")
        if not models:
            raise UsageError("--max is said of no model", "name one, such as resnet50")
        subjects = [change.subject(model) for model in models]
        return stated(
            subjects, against.limits or (), against.growth or (), against.baseline,
            inputs=source.specs, example=source.inputs or "", rules=source.rules or "",
            convention=source.convention,
        )  # fmt: skip
    for option in (*change.said, *source.said):
        raise UsageError(f"{option} is about models that are named", "add --max macs=3G")
    return configuration(config).only(tuple(models))


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
