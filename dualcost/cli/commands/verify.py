"""`dualcost verify`: build the real model, and let independent counters check the profile."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from dualcost.cli.options import Change, Debug, Forms, Model, Output, Source, Time, Without
from dualcost.cli.output import Form, announce
from dualcost.errors import ExitCode

EXAMPLES = (
    ("dualcost verify resnet50", "the network as it is, counted by others"),
    ("dualcost verify resnet50 --conv dual --G 4", "and really converted"),
    ("dualcost verify vit_b_16 --explain-diff fvcore", "why fvcore counts otherwise, op by op"),
    ("dualcost verify model.py:make --input 1x3x64x64 --json", "your own model, as JSON"),
)
BUILT = "the model is built again in another process, from its name and the shapes of its inputs"


class Counter(StrEnum):
    """A witness whose count can be listed op by op."""

    FVCORE = "fvcore"
    TORCH = "torch"


def verify(
    model: Model,
    source: Annotated[
        Source,
        Without(
            inputs=BUILT,
            rules=BUILT,
            device=BUILT,
            convention="each counter has its own, and is compared by it",
        ),
    ],
    change: Change,
    out: Annotated[Output, Forms(Form.TABLE, Form.JSON)],
    explain_diff: Annotated[
        Counter | None,
        typer.Option(help="List this witness's count op by op, beside ours.", show_default=False),
    ] = None,
    time: Time = "300s",
    debug: Debug = False,
) -> None:
    """Check a profile by independent counters.

    The real model is built and counted by fvcore, by torch and by its parameters. With --conv it
    is really converted first. The exit code is 1 if a difference remains that nothing explains.
    """
    from dualcost.costs.profile import profile as cost
    from dualcost.units import parse_duration

    source.checked()
    target, limit_s = out.target, parse_duration(time)
    subject = change.subject(model)
    network = source.load(subject.model)
    result = cost(network, subject.request)
    announce("building the model, and counting it with torch and fvcore")
    from dualcost.nn.verify import crosscheck, witnesses
    from dualcost.nn.verify.verification import Verification
    from dualcost.render.verify import verification_json, verification_table

    said, numel = witnesses.witnesses(network, subject.request, limit_s)
    checks = crosscheck.compare(result, network, said, numel)
    verification = Verification(result, network, checks, tuple(said))
    name = explain_diff.value if explain_diff else ""
    target.write(
        table=lambda width: verification_table(verification, name),
        json=lambda: verification_json(verification, name),
    )
    if not verification.passed:
        raise typer.Exit(ExitCode.FAILED)
