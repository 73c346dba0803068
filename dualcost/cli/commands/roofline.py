"""`dualcost roofline`: the layers of a network on this machine's roofline, before and after."""

from __future__ import annotations

from typing import Annotated

from dualcost.cli.options import Change, Debug, Forms, Model, Output, Prediction, Source, Without
from dualcost.cli.output import Form

EXAMPLES = (
    ("dualcost roofline resnet50", "which layers wait for memory, which compute"),
    ("dualcost roofline vgg16 --conv dual --G 8 -o vgg16.png", "before and after, as a figure"),
    (
        "dualcost roofline resnet50 --conv het --P 4 --channels-last --json",
        "in another memory format, as JSON",
    ),
)


def roofline(
    model: Model,
    source: Annotated[
        Source, Without(convention="a roofline is about the FLOPs that layers multiply")
    ],
    change: Change,
    prediction: Annotated[Prediction, Without(latency="there is no roofline without a prediction")],
    out: Annotated[Output, Forms(Form.TABLE, Form.JSON, Form.FIGURE)],
    debug: Debug = False,
) -> None:
    """Place a network's layers on this machine's roofline.

    FLOPs for each byte that a layer moves, the FLOPs per second that this machine could reach
    there, and those that are predicted. The machine must be calibrated (see `calibrate`).
    """
    from dualcost.views.roofline import roofline as place

    source.checked()
    target = out.target
    subject = change.subject(model)
    learnt = prediction.read()
    network = source.load(subject.model)
    found = place(network, learnt, subject.request, channels_last=prediction.channels_last)
    from dualcost.render.roofline.figure import roofline_figure
    from dualcost.render.roofline.table import roofline_json, roofline_table

    target.write(
        table=lambda width: roofline_table(found),
        json=lambda: roofline_json(found),
        figure=lambda: roofline_figure(found),
    )
