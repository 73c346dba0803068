"""`dualcost profile`: what a network costs, layer by layer, before and after."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dualcost.cli import candidates, options, suggestion
from dualcost.cli.output import announce, deliver
from dualcost.costs.metrics import ADDED

if TYPE_CHECKING:
    from dualcost.costs.profile import Profile
    from dualcost.latency.calibration import Calibration
    from dualcost.network.network import Network
    from dualcost.rewrite.request import Request

EXAMPLES = (
    (
        "dualcost profile resnet50 --conv dual --G 4",
        "each layer as it is, and with dual convolutions",
    ),
    ("dualcost profile resnet50 --depth 1", "the stages of a network, as it is"),
    (
        "dualcost profile mobilenet_v2 --conv dual --G 8 --where inverted-residual",
        "whole blocks replaced",
    ),
    (
        "dualcost profile model.py:make --input 1x3x64x64 --format json -o cost.json",
        "your own model, as JSON in a file",
    ),
)


class Format(StrEnum):
    """How a profile is written."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    MARKDOWN = "markdown"


def profile(
    context: typer.Context,
    model: options.Model,
    input: options.Input = None,
    inputs: options.Inputs = None,
    batch: options.Batch = None,
    rules: options.RulesFile = None,
    device: options.Device = "",
    convention: options.Convention = "torch",
    conv: options.Conv = None,
    groups: options.Groups = None,
    parts: options.Parts = None,
    where: options.Where = "default",
    but: options.But = None,
    indivisible: options.Policy = "refuse",
    bias: options.Bias = "keep",
    plan: options.Plan = None,
    latency: Annotated[
        bool,
        typer.Option(
            "--latency",
            help="Predict how long each layer takes on this machine (see `calibrate`).",
            rich_help_panel=options.LATENCY,
        ),
    ] = False,
    calibration: options.CalibrationFile = None,
    any_machine: options.AnyMachine = False,
    channels_last: options.ChannelsLast = False,
    explain: Annotated[
        bool,
        typer.Option(
            "--explain",
            help="List every site and the term that refused it, instead of the costs.",
            rich_help_panel=options.REWRITE,
        ),
    ] = False,
    depth: Annotated[
        int | None,
        typer.Option(
            help="A tree of modules down to this depth, each with its sum.",
            rich_help_panel=options.VIEW,
        ),
    ] = None,
    sort: Annotated[
        str,
        typer.Option(
            help=f"{options.one_of(('order', *ADDED, 'saved', 'path'))}; with --depth within each "
            "module.",
            metavar="ORDER",
            autocompletion=candidates.sorts,
            rich_help_panel=options.VIEW,
        ),
    ] = "order",
    top: Annotated[
        int | None,
        typer.Option(
            help="This many rows (of each module), and the rest in one; 0: all. Default: all in "
            "files; on screen, above 30 layers, modules as deep as 30 lines allow.",
            show_default=False,
            rich_help_panel=options.VIEW,
        ),
    ] = None,
    format: Annotated[
        Format | None,
        typer.Option(
            help="Default: by the ending of --output, else table.",
            rich_help_panel=options.OUTPUT,
            show_default=False,
        ),
    ] = None,
    output: options.Output = None,
    unit: options.Unit = "auto",
    debug: options.Debug = False,
) -> None:
    """Count MACs, FLOPs and parameters of a network, layer by layer.

    With --conv it also says what they would be if convolutions were of another kind.
    """
    from dualcost.costs.profile import profile as cost
    from dualcost.library import networks as library
    from dualcost.network.cost import convention as named_convention
    from dualcost.network.network import TensorSpec
    from dualcost.units import check_unit

    check_unit(unit)
    counted = named_convention(convention)
    more = {"--explain": explain}
    asked = options.asked(conv, groups, parts, where, but, indivisible, bias, more, plan)
    learnt = _calibration(latency, calibration, any_machine, channels_last)
    specs = tuple(TensorSpec.parse(text) for text in input or ())
    network = library.load(model, specs, batch, announce, inputs or "", rules or "", device)
    if explain and asked:
        _explain(network, asked, output)
        return
    result = cost(network, asked, counted)
    if learnt is not None:
        from dualcost.costs.timed import timed

        result = timed(result, network, learnt, channels_last=channels_last, foreign=any_machine)
    form = format or _by_ending(output)
    footer = suggestion.footer(context, network, result) if form is Format.TABLE else []
    deliver(_written(result, form, depth, sort, top, unit, output, footer), output)


def _calibration(
    asked: bool, path: Path | None, any_machine: bool, channels_last: bool
) -> Calibration | None:
    """The calibration to predict by; None without --latency.

    Raises:
        UsageError: an option makes no sense without --latency, the file cannot be read, or it is
            of another machine.
        UnmeasuredError: this machine has not been calibrated.
    """
    if not asked:
        options.uncalibrated(path, any_machine, channels_last, "add --latency")
        return None
    return options.calibrated(path, any_machine)


def _by_ending(output: Path | None) -> Format:
    endings = {".json": Format.JSON, ".csv": Format.CSV, ".md": Format.MARKDOWN}
    return endings.get(output.suffix, Format.TABLE) if output else Format.TABLE


def _explain(network: Network, asked: Request, output: Path | None) -> None:
    from dualcost.render.profile.table import explanation
    from dualcost.render.terminal import as_text
    from dualcost.rewrite.rewrite import rewrite

    deliver(as_text(lambda width: explanation(rewrite(network, asked)), output), output)


def _written(
    result: Profile,
    format: Format,
    depth: int | None,
    sort: str,
    top: int | None,
    unit: str,
    output: Path | None,
    footer: list[tuple[str, str]],
) -> str:
    from dualcost.views.listing import listing, modules, ordered

    if format is Format.JSON:
        from dualcost.render.profile.json import profile_json

        return profile_json(result)
    if format is Format.CSV:
        from dualcost.render.profile.csv import rows_csv

        # every op is in a row, also one that counts nothing, so that all columns add up
        rows = result.rows if depth is None else modules(result.rows, depth)
        return rows_csv(ordered(rows, sort, top or 0))
    if format is Format.MARKDOWN:
        from dualcost.render.profile.markdown import profile_markdown

        return profile_markdown(result, listing(result, depth, sort, top or 0), unit)
    from dualcost.render.profile.table import profile_table
    from dualcost.render.terminal import as_text
    from dualcost.views.tree import outline

    if output is not None and depth is None:
        top = top or 0  # a file has room for every layer
    lines = outline(result, depth, sort, top)
    return as_text(lambda width: profile_table(result, lines, unit, width, footer), output)
