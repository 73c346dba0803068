"""`dualcost compare`: networks beside each other, layer by layer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dualcost.cli import candidates, options
from dualcost.cli.output import announce, deliver
from dualcost.costs.metrics import BY_LAYER, metric
from dualcost.errors import UsageError

if TYPE_CHECKING:
    from dualcost.rewrite.subject import Subject
    from dualcost.views.side import Contender

REPORT = ".json"
EXAMPLES = (
    ("dualcost compare resnet50 resnet50+dual:G=4 --changed", "what a rewrite changes"),
    (
        "dualcost compare resnet50+dual:G=2 resnet50+dual:G=4 resnet50+het:P=4 --by params",
        "three rewrites, by their parameters",
    ),
    (
        "dualcost compare mobilenet_v2 mobilenet_v2+dual:G=8@separable",
        "a rewrite where a rule says",
    ),
    ("dualcost compare before.json after.json --sort macs --top 10", "two reports of `profile`"),
)


def compare(
    contenders: Annotated[
        list[str],
        typer.Argument(
            help="Two or more of MODEL, MODEL+KIND:G=4, MODEL+KIND:G=4@RULE, MODEL+PLAN.toml "
            "and FILE.json.",
            metavar="A B...",
            autocompletion=candidates.contenders,
            show_default=False,
        ),
    ],
    input: options.Input = None,
    batch: options.Batch = None,
    convention: options.Convention = "torch",
    where: options.Where = "default",
    but: options.But = None,
    indivisible: options.Policy = "refuse",
    bias: options.Bias = "keep",
    changed: Annotated[
        bool, typer.Option("--changed", help="Only what differs.", rich_help_panel=options.VIEW)
    ] = False,
    sort: Annotated[
        str,
        typer.Option(
            help=f"order, path; or {', '.join(BY_LAYER)}: the largest difference first.",
            metavar="ORDER",
            autocompletion=candidates.differences,
            rich_help_panel=options.VIEW,
        ),
    ] = "order",
    top: Annotated[
        int, typer.Option(help="Show this many; 0 shows all.", rich_help_panel=options.VIEW)
    ] = 0,
    by: Annotated[
        str | None,
        typer.Option(
            help=f"Show {options.one_of(BY_LAYER)}; by default MACs, and parameters of two.",
            metavar="METRIC",
            autocompletion=candidates.compared,
            rich_help_panel=options.VIEW,
        ),
    ] = None,
    json: options.Json = False,
    output: options.Output = None,
    debug: options.Debug = False,
) -> None:
    """Compare networks layer by layer.

    Before and after, two rewrites, two models, two reports.

    Every change is against the first one. --input, --batch, --where and the like hold for all.
    """
    from dualcost.views.alignment import align, shown

    usual = ("macs", "params") if len(contenders) == 2 else ("macs",)
    metrics = [metric(name, BY_LAYER, "metric of layers") for name in ([by] if by else usual)]
    if len(contenders) < 2:
        raise UsageError("there is nothing to compare with", "name two or more")
    asked = [subject(text, where, indivisible, bias, but) for text in contenders]
    sides = [contender(one, input, batch, convention) for one in asked]
    alignment = align(sides)
    as_json = json or (output is not None and output.suffix == ".json")
    lines = shown(alignment, sort, top, changed, BY_LAYER.values() if as_json else metrics)
    from dualcost.render.compare import alignment_json, alignment_table
    from dualcost.render.terminal import as_text

    if as_json:
        deliver(alignment_json(alignment, lines), output)
    else:
        deliver(as_text(lambda width: alignment_table(alignment, lines, metrics), output), output)


def subject(text: str, where: str, indivisible: str, bias: str, but: list[str] | None) -> Subject:
    """One side, its words read; a report stands alone."""
    from dualcost.rewrite.subject import Subject

    if text.endswith(REPORT):
        return Subject(text)
    return Subject.parse(
        text, where=where, indivisible=indivisible, bias=bias, but=but or (), several=True
    )


def contender(
    asked: Subject, input: list[str] | None, batch: int | None, convention: str
) -> Contender:
    """One side, loaded and costed."""
    from dualcost.costs.profile import profile
    from dualcost.library import networks as library
    from dualcost.network.cost import convention as named_convention
    from dualcost.network.network import TensorSpec
    from dualcost.views.side import of_profile, read

    if asked.model.endswith(REPORT):
        return read(Path(asked.model))
    specs = tuple(TensorSpec.parse(text) for text in input or ())
    network = library.load(asked.model, specs, batch, announce)
    return of_profile(asked.text, profile(network, asked.request, named_convention(convention)))
