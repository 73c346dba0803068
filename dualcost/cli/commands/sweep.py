"""`dualcost sweep`: many profiles, row by row, and a figure of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dualcost.cli import candidates, pages
from dualcost.cli.options import (
    OUTPUT,
    VIEW,
    Change,
    Debug,
    Forms,
    Output,
    Prediction,
    Source,
    Without,
    one_of,
)
from dualcost.cli.output import Form, announce, deliver, draw
from dualcost.cli.stream import Stream, destination
from dualcost.costs.metrics import COMPARED, Metric, metric
from dualcost.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from dualcost.latency.calibration import Calibration
    from dualcost.search.sweep.rows import Swept
    from dualcost.search.sweep.study import Study

EXAMPLES = (
    ("dualcost sweep", "the paper's ImageNet networks, every kind and G"),
    (
        "dualcost sweep resnet50 vgg16 --conv dual,group,het --G 1..32 --plot",
        "two networks, and a plot in the terminal",
    ),
    (
        "dualcost sweep resnet50 --input 1x3x160x160 --input 1x3x224x224 --plot sizes.svg",
        "two sizes of input, and a figure",
    ),
    (
        "dualcost sweep model.py:make --input 1x3x64x64 --conv dual --G 2..8:2 --resume sweep.csv",
        "a long one, which goes on where it was stopped",
    ),
)

RUN = "How it runs"
TRACED = "many models are swept, and each is traced as it is known"
TERMINAL = "-"


class SweepCommand(pages.Command):
    """A command whose --plot may stand without a file."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read `--plot` as `--plot -`, unless a word with an ending (and no colon) follows."""
        words: list[str] = []
        for index, word in enumerate(args):
            words.append(word)
            if word == "--plot":
                following = args[index + 1] if index + 1 < len(args) else ""
                if following.startswith("-") or ":" in following or not Path(following).suffix:
                    words.append(TERMINAL)
        return super().parse_args(ctx, words)


COMMAND = SweepCommand


@dataclass(frozen=True)
class Figure:
    """Two metrics of every row, and a plot of them."""

    pareto: Annotated[
        bool,
        typer.Option(
            "--pareto",
            help="Keep the rows of each model and input that no other beats in both --x and --y.",
            rich_help_panel=VIEW,
        ),
    ] = False
    plot: Annotated[
        str | None,
        typer.Option(
            help="Plot to a .png, .svg or .pdf file; without FILE in the terminal.",
            metavar="[FILE]",
            rich_help_panel=OUTPUT,
        ),
    ] = None
    x: Annotated[
        str,
        typer.Option(
            "--x",
            help=f"{one_of(COMPARED)}.",
            metavar="METRIC",
            autocompletion=candidates.axes,
            rich_help_panel=OUTPUT,
        ),
    ] = "params"
    y: Annotated[
        str,
        typer.Option(
            "--y",
            help="The same, upwards.",
            metavar="METRIC",
            autocompletion=candidates.axes,
            rich_help_panel=OUTPUT,
        ),
    ] = "macs"
    told: Without | None = None

    def axes(self, latency: bool) -> tuple[Metric, Metric]:
        """The two metrics.

        Raises:
            UsageError: there is no such metric, or no row will have it.
        """
        return _axis(self.x, latency), _axis(self.y, latency)


def sweep(
    source: Annotated[Source, Without(inputs=TRACED, rules=TRACED, device=TRACED)],
    change: Annotated[Change, Without(plan="a plan is one rewrite: write MODEL+PLAN.toml")],
    prediction: Annotated[Prediction, Without(channels_last="a row is of one memory format")],
    out: Annotated[Output, Forms(Form.TABLE, Form.JSON, Form.CSV, Form.MARKDOWN)],
    figure: Figure,
    models: Annotated[
        list[str] | None,
        typer.Argument(
            help="Names as for `profile`; none: the paper's ImageNet networks, by its rules.",
            metavar="[MODEL]...",
            autocompletion=candidates.models,
            show_default=False,
        ),
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option(
            help="Write to this .csv or .json file, and leave out what it has already.",
            metavar="FILE",
            rich_help_panel=RUN,
        ),
    ] = None,
    jobs: Annotated[
        int,
        typer.Option(help="Trace so many models at a time.", min=1, rich_help_panel=RUN),
    ] = 1,
    debug: Debug = False,
) -> None:
    """Profile many variants, row by row.

    They are models × kinds × G or P × inputs × batches × rules.

    Rows come as they are known. A G or P that does not fit a model is a row with the reason. So is
    a model that cannot be traced: the others go on, and the exit code is 1.
    """
    from dualcost.search.sweep.rows import FAILED

    target = destination(out, resume)
    if not models and (change.where or set(change.said) & {"--but", "--indivisible", "--bias"}):
        raise UsageError(
            "without a model the paper's networks are swept, each by the paper's rule",
            "name them, or leave --where, --but, --indivisible and --bias out",
        )
    if figure.pareto and resume:
        raise UsageError("--resume needs all rows, --pareto keeps some", "leave one of them out")
    latency = bool(prediction.latency)
    axes = figure.axes(latency)
    _check_plot(figure.plot, shown=target.form == Form.TABLE or target.path is not None)
    studies = _studies(models or (), source, change)
    _check_names(models or ())
    learnt = prediction.wanted()
    stream = Stream(target, resume, axes if figure.pareto else None, latency)
    rows = _stream(studies, stream, jobs, learnt)
    _draw(rows, figure.plot, *axes)
    if any(row.status == FAILED for row in rows):
        raise typer.Exit(ExitCode.FAILED)


def _studies(models: Sequence[str], source: Source, change: Change) -> tuple[Study, ...]:
    """What is swept: models × inputs × batches × rules × kinds × numbers."""
    from dualcost.kinds.kinds import KINDS
    from dualcost.paper.sweep import paper_ways
    from dualcost.search.sweep.rows import DOUBLING, Replacing
    from dualcost.search.sweep.study import IMGSZ, plan
    from dualcost.units import span

    return plan(
        models,
        change.texts or tuple(KINDS),
        change.numbers("G") or DOUBLING,
        change.numbers("P"),
        sizes=[*(source.input or ()), *([f"{IMGSZ}{source.imgsz}"] if source.sides else [])],
        batches=span(source.batch, "--batch") if source.batch is not None else (),
        ways=[
            Replacing(rule, change.indivisible, change.bias, tuple(change.but or ()))
            for rule in change.rules
        ],
        convention=source.convention,
        otherwise=paper_ways(),
    )


def _axis(name: str, latency: bool) -> Metric:
    """A metric; refused, if no row will have it."""
    axis = metric(name, COMPARED, "axis of a sweep")
    if not axis.exact and not latency:
        raise UsageError("times are not predicted", "add --latency")
    return axis


def _check_plot(plot: str | None, shown: bool) -> None:
    """Refuse before the work what could not be plotted after it."""
    if plot == TERMINAL and not shown:
        raise UsageError(
            "a plot in the terminal would stand among the rows", "give --plot or -o a file"
        )
    if plot not in (None, TERMINAL):
        from dualcost.files import check_writable
        from dualcost.render.figure import check_format

        check_format(Path(plot))
        check_writable(Path(plot))


def _check_names(models: list[str] | tuple[str, ...]) -> None:
    """Refuse a name that nothing has, before hours of work and not after them."""
    from dualcost.library import networks as library
    from dualcost.rewrite.subject import Subject

    for text in models:
        library.with_origin(Subject.parse(text, open=True).model)


def _stream(
    studies: tuple[Study, ...], stream: Stream, jobs: int, calibration: Calibration | None
) -> list[Swept]:
    """Run what is not done yet; Ctrl-C keeps what is."""
    from functools import partial

    from dualcost.cli.progress import watching
    from dualcost.library import networks as library
    from dualcost.search.sweep.study import run

    rows = list(stream.resumed)
    done = frozenset(row.point for row in rows)
    total = sum(map(len, studies))
    with stream, watching(total, "sweeping") as (advance, say):
        load = library.load if jobs > 1 else partial(library.load, announce=say)
        advance(len(rows))
        for row in run(studies, load, jobs, done, calibration):
            stream.add(row)
            rows.append(row)
            advance(1)
    return rows


def _draw(rows: list[Swept], plot: str | None, x: Metric, y: Metric) -> None:
    from dualcost.search.sweep.rows import DONE

    known = (row for row in rows if None not in (row.costs[x.key], row.costs[y.key]))
    costed = [row for row in known if row.status == DONE]
    if plot is None:
        return
    if not costed:
        announce("nothing to plot")
    elif plot == TERMINAL:
        from dualcost.render.sweep.plot import sweep_plot
        from dualcost.render.terminal import as_text

        deliver("\n" + as_text(lambda width: sweep_plot(costed, x, y, min(width, 100)), None), None)
    else:
        from dualcost.render.sweep.figure import sweep_figure

        draw(lambda: sweep_figure(costed, x, y), Path(plot))
