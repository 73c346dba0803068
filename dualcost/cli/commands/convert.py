"""`dualcost convert`: the real model with other convolutions, in a file."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from dualcost.cli.commands.verify import BUILT
from dualcost.cli.options import Change, Debug, Forms, Model, Output, Source, Without
from dualcost.cli.output import Form, announce

EXAMPLES = (
    ("dualcost convert resnet50 --conv dual --G 4 -o dual.pt2", "a model that torch loads"),
    (
        "dualcost convert resnet18 --conv het --P 4 --weights trained.pt --init copy -o het.onnx",
        "start from trained weights",
    ),
    (
        "dualcost convert model.py:make --input 1x3x64x64 --conv dsc -o dsc.py",
        "your own model, as Python code",
    ),
)


class Init(StrEnum):
    """What new kernels start from."""

    FRESH = "fresh"
    COPY = "copy"


def convert(
    model: Model,
    source: Annotated[
        Source,
        Without(inputs=BUILT, rules=BUILT, device=BUILT, convention="it converts, and counts MACs"),
    ],
    change: Change,
    out: Annotated[
        Output, Forms(Form.TABLE, Form.JSON, file="A .pt2, .onnx or .py file to write.")
    ],
    init: Annotated[
        Init,
        typer.Option(help="New kernels are drawn at random, or the nearest to the old ones."),
    ] = Init.FRESH,
    weights: Annotated[
        Path | None,
        typer.Option(help="The model's weights: a file of its state_dict.", metavar="FILE"),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of all random weights.")] = 0,
    debug: Debug = False,
) -> None:
    """Write the real model with other convolutions to a file.

    The same rewrite as `profile` says; layers that stay keep their weights. The file is read back
    and must have the MACs and parameters of the profile, or it is not written. --format is that of
    the summary.
    """
    from dualcost.costs.profile import profile as cost
    from dualcost.errors import UsageError
    from dualcost.nn.formats import check_output

    summary, path = out.summary, out.output
    if path is None:
        raise UsageError("nothing says where the model goes", "add -o model.pt2")
    check_output(path)
    source.checked()
    subject = change.subject(model)
    if subject.request is None:
        raise UsageError("nothing says what to convert to", "add --conv dual --G 4")
    promised = cost(source.load(subject.model), subject.request)
    announce("converting the model, and reading back what is written")
    from dualcost.nn.convert.conversion import convert_to_file

    with redirect_stdout(sys.stderr):  # what a model prints is no result
        done = convert_to_file(promised, path, init=init.value, seed=seed, weights=weights)
    from dualcost.render.convert import conversion_json, conversion_table

    summary.write(table=lambda width: conversion_table(done), json=lambda: conversion_json(done))
