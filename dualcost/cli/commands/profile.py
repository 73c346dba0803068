"""`dualcost profile`: what a network costs, layer by layer, before and after."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from dualcost.cli import suggestion
from dualcost.cli.commands.report import page
from dualcost.cli.options import (
    REWRITE,
    Change,
    Debug,
    Forms,
    Model,
    Output,
    Prediction,
    Source,
    Unit,
    View,
)
from dualcost.cli.output import Form, Target

if TYPE_CHECKING:
    from rich.console import RenderableType

    from dualcost.costs.profile import Profile
    from dualcost.network.network import Network
    from dualcost.rewrite.request import Request

EXAMPLES = (
    (
        "dualcost profile resnet50 --conv dual --G 4",
        "each layer as it is, and with dual convolutions",
    ),
    ("dualcost profile resnet50 --depth 1", "the stages of a network, as it is"),
    (
        "dualcost profile mobilenet_v2+dual:8@inverted-residual",
        "whole blocks replaced",
    ),
    (
        "dualcost profile model.py:make --input 1x3x64x64 -o cost.json",
        "your own model, as JSON in a file",
    ),
)


def profile(
    context: typer.Context,
    model: Model,
    source: Source,
    change: Change,
    prediction: Prediction,
    view: View,
    out: Annotated[
        Output, Forms(Form.TABLE, Form.JSON, Form.CSV, Form.MARKDOWN, Form.HTML, Form.FIGURE)
    ],
    sites: Annotated[
        bool,
        typer.Option(
            "--sites",
            help="List every site and the term that refused it, instead of the costs.",
            rich_help_panel=REWRITE,
        ),
    ] = False,
    unit: Unit = "auto",
    debug: Debug = False,
) -> None:
    """Count MACs, FLOPs and parameters of a network, layer by layer.

    With --conv it also says what they would be if convolutions were of another kind.
    """
    from dualcost.costs.profile import profile as cost
    from dualcost.errors import UsageError
    from dualcost.units import check_unit
    from dualcost.views.order import EXECUTION, known

    check_unit(unit)
    known(view.sort or EXECUTION)
    source.checked()
    target = out.target
    subject = change.subject(model)
    if sites and subject.request is None:
        raise UsageError("--sites is about a rewrite, and none is said", "add --conv dual:4")
    learnt = prediction.wanted()
    network = source.load(subject.model)
    if sites and subject.request and target.form is Form.TABLE:
        _explain(network, subject.request, target)
        return
    if target.form is Form.HTML:
        page(context, network, subject, source, prediction, target.path)
        return
    result = cost(network, subject.request, source.counted)
    if learnt is not None:
        from dualcost.costs.timed import timed

        result = timed(
            result, network, learnt,
            channels_last=prediction.channels_last, foreign=prediction.any_machine,
        )  # fmt: skip
    footer = suggestion.footer(context, network, result) if target.form is Form.TABLE else []
    _write(result, target, view, unit, footer)


def _explain(network: Network, request: Request, target: Target) -> None:
    from dualcost.render.profile.table import explanation
    from dualcost.rewrite.rewrite import rewrite

    target.write(table=lambda width: explanation(rewrite(network, request)))


def _write(
    result: Profile, target: Target, view: View, unit: str, footer: list[tuple[str, str]]
) -> None:
    from dualcost.views.listing import listing, modules, ordered

    sort, top = view.sort or "order", view.top or 0

    def table(width: int) -> RenderableType:
        from dualcost.render.profile.table import profile_table
        from dualcost.views.tree import outline

        # a file has room for every layer
        most = top if target.path is not None and view.depth is None else view.top
        return profile_table(result, outline(result, view.depth, sort, most), unit, width, footer)

    def json() -> str:
        from dualcost.render.profile.json import profile_json

        return profile_json(result)

    def csv() -> str:
        from dualcost.render.profile.csv import rows_csv

        # every op is in a row, also one that counts nothing, so that all columns add up
        rows = result.rows if view.depth is None else modules(result.rows, view.depth)
        return rows_csv(ordered(rows, sort, top))

    def markdown() -> str:
        from dualcost.render.profile.markdown import profile_markdown

        rows = listing(result, view.depth, sort, top)
        return profile_markdown(result, rows, unit, sort)

    def figure() -> object:
        from dualcost.render.profile.figure import profile_figure
        from dualcost.views.tree import outline

        return profile_figure(result, outline(result, view.depth, sort, view.top), sort)

    target.write(table=table, json=json, csv=csv, markdown=markdown, figure=figure)
