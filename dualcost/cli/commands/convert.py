"""`dualcost convert`: the real model with other convolutions, in a file."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from dualcost.cli import options
from dualcost.cli.output import announce, deliver

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
    model: options.Model,
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            help="A .pt2, .onnx or .py file to write.",
            rich_help_panel=options.OUTPUT,
            show_default=False,
        ),
    ],
    input: options.Input = None,
    batch: options.Batch = None,
    conv: options.Conv = None,
    groups: options.Groups = None,
    parts: options.Parts = None,
    where: options.Where = "default",
    but: options.But = None,
    indivisible: options.Policy = "refuse",
    bias: options.Bias = "keep",
    plan: options.Plan = None,
    init: Annotated[
        Init,
        typer.Option(help="New kernels are drawn at random, or the nearest to the old ones."),
    ] = Init.FRESH,
    weights: Annotated[
        Path | None,
        typer.Option(help="The model's weights: a file of its state_dict.", metavar="FILE"),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of all random weights.")] = 0,
    json: Annotated[
        bool,
        typer.Option(
            "--json",
            help="Write the summary as JSON.",
            rich_help_panel=options.OUTPUT,
        ),
    ] = False,
    debug: options.Debug = False,
) -> None:
    """Write the real model with other convolutions to a file.

    The same rewrite as `profile` says; layers that stay keep their weights. The file is read back
    and must have the MACs and parameters of the profile, or it is not written.
    """
    from dualcost.costs.profile import profile as cost
    from dualcost.errors import UsageError
    from dualcost.library import networks as library
    from dualcost.network.network import TensorSpec
    from dualcost.nn.formats import check_output

    check_output(output)
    asked = options.asked(conv, groups, parts, where, but, indivisible, bias, plan=plan)
    if asked is None:
        raise UsageError("nothing says what to convert to", "add --conv dual --G 4")
    specs = tuple(TensorSpec.parse(text) for text in input or ())
    promised = cost(library.load(model, specs, batch, announce), asked)
    announce("converting the model, and reading back what is written")
    from dualcost.nn.convert.conversion import convert_to_file

    with redirect_stdout(sys.stderr):  # what a model prints is no result
        done = convert_to_file(promised, output, init=init.value, seed=seed, weights=weights)
    if json:
        from dualcost.render.convert import conversion_json

        deliver(conversion_json(done), None)
        return
    from dualcost.render.convert import conversion_table
    from dualcost.render.terminal import as_text

    deliver(as_text(lambda width: conversion_table(done), None), None)
