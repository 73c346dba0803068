"""`dualcost verify`: build the real model, and let independent counters check the profile."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dualcost.cli import options
from dualcost.cli.output import announce, deliver
from dualcost.errors import ExitCode

if TYPE_CHECKING:
    from dualcost.nn.verify.verification import Verification

EXAMPLES = (
    ("dualcost verify resnet50", "the network as it is, counted by others"),
    ("dualcost verify resnet50 --conv dual --G 4", "and really converted"),
    ("dualcost verify vit_b_16 --explain-diff fvcore", "why fvcore counts otherwise, op by op"),
    ("dualcost verify model.py:make --input 1x3x64x64 --json", "your own model, as JSON"),
)


class Counter(StrEnum):
    """A witness whose count can be listed op by op."""

    FVCORE = "fvcore"
    TORCH = "torch"


def verify(
    model: options.Model,
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
    explain_diff: Annotated[
        Counter | None,
        typer.Option(help="List this witness's count op by op, beside ours.", show_default=False),
    ] = None,
    limit: Annotated[
        float, typer.Option(help="Seconds that fvcore may take.", metavar="SECONDS", min=1.0)
    ] = 300.0,
    json: options.Json = False,
    output: options.Output = None,
    debug: options.Debug = False,
) -> None:
    """Check a profile by independent counters.

    The real model is built and counted by fvcore, by torch and by its parameters. With --conv it
    is really converted first. The exit code is 1 if a difference remains that nothing explains.
    """
    from dualcost.costs.profile import profile as cost
    from dualcost.library import networks as library
    from dualcost.network.network import TensorSpec

    asked = options.asked(conv, groups, parts, where, but, indivisible, bias, plan=plan)
    specs = tuple(TensorSpec.parse(text) for text in input or ())
    network = library.load(model, specs, batch, announce)
    result = cost(network, asked)
    announce("building the model, and counting it with torch and fvcore")
    from dualcost.nn.verify import crosscheck, witnesses
    from dualcost.nn.verify.verification import Verification

    said, numel = witnesses.witnesses(network, asked, limit)
    checks = crosscheck.compare(result, network, said, numel)
    verification = Verification(result, network, checks, tuple(said))
    deliver(_written(verification, explain_diff, json, output), output)
    if not verification.passed:
        raise typer.Exit(ExitCode.FAILED)


def _written(
    verification: Verification, listed: Counter | None, json: bool, output: Path | None
) -> str:
    from dualcost.render.terminal import as_text
    from dualcost.render.verify import verification_json, verification_table

    name = listed.value if listed else ""
    if json:
        return verification_json(verification, name)
    return as_text(lambda width: verification_table(verification, name), output)
