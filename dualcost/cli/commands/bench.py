"""`dualcost bench`: models that run against each other, and how much faster one is."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from dualcost.cli import candidates
from dualcost.cli.commands.verify import BUILT
from dualcost.cli.options import (
    REWRITE,
    VIEW,
    Change,
    Debug,
    Forms,
    Output,
    Source,
    Time,
    Without,
)
from dualcost.cli.output import Form, announce
from dualcost.errors import ExitCode
from dualcost.kinds.kinds import HET
from dualcost.latency.machine import Device

if TYPE_CHECKING:
    from rich.status import Status

    from dualcost.lab.bench import Progress, Watcher
    from dualcost.lab.race import Conditions

EXAMPLES = (
    ("dualcost bench resnet50 --conv dual:4", "how much faster dual convolutions are here"),
    (
        "dualcost bench vgg16 --conv group:8,dual:8,het:8 --het branches",
        "several variants, raced together",
    ),
    ("dualcost bench resnet18 --conv dual:4 --layers", "which layers win, which lose"),
    (
        "dualcost bench model.py:make --input 8x3x64x64 --conv dual:2 --json",
        "your own model, a batch of 8, as JSON",
    ),
)

DEVICE = "declared apart: the processor is the usual one"
HOW, WHEN = "How they run", "When it ends"


class Dtype(StrEnum):
    """What a model computes with."""

    FLOAT32 = "float32"
    FLOAT16 = "float16"
    BFLOAT16 = "bfloat16"


class Het(StrEnum):
    """How het's convolutions run."""

    GROUPED, BRANCHES = HET.implementations


@dataclass(frozen=True)
class Running:
    """How models run, and when it ends."""

    het: Annotated[
        list[Het] | None,
        typer.Option(
            help="How het runs: grouped (default), or branches that slice the input; "
            "may be repeated.",
            rich_help_panel=REWRITE,
            show_default=False,
        ),
    ] = None
    device: Annotated[Device, typer.Option(help="Where they run.", rich_help_panel=HOW)] = (
        Device.CPU
    )
    threads: Annotated[
        int, typer.Option(help="Threads of torch, each on a core.", min=1, rich_help_panel=HOW)
    ] = 1
    dtype: Annotated[Dtype, typer.Option(help="Of weights and inputs.", rich_help_panel=HOW)] = (
        Dtype.FLOAT32
    )
    channels_last: Annotated[
        bool,
        typer.Option("--channels-last", help="In this memory format.", rich_help_panel=HOW),
    ] = False
    compile: Annotated[
        bool, typer.Option("--compile", help="With torch.compile.", rich_help_panel=HOW)
    ] = False
    target: Annotated[
        str,
        typer.Option(
            help="End when the ratios of two halves of the rounds differ by less.",
            metavar="PERCENT",
            rich_help_panel=WHEN,
        ),
    ] = "2%"
    time: Time = "60s"
    told: Without | None = None

    @property
    def conditions(self) -> Conditions:
        """How every model is run."""
        from dualcost.lab.race import Conditions

        return Conditions(
            self.device.value, self.threads, self.dtype.value, self.channels_last, self.compile
        )


def bench(
    models: Annotated[
        list[str],
        typer.Argument(
            help="One or more subjects, as of `profile`; others are compared to the first.",
            metavar="MODEL...",
            autocompletion=candidates.contenders,
            show_default=False,
        ),
    ],
    source: Annotated[
        Source, Without(inputs=BUILT, rules=BUILT, device=DEVICE, convention="it is about times")
    ],
    change: Change,
    out: Annotated[Output, Forms(Form.TABLE, Form.JSON)],
    running: Running,
    layers: Annotated[
        bool,
        typer.Option("--layers", help="List the time of every layer, too.", rich_help_panel=VIEW),
    ] = False,
    debug: Debug = False,
) -> None:
    """Measure how fast models and their variants run.

    All run in turn in a fresh process, so that what disturbs one disturbs all. Ratios are to the
    first. Ctrl-C ends it, and what was measured until then is printed.
    """
    from dualcost.lab import bench as contest
    from dualcost.lab.race import variants
    from dualcost.units import parse_duration, parse_percent

    source.checked()
    target = out.target
    race = contest.race(
        change.subjects(models, with_requests=False),
        [*variants(change.requests(), [one.value for one in running.het or ()])],
        running.conditions,
        inputs=source.specs,
        batch=source.size,
        imgsz=source.sides,
        target=float(parse_percent(running.target)),
        budget_s=parse_duration(running.time),
        by_layer=layers,
        announce=announce,
    )
    with _watching(len(race.contenders), race.budget_s) as watch:
        comparison = contest.run(race, watch)
    from dualcost.render.bench import measurement_json, measurement_table

    target.write(
        table=lambda width: measurement_table(comparison),
        json=lambda: measurement_json(comparison),
    )
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
