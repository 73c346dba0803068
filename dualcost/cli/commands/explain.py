"""`dualcost explain`: why a replaced layer's time is not what its MACs say."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from dualcost.cli.commands.verify import BUILT
from dualcost.cli.options import (
    LATENCY,
    Change,
    Debug,
    Forms,
    Model,
    Output,
    Prediction,
    Source,
    Time,
    View,
    Without,
)
from dualcost.cli.output import Form, announce

if TYPE_CHECKING:
    from dualcost.lab.bench import Watcher
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
USUAL_S = "30s"
PROCESSOR = "oneDNN, which is asked, computes in float32 on the processor"


Layer = Annotated[
    str,
    typer.Option(
        help="Only this replaced layer, or all that fit a pattern such as “layer3.*”.",
        metavar="PATH",
        show_default=False,
    ),
]


def explain(
    model: Model,
    source: Annotated[
        Source,
        Without(inputs=BUILT, rules=BUILT, device=PROCESSOR, convention="it is about times"),
    ],
    change: Change,
    prediction: Annotated[Prediction, Without(latency="it always predicts where it can")],
    view: Annotated[
        View,
        Without(sort="the layers that lose most time come first", depth="it is about layers"),
    ],
    out: Annotated[Output, Forms(Form.TABLE, Form.JSON)],
    layer: Layer = "",
    measure: Annotated[
        bool,
        typer.Option(
            "--measure", help="Measure the layers as `bench` does.", rich_help_panel=LATENCY
        ),
    ] = False,
    time: Time = "",
    debug: Debug = False,
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
    from dualcost.units import parse_duration

    source.checked()
    target = out.target
    subject = change.subject(model)
    if subject.request is None:
        raise UsageError("there is nothing to explain: no layer is replaced", "add --conv dual:4")
    if time and not measure:
        raise UsageError("--time says how long to measure", "add --measure")
    budget_s = parse_duration(time or USUAL_S) if measure else 0.0
    known, unpredicted = _calibration(prediction)
    network = source.load(subject.model)
    with _watching(measure) as watch:
        found = inquiry.explain(
            network, Variant(subject.request), known,
            layer=layer, channels_last=prediction.channels_last, budget_s=budget_s, watch=watch,
        )  # fmt: skip
    shown = replace(found, layers=farthest(found.layers, view.top or 0), unpredicted=unpredicted)
    from dualcost.render.explain import reason_json, reason_table

    target.write(table=lambda width: reason_table(shown), json=lambda: reason_json(shown))


def _calibration(prediction: Prediction) -> tuple[Calibration | None, str]:
    """What to predict by; without a calibration of this machine, what to do about that.

    Raises:
        UsageError: a file was named that cannot be read, or it is of another machine.
    """
    from dualcost.errors import UnmeasuredError

    try:
        return prediction.read(), ""
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
