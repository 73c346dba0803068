"""`dualcost fit`: a kind and its G or P for each layer, so that a network fits its budgets."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dualcost.cli import candidates
from dualcost.cli.options import (
    OUTPUT,
    Change,
    Debug,
    Forms,
    Limits,
    Metrics,
    Model,
    Output,
    Prediction,
    Source,
    Without,
)
from dualcost.cli.output import Form, announce
from dualcost.costs.metrics import ADDED
from dualcost.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from dualcost.search.fit.fitted import Fitted, Wish
    from dualcost.search.fit.timetable import Predictor

EXAMPLES = (
    (
        "dualcost fit resnet50 --budget params=20M --budget macs=3G",
        "the least change that meets two budgets",
    ),
    (
        "dualcost fit resnet50 --budget latency=60ms --conv dual,het --save plan.toml",
        "meet a time, and keep the plan",
    ),
    ("dualcost fit vgg16 --budget macs=10G --objective layers", "touch as few layers as possible"),
    (
        'dualcost fit resnet50 "params >= 15M" --objective latency',
        "the fastest that keeps enough parameters",
    ),
)
PLAN = ".toml"


Objective = Annotated[
    str,
    typer.Option(
        help="What is least: params (removed), layers (touched), or latency (over a floor).",
        metavar="WHAT",
        autocompletion=candidates.objectives,
    ),
]


def fit(
    model: Model,
    limits: Annotated[Limits, Metrics((*ADDED, "latency"))],
    source: Source,
    change: Annotated[
        Change,
        Without(
            plan="it makes plans",
            but="its exceptions are what it finds",
            indivisible="it takes numbers that divide",
        ),
    ],
    prediction: Annotated[Prediction, Without(latency="a budget or objective of latency says it")],
    out: Annotated[
        Output,
        Forms(Form.TABLE, Form.JSON, file="Write to this file; one that ends in .toml is a plan."),
    ],
    objective: Objective = "params",
    save: Annotated[
        Path | None,
        typer.Option(
            help="Write the plan too, for --plan of other commands.",
            metavar="FILE.toml",
            rich_help_panel=OUTPUT,
            show_default=False,
        ),
    ] = None,
    all_layers: Annotated[
        bool, typer.Option("--all", help="List layers that stay, too.", rich_help_panel=OUTPUT)
    ] = False,
    debug: Debug = False,
) -> None:
    """Find the smallest change, layer by layer, that fits.

    A kind of --conv (by default dual) and its G or P for each layer, by an integer program, to
    optimality. If no plan meets all limits, the nearest one is shown, and the exit code is 1.
    Accuracy is not modelled: train and test the result.
    """
    from dualcost.files import check_writable
    from dualcost.search.fit.budget import budgets
    from dualcost.search.fit.fitted import Wish

    source.checked()
    plans = [path for path in (save, out.output) if path and path.suffix == PLAN]
    target = out.summary if out.output in plans else out.target
    for path in filter(None, {save, *plans}):
        check_writable(path)
    fitted = _fitted(model, Wish(budgets(limits.texts), objective), source, change, prediction)
    from dualcost.render.fit import fitted_json, fitted_table

    target.write(
        table=lambda width: fitted_table(fitted, all_layers), json=lambda: fitted_json(fitted)
    )
    _save(fitted, dict.fromkeys(filter(None, (save, *plans))))
    if not fitted.fits:
        raise typer.Exit(ExitCode.FAILED)


def _fitted(
    model: str, wish: Wish, source: Source, change: Change, prediction: Prediction
) -> Fitted:
    """Find the plan, with all words read before the model is."""
    from dataclasses import replace

    from dualcost.rewrite.rule import Rule
    from dualcost.rewrite.subject import Subject
    from dualcost.search.fit.fit import fit as find

    subject = Subject.parse(model, several=True, open=True)
    if subject.request:
        raise UsageError(
            f"{model} says what replaces, and `fit` finds that",
            f"write dualcost fit {subject.model} --conv {subject.request.kind.name}",
        )
    kinds, rule = _kinds(change), Rule.replacing(change.rule)
    wish = replace(wish, predictor=_predictor(wish, prediction))
    return find(
        source.load(model), wish, kinds, change.numbers("G") or None, change.numbers("P") or None,
        rule, change.bias, source.counted,
    )  # fmt: skip


def _kinds(change: Change) -> list[str]:
    """The kinds that layers may become.

    Raises:
        UsageError: one comes with words that the plan is to find.
    """
    from dualcost.rewrite.request import Request

    found = []
    for text in change.texts or ("dual",):
        request = Request.parse(text, open=True)
        if request != Request.parse(request.kind, open=True):
            raise UsageError(
                f"{text} says more than a kind, and `fit` finds the rest",
                f"write --conv {request.kind.name}; --G, --P and --where narrow what it tries",
            )
        found.append(request.kind.name)
    return found


def _predictor(wish: Wish, prediction: Prediction) -> Predictor | None:
    """What latencies are predicted by, if one is asked for.

    Raises:
        UsageError: an option says how to predict what nobody asks for.
        UnmeasuredError: this machine has not been calibrated.
    """
    from dualcost.search.fit.timetable import Predictor

    if wish.predicts:
        return Predictor(
            prediction.read(), prediction.channels_last, foreign=prediction.any_machine
        )
    prediction.wanted("add --budget latency=60ms")
    return None


def _save(fitted: Fitted, paths: Iterable[Path]) -> None:
    """Write the plan, if there is one, and it meets the budgets."""
    from dualcost.render.fit import about
    from dualcost.rewrite.plan import write

    for path in paths:
        if not fitted.fits:
            announce(f"{path} was not written: the plan does not meet the budgets")
        elif fitted.rewrite is None:
            announce(f"{path} was not written: the network meets the budgets as it is")
        else:
            write(fitted.rewrite, path, about(fitted))
            announce(f"wrote {path}")
