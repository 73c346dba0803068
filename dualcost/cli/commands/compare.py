"""`dualcost compare`: networks beside each other, layer by layer."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dualcost.cli import candidates
from dualcost.cli.options import VIEW, Change, Debug, Forms, Output, Source, View, Without, one_of
from dualcost.cli.output import Form
from dualcost.cli.suggestion import typed
from dualcost.costs.metrics import BY_LAYER
from dualcost.errors import UsageError

if TYPE_CHECKING:
    from dualcost.rewrite.subject import Subject
    from dualcost.views.side import Contender

REPORT = ".json"
EXAMPLES = (
    ("dualcost compare resnet50 resnet50+dual:G=4 --changed", "what a rewrite changes"),
    (
        "dualcost compare resnet50 --conv dual:2,dual:4,het:4 --by params",
        "three rewrites, by their parameters",
    ),
    (
        "dualcost compare mobilenet_v2 mobilenet_v2+dual:G=8@separable",
        "a rewrite where a rule says",
    ),
    ("dualcost compare before.json after.json --sort macs --top 10", "two reports of `profile`"),
)


def compare(
    context: typer.Context,
    contenders: Annotated[
        list[str],
        typer.Argument(
            help="Two or more of MODEL, MODEL+KIND:G=4, MODEL+KIND:G=4@RULE, MODEL+PLAN.toml "
            "and FILE.json; or one, and --conv.",
            metavar="A B...",
            autocompletion=candidates.contenders,
            show_default=False,
        ),
    ],
    source: Source,
    change: Change,
    view: Annotated[View, Without(depth="layers of two networks are paired, not modules")],
    out: Annotated[Output, Forms(Form.TABLE, Form.JSON, Form.HTML)],
    changed: Annotated[
        bool, typer.Option("--changed", help="Only what differs.", rich_help_panel=VIEW)
    ] = False,
    by: Annotated[
        str | None,
        typer.Option(
            help=f"Show {one_of(BY_LAYER)}; by default MACs, and parameters of two.",
            metavar="METRIC",
            autocompletion=candidates.compared,
            rich_help_panel=VIEW,
        ),
    ] = None,
    debug: Debug = False,
) -> None:
    """Compare networks layer by layer.

    Before and after, two rewrites, two models, two reports.

    Every change is against the first one. --input, --batch, --where and the like hold for all.
    """
    from dualcost.views.alignment import align, compared, shown

    source.checked()
    target = out.target
    subjects = change.subjects(contenders)
    if len(subjects) < 2:
        raise UsageError(
            "there is nothing to compare with", "name two or more, or add --conv dual:4"
        )
    metrics = compared(len(subjects), view.sort or "order", by)
    alignment = align(sides(subjects, source))
    as_json = target.form is Form.JSON
    listed = BY_LAYER.values() if as_json else metrics
    lines = shown(alignment, view.sort or "order", view.top or 0, changed, listed)
    from dualcost.render.compare import alignment_json, alignment_table
    from dualcost.render.html.comparison import comparison_page

    target.write(
        table=lambda width: alignment_table(alignment, lines, metrics),
        json=lambda: alignment_json(alignment, lines),
        html=lambda: comparison_page(alignment, typed(context)),
    )


def sides(subjects: Iterable[Subject], source: Source) -> list[Contender]:
    """Each side, loaded and costed; a report is read."""
    from dualcost.costs.profile import profile
    from dualcost.views.side import of_profile, read

    return [
        read(Path(one.model))
        if one.model.endswith(REPORT)
        else of_profile(one.text, profile(source.load(one.model), one.request, source.counted))
        for one in subjects
    ]
