"""`dualcost bench`: models that run against each other, and how much faster one is."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dualcost.cli import candidates, options
from dualcost.cli.output import announce, deliver
from dualcost.errors import ExitCode
from dualcost.kinds.kinds import HET
from dualcost.latency.machine import Device

if TYPE_CHECKING:
    from rich.status import Status

    from dualcost.lab.bench import Progress, Watcher
    from dualcost.lab.measurement import Comparison

EXAMPLES = (
    ("dualcost bench resnet50 --conv dual:4", "how much faster dual convolutions are here"),
    (
        "dualcost bench vgg16 --conv group:8 --conv dual:8 --conv het:8 --het branches",
        "several variants, raced together",
    ),
    ("dualcost bench resnet18 --conv dual:4 --by layer", "which layers win, which lose"),
    (
        "dualcost bench model.py:make --input 8x3x64x64 --conv dual:2 --json",
        "your own model, a batch of 8, as JSON",
    ),
)

HOW, WHEN = "How they run", "When it ends"


class Dtype(StrEnum):
    """What a model computes with."""

    FLOAT32 = "float32"
    FLOAT16 = "float16"
    BFLOAT16 = "bfloat16"


class Het(StrEnum):
    """How het's convolutions run."""

    GROUPED, BRANCHES = HET.implementations


class By(StrEnum):
    """What times are listed for."""

    LAYER = "layer"


def bench(
    models: Annotated[
        list[str],
        typer.Argument(
            help="One or more names, as of `profile`; the first is what others compare to.",
            metavar="MODEL...",
            autocompletion=candidates.models,
            show_default=False,
        ),
    ],
    conv: Annotated[
        list[str] | None,
        typer.Option(
            help="A variant with these convolutions: dual:4, group:8, het:4, dsc; may be repeated.",
            metavar="KIND[:NUMBER]",
            autocompletion=candidates.variants,
            rich_help_panel=options.REWRITE,
        ),
    ] = None,
    where: options.Where = "default",
    but: options.But = None,
    indivisible: options.Policy = "refuse",
    bias: options.Bias = "keep",
    plan: options.Plan = None,
    het: Annotated[
        list[Het] | None,
        typer.Option(
            help="How het runs: grouped (default), or branches that slice the input; "
            "may be repeated.",
            rich_help_panel=options.REWRITE,
            show_default=False,
        ),
    ] = None,
    input: options.Input = None,
    batch: options.Batch = None,
    device: Annotated[
        Device, typer.Option(help="Where they run.", rich_help_panel=HOW)
    ] = Device.CPU,
    threads: Annotated[
        int, typer.Option(help="Threads of torch, each on a core.", min=1, rich_help_panel=HOW)
    ] = 1,
    dtype: Annotated[
        Dtype, typer.Option(help="Of weights and inputs.", rich_help_panel=HOW)
    ] = Dtype.FLOAT32,
    channels_last: Annotated[
        bool,
        typer.Option("--channels-last", help="In this memory format.", rich_help_panel=HOW),
    ] = False,
    compile: Annotated[
        bool, typer.Option("--compile", help="With torch.compile.", rich_help_panel=HOW)
    ] = False,
    target: Annotated[
        str,
        typer.Option(
            help="End when the ratios of two halves of the rounds differ by less.",
            metavar="PERCENT",
            rich_help_panel=WHEN,
        ),
    ] = "2%",
    budget: Annotated[
        str,
        typer.Option(
            help="End after so much measuring anyway.", metavar="TIME", rich_help_panel=WHEN
        ),
    ] = "60s",
    by: Annotated[
        By | None,
        typer.Option(
            help="layer: list the time of every layer as well.",
            rich_help_panel=options.VIEW,
            show_default=False,
        ),
    ] = None,
    json: options.Json = False,
    output: options.Output = None,
    debug: options.Debug = False,
) -> None:
    """Measure how fast models and their variants run.

    All run in turn in a fresh process, so that what disturbs one disturbs all. Ratios are to the
    first. Ctrl-C ends it, and what was measured until then is printed.
    """
    from dualcost.lab import bench as contest
    from dualcost.lab.race import Conditions, Variant, variants
    from dualcost.network.network import TensorSpec
    from dualcost.rewrite.request import Request
    from dualcost.units import parse_duration, parse_percent

    planned = None
    if plan or not conv:
        planned = options.asked(None, None, None, where, but, indivisible, bias, plan=plan)
    requests = [
        Request.parse(
            text, where=where, indivisible=indivisible, bias=bias, but=but or (), own_first=True
        )
        for text in conv or ()
    ]
    conditions = Conditions(device.value, threads, dtype.value, channels_last, compile)
    race = contest.race(
        models,
        [
            *variants(requests, [one.value for one in het or ()]),
            *([Variant(planned)] if planned else []),
        ],
        conditions,
        inputs=tuple(TensorSpec.parse(text) for text in input or ()),
        batch=batch,
        target=float(parse_percent(target)),
        budget_s=parse_duration(budget),
        by_layer=by is not None,
        announce=announce,
    )
    with _watching(len(race.contenders), race.budget_s) as watch:
        comparison = contest.run(race, watch)
    deliver(_written(comparison, json, output), output)
    if comparison.ended == "interrupted":
        raise typer.Exit(ExitCode.INTERRUPTED)


@contextmanager
def _watching(contenders: int, budget_s: float) -> Iterator[Watcher]:
    """Progress on standard error: a line that changes in a terminal, else one line."""
    from dualcost.units import duration

    if not sys.stderr.isatty():
        announce(f"running {contenders} models in turn, for at most {duration(budget_s)}")
        yield _watched(None)
        return
    from dualcost.render.terminal import terminal

    with terminal(stderr=True).status("starting", refresh_per_second=2) as status:
        yield _watched(status)


def _watched(status: Status | None) -> Watcher:
    return lambda progress: status.update(_line(progress)) if status else None


def _line(progress: Progress) -> str:
    from dualcost.units import percent

    if not progress.rounds:
        return progress.stage
    spread = "" if progress.spread is None else f", halves differ by {percent(progress.spread)}"
    return (
        f"{progress.stage}: {progress.rounds} rounds{spread}, "
        f"at most {progress.remaining_s:.0f} s more"
    )


def _written(comparison: Comparison, json: bool, output: Path | None) -> str:
    from dualcost.render.bench import measurement_json, measurement_table
    from dualcost.render.terminal import as_text

    if json:
        return measurement_json(comparison)
    return as_text(lambda width: measurement_table(comparison), output)
