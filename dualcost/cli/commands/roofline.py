"""`dualcost roofline`: the layers of a network on this machine's roofline, before and after."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dualcost.cli import options
from dualcost.cli.output import announce, deliver

EXAMPLES = (
    ("dualcost roofline resnet50", "which layers wait for memory, which compute"),
    ("dualcost roofline vgg16 --conv dual --G 8 -o vgg16.png", "before and after, as a figure"),
    (
        "dualcost roofline resnet50 --conv het --P 4 --channels-last --json",
        "in another memory format, as JSON",
    ),
)


def roofline(
    model: options.Model,
    conv: options.Conv = None,
    groups: options.Groups = None,
    parts: options.Parts = None,
    where: options.Where = "default",
    but: options.But = None,
    indivisible: options.Policy = "refuse",
    bias: options.Bias = "keep",
    input: options.Input = None,
    batch: options.Batch = None,
    channels_last: options.ChannelsLast = False,
    calibration: options.CalibrationFile = None,
    any_machine: options.AnyMachine = False,
    json: options.Json = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="A .png, .svg or .pdf figure; with --json, a file of JSON.",
            rich_help_panel=options.OUTPUT,
        ),
    ] = None,
    debug: options.Debug = False,
) -> None:
    """Place a network's layers on this machine's roofline.

    FLOPs for each byte that a layer moves, the FLOPs per second that this machine could reach
    there, and those that are predicted. The machine must be calibrated (see `calibrate`).
    """
    from dualcost.library import networks as library
    from dualcost.network.network import TensorSpec
    from dualcost.render.figure import check_format
    from dualcost.views.roofline import roofline as place

    if output is not None and not json:
        check_format(output)
    asked = options.asked(conv, groups, parts, where, but, indivisible, bias)
    learnt = options.calibrated(calibration, any_machine)
    specs = tuple(TensorSpec.parse(text) for text in input or ())
    network = library.load(model, specs, batch, announce)
    found = place(network, learnt, asked, channels_last=channels_last)
    if json:
        from dualcost.render.roofline.table import roofline_json

        deliver(roofline_json(found), output)
    elif output is None:
        from dualcost.render.roofline.table import roofline_table
        from dualcost.render.terminal import as_text

        deliver(as_text(lambda width: roofline_table(found), None), None)
    else:
        from dualcost.render.figure import drawing, save
        from dualcost.render.roofline.figure import roofline_figure

        with drawing():
            save(roofline_figure(found), output)
        announce(f"wrote {output}")
