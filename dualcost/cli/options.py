"""The options that several commands share: which model, and what is replaced in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from dualcost.rewrite import Rewrite

REWRITE = "What if"

Model = Annotated[
    str,
    typer.Argument(
        help="resnet50, torchvision:NAME, zoo:NAME, path/to/file.py:factory, or "
        "package.module:factory. `dualcost list` shows the names.",
        show_default=False,
    ),
]
Input = Annotated[
    list[str] | None,
    typer.Option(
        help="Input as [name=]1x3x224x224[:dtype]; several times for several inputs.",
        metavar="SHAPE",
    ),
]
Inputs = Annotated[
    str | None,
    typer.Option(
        help="A factory of inputs, file.py:factory: a tensor, a tuple, or a dict by name.",
        metavar="FACTORY",
    ),
]
Batch = Annotated[int | None, typer.Option(help="Replace the first number of every input.")]
Conv = Annotated[
    str | None,
    typer.Option(
        help="Replace convolutions by this kind: standard, dsc, group, het or dual.",
        metavar="KIND",
        rich_help_panel=REWRITE,
    ),
]
Groups = Annotated[
    int | None, typer.Option("--G", help="Groups of group and dual.", rich_help_panel=REWRITE)
]
Parts = Annotated[
    int | None, typer.Option("--P", help="1/P of het's kernels are K×K.", rich_help_panel=REWRITE)
]
Where = Annotated[
    str,
    typer.Option(
        help="Which sites: default, stride-1, separable, inverted-residual, or terms such "
        "as “kernel=3 stride=1 M>=64 path=layer3.*”.",
        metavar="RULE",
        rich_help_panel=REWRITE,
    ),
]
But = Annotated[
    list[str] | None,
    typer.Option(
        help="An exception, “RULE: G=8” or “RULE: keep”; may be repeated, the first wins.",
        metavar="EXCEPTION",
        rich_help_panel=REWRITE,
    ),
]
Policy = Annotated[
    str,
    typer.Option(
        help="Where G or P does not divide the channels: refuse, keep, gcd or fallback:N.",
        metavar="POLICY",
        rich_help_panel=REWRITE,
    ),
]
Bias = Annotated[
    str,
    typer.Option(
        help="keep the biases of what is replaced, or drop them.",
        metavar="keep|drop",
        rich_help_panel=REWRITE,
    ),
]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]


def asked(
    conv: str | None,
    groups: int | None,
    parts: int | None,
    where: str,
    but: list[str] | None,
    indivisible: str,
    bias: str,
    more: Mapping[str, bool] | None = None,
) -> Rewrite | None:
    """The rewrite that the options describe, None without --conv.

    `more` names further options that make no sense without --conv, and whether they were given.

    Raises:
        UsageError: an option says how to replace, but not by what.
    """
    from dualcost.errors import UsageError
    from dualcost.rewrite import Rewrite

    if conv is not None:
        return Rewrite.parse(conv, groups, parts, where, indivisible, bias, tuple(but or ()))
    given = {
        "--G": groups is not None,
        "--P": parts is not None,
        "--where": where != "default",
        "--but": bool(but),
        "--indivisible": indivisible != "refuse",
        "--bias": bias != "keep",
        **(more or {}),
    }
    for option, present in given.items():
        if present:
            raise UsageError(f"{option} says how to replace, but not by what", "add --conv dual")
    return None
