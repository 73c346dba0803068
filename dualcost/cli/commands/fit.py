"""`dualcost fit`: a kind and its G or P for each layer, so that a network fits its budgets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dualcost.cli import candidates, options
from dualcost.cli.output import announce, deliver
from dualcost.costs.metrics import ADDED
from dualcost.errors import ExitCode

if TYPE_CHECKING:
    from dualcost.search.fit.fitted import Fitted
    from dualcost.search.fit.timetable import Predictor

EXAMPLES = (
    (
        "dualcost fit resnet50 --budget params=20M --budget macs=3G",
        "the least change that meets two budgets",
    ),
    (
        "dualcost fit resnet50 --budget latency=60ms --kinds dual,het --save plan.toml",
        "meet a time, and keep the plan",
    ),
    ("dualcost fit vgg16 --budget macs=10G --objective layers", "touch as few layers as possible"),
    (
        'dualcost fit resnet50 --budget "params>=15M" --objective latency',
        "the fastest that keeps enough parameters",
    ),
)

CHOICES = "What layers may become"


def fit(
    model: options.Model,
    budget: Annotated[
        list[str],
        typer.Option(
            help="A maximum such as params=10M, traffic=90MB or latency=60ms, or “params >= 5M”, "
            f"of {options.one_of((*ADDED, 'latency'))}. May be repeated.",
            metavar="BUDGET",
            show_default=False,
        ),
    ],
    objective: Annotated[
        str,
        typer.Option(
            help="What is least: params (removed), layers (touched), or latency (over a floor).",
            metavar="WHAT",
            autocompletion=candidates.objectives,
        ),
    ] = "params",
    input: options.Input = None,
    batch: options.Batch = None,
    convention: options.Convention = "torch",
    kinds: Annotated[
        str,
        typer.Option(
            help="Kinds that layers may become: of dual, group, het, dsc, standard.",
            metavar="KIND,…",
            autocompletion=candidates.several_kinds,
            rich_help_panel=CHOICES,
        ),
    ] = "dual",
    groups: Annotated[
        str | None,
        typer.Option(
            "--G",
            help="Of dual and group: 2,4,8 or 2..32. Default: powers of two that divide.",
            metavar="NUMBERS",
            rich_help_panel=CHOICES,
            show_default=False,
        ),
    ] = None,
    parts: Annotated[
        str | None,
        typer.Option(
            "--P",
            help="Of het, likewise.",
            metavar="NUMBERS",
            rich_help_panel=CHOICES,
            show_default=False,
        ),
    ] = None,
    where: Annotated[
        str,
        typer.Option(
            help="Which layers may change; a rule, as of `profile`.",
            metavar="RULE",
            autocompletion=candidates.rules,
            rich_help_panel=CHOICES,
        ),
    ] = "default",
    bias: Annotated[
        str,
        typer.Option(
            help="keep the biases of what is replaced, or drop them.",
            metavar="keep|drop",
            autocompletion=candidates.biases,
            rich_help_panel=CHOICES,
        ),
    ] = "keep",
    calibration: Annotated[
        Path | None,
        typer.Option(
            help="Predict latencies by this file instead of this machine's.",
            metavar="FILE",
            rich_help_panel=options.LATENCY,
            show_default=False,
        ),
    ] = None,
    any_machine: Annotated[
        bool,
        typer.Option(
            "--any-machine",
            help="Take one of another machine, too.",
            rich_help_panel=options.LATENCY,
        ),
    ] = False,
    channels_last: Annotated[
        bool,
        typer.Option(
            "--channels-last",
            help="Predict for this memory format.",
            rich_help_panel=options.LATENCY,
        ),
    ] = False,
    save: Annotated[
        Path | None,
        typer.Option(
            help="Write the plan, for --plan of `profile`, `verify`, `convert` and `bench`.",
            metavar="FILE.toml",
            rich_help_panel=options.OUTPUT,
            show_default=False,
        ),
    ] = None,
    all_layers: Annotated[
        bool,
        typer.Option("--all", help="List layers that stay, too.", rich_help_panel=options.OUTPUT),
    ] = False,
    json: options.Json = False,
    output: options.Output = None,
    debug: options.Debug = False,
) -> None:
    """Find the smallest change, layer by layer, that fits.

    It is a kind and its G or P for each layer.

    Solved to optimality by an integer program. If no plan meets all budgets, the nearest one is
    shown, and the exit code is 1. Accuracy is not modelled: train and test the result.
    """
    from dualcost.api import fit as find
    from dualcost.files import check_writable
    from dualcost.units import span

    if save is not None:
        check_writable(save)
    predictor = _predictor(budget, objective, calibration, any_machine, channels_last)
    fitted = find(
        model,
        budget,
        input,
        kinds=kinds.split(","),
        G=span(groups, "--G") if groups is not None else None,
        P=span(parts, "--P") if parts is not None else None,
        where=where,
        bias=bias,
        objective=objective,
        batch=batch,
        convention=convention,
        predictor=predictor,
        announce=announce,
    )
    from dualcost.render.fit import fitted_json, fitted_table
    from dualcost.render.terminal import as_text

    if json:
        text = fitted_json(fitted)
    else:
        text = as_text(lambda width: fitted_table(fitted, all_layers), output)
    deliver(text, output)
    if save is not None:
        _save(fitted, save)
    if not fitted.fits:
        raise typer.Exit(ExitCode.FAILED)


def _predictor(
    budgets: list[str],
    objective: str,
    calibration: Path | None,
    any_machine: bool,
    channels_last: bool,
) -> Predictor | None:
    """What latencies are predicted by, if one is asked for.

    Raises:
        UsageError: a word does not fit, or says how to predict what nobody asks for.
        UnmeasuredError: this machine has not been calibrated.
    """
    from dualcost.search.fit.budget import budgets as read
    from dualcost.search.fit.fitted import Wish
    from dualcost.search.fit.timetable import Predictor

    if Wish(read(budgets), objective).predicts:
        found = options.calibrated(calibration, any_machine)
        return Predictor(found, channels_last, foreign=any_machine)
    options.uncalibrated(calibration, any_machine, channels_last, "add --budget latency=60ms")
    return None


def _save(fitted: Fitted, path: Path) -> None:
    """Write the plan, if there is one, and it meets the budgets."""
    if not fitted.fits:
        announce(f"{path} was not written: the plan does not meet the budgets")
    elif fitted.rewrite is None:
        announce(f"{path} was not written: the network meets the budgets as it is")
    else:
        from dualcost.render.fit import about
        from dualcost.rewrite.plan import write

        write(fitted.rewrite, path, about(fitted))
        announce(f"wrote {path}")
