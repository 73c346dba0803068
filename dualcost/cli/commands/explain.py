"""`dualcost explain`: why a replaced layer's time is not what its MACs say."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dualcost.cli import options
from dualcost.cli.output import announce, deliver

if TYPE_CHECKING:
    from dualcost.lab.bench import Watcher
    from dualcost.lab.explanation import Explanation
    from dualcost.latency.calibration import Calibration

EXAMPLES = (
    ("dualcost explain vgg16 --conv dual --G 32", "why layers are slower than their MACs say"),
    (
        "dualcost explain vgg16 --conv dual --G 32 --layer features.2 --measure",
        "one layer, measured too",
    ),
    (
        "dualcost explain resnet50 --conv het --P 8 --top 3 --channels-last",
        "the three worst, in another memory format",
    ),
)
BUDGET = "30s"


def explain(
    model: options.Model,
    conv: options.Conv = None,
    groups: options.Groups = None,
    parts: options.Parts = None,
    where: options.Where = "default",
    but: options.But = None,
    indivisible: options.Policy = "refuse",
    bias: options.Bias = "keep",
    input: options.Input = None,
    batch: options.Batch = None,
    layer: Annotated[
        str,
        typer.Option(
            help="Only this replaced layer, or all that fit a pattern such as “layer3.*”.",
            metavar="PATH",
            show_default=False,
        ),
    ] = "",
    top: Annotated[
        int,
        typer.Option(help="Only so many layers: those that lose most time.", min=0),
    ] = 0,
    measure: Annotated[
        bool,
        typer.Option(
            "--measure",
            help="Measure the layers as `bench` does.",
            rich_help_panel=options.LATENCY,
        ),
    ] = False,
    budget: Annotated[
        str,
        typer.Option(
            help=f"End measuring after so much; {BUDGET} without it.",
            metavar="TIME",
            rich_help_panel=options.LATENCY,
            show_default=False,
        ),
    ] = "",
    channels_last: options.ChannelsLast = False,
    calibration: options.CalibrationFile = None,
    any_machine: options.AnyMachine = False,
    json: options.Json = False,
    output: options.Output = None,
    debug: options.Debug = False,
) -> None:
    """Say why a replaced layer's time is not what its MACs say.

    The model runs here before and after, and oneDNN names the kernels and re-orders of each
    replaced layer. Times are predicted too if this machine is calibrated.
    """
    from dataclasses import replace

    from dualcost.errors import UsageError
    from dualcost.lab import explain as inquiry
    from dualcost.lab.explanation import farthest
    from dualcost.lab.race import Variant
    from dualcost.library import networks as library
    from dualcost.network.network import TensorSpec
    from dualcost.units import parse_duration

    asked = options.asked(conv, groups, parts, where, but, indivisible, bias)
    if asked is None or conv is None:
        raise UsageError("there is nothing to explain: no layer is replaced", "add --conv dual")
    if budget and not measure:
        raise UsageError("--budget says how long to measure", "add --measure")
    budget_s = parse_duration(budget or BUDGET) if measure else 0.0
    known, unpredicted = _calibration(calibration, any_machine)
    variant = Variant(asked)
    specs = tuple(TensorSpec.parse(text) for text in input or ())
    network = library.load(model, specs, batch, announce)
    with _watching(measure) as watch:
        found = inquiry.explain(
            network, variant, known,
            layer=layer, channels_last=channels_last, budget_s=budget_s, watch=watch,
        )  # fmt: skip
    shown = replace(found, layers=farthest(found.layers, top), unpredicted=unpredicted)
    deliver(_written(shown, json, output), output)


def _calibration(path: Path | None, any_machine: bool) -> tuple[Calibration | None, str]:
    """What to predict by; without a calibration of this machine, what to do about that.

    Raises:
        UsageError: a file was named that cannot be read, or it is of another machine.
    """
    from dualcost.errors import UnmeasuredError

    try:
        return options.calibrated(path, any_machine), ""
    except UnmeasuredError as error:
        return None, f"{error.message}: {error.hint}"


@contextmanager
def _watching(measure: bool) -> Iterator[Watcher]:
    """What is done now, on standard error: a line that changes in a terminal, else one line."""
    if not sys.stderr.isatty():
        announce("running the model before and after" + ", and measuring" * measure)
        yield lambda progress: None
        return
    from dualcost.render.terminal import terminal

    with terminal(stderr=True).status("starting", refresh_per_second=2) as status:
        yield lambda progress: status.update(
            f"{progress.stage}: {progress.rounds} rounds" if progress.rounds else progress.stage
        )


def _written(explanation: Explanation, json: bool, output: Path | None) -> str:
    from dualcost.render.explain import reason_json, reason_table
    from dualcost.render.terminal import as_text

    if json:
        return reason_json(explanation)
    return as_text(lambda width: reason_table(explanation), output)
