"""The options that several commands share: which model, and what is replaced in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dualcost.cli import candidates
from dualcost.kinds.kinds import KINDS

if TYPE_CHECKING:
    from dualcost.latency.calibration import Calibration
    from dualcost.rewrite.request import Request

INPUT, COUNTED = "Which input", "What is counted"
REWRITE = "What if"
LATENCY = "How long it takes"
VIEW, OUTPUT = "Which rows", "Output"


def one_of(names: Iterable[str]) -> str:
    """Names in a help text: "macs, params or traffic"."""
    *others, last = names
    return f"{', '.join(others)} or {last}"


Model = Annotated[
    str,
    typer.Argument(
        help="resnet50, torchvision:NAME, zoo:NAME, path/to/file.py:factory, "
        "package.module:factory, or an exported model.pt2. `dualcost list` shows the names.",
        metavar="MODEL",
        autocompletion=candidates.models,
        show_default=False,
    ),
]
Input = Annotated[
    list[str] | None,
    typer.Option(
        help="Input as [name=]1x3x224x224[:dtype]; several times for several inputs.",
        metavar="SHAPE",
        rich_help_panel=INPUT,
    ),
]
Inputs = Annotated[
    str | None,
    typer.Option(
        help="A factory of inputs, file.py:factory: a tensor, a tuple, or a dict by name.",
        metavar="FACTORY",
        autocompletion=candidates.factories,
        rich_help_panel=INPUT,
    ),
]
Batch = Annotated[
    int | None,
    typer.Option(help="Replace the first number of every input.", rich_help_panel=INPUT),
]
Convention = Annotated[
    str,
    typer.Option(
        help="paper (convolutions, linear), torch (all products), fvcore, or all.",
        metavar="CONVENTION",
        autocompletion=candidates.conventions,
        rich_help_panel=COUNTED,
    ),
]
RulesFile = Annotated[
    str | None,
    typer.Option(
        help="A Python file with rules for ops and modules.",
        metavar="FILE",
        rich_help_panel=COUNTED,
    ),
]
Device = Annotated[
    str,
    typer.Option(
        help="Run on real tensors there, cpu or cuda; default: on tensors without values.",
        metavar="DEVICE",
        autocompletion=candidates.devices,
        rich_help_panel=COUNTED,
        show_default=False,
    ),
]
Conv = Annotated[
    str | None,
    typer.Option(
        help=f"Replace convolutions by this kind: {one_of(KINDS)}.",
        metavar="KIND",
        autocompletion=candidates.kinds,
        rich_help_panel=REWRITE,
    ),
]
Groups = Annotated[
    int | None,
    typer.Option(
        "--G",
        help="Groups of group and dual.",
        autocompletion=candidates.divisors,
        rich_help_panel=REWRITE,
    ),
]
Parts = Annotated[
    int | None,
    typer.Option(
        "--P",
        help="1/P of het's kernels are K×K.",
        autocompletion=candidates.divisors,
        rich_help_panel=REWRITE,
    ),
]
Where = Annotated[
    str,
    typer.Option(
        help="Which sites: default, stride-1, separable, inverted-residual, or terms such "
        "as “kernel=3 stride=1 M>=64 path=layer3.*”.",
        metavar="RULE",
        autocompletion=candidates.rules,
        rich_help_panel=REWRITE,
    ),
]
But = Annotated[
    list[str] | None,
    typer.Option(
        help="An exception, “RULE: G=8”, “RULE: het P=4” or “RULE: keep”; may be repeated, "
        "the first wins.",
        metavar="EXCEPTION",
        autocompletion=candidates.exceptions,
        rich_help_panel=REWRITE,
    ),
]
Policy = Annotated[
    str,
    typer.Option(
        help="Where G or P does not divide the channels: refuse, keep, gcd or fallback:N.",
        metavar="POLICY",
        autocompletion=candidates.policies,
        rich_help_panel=REWRITE,
    ),
]
Bias = Annotated[
    str,
    typer.Option(
        help="keep the biases of what is replaced, or drop them.",
        metavar="keep|drop",
        autocompletion=candidates.biases,
        rich_help_panel=REWRITE,
    ),
]
Plan = Annotated[
    Path | None,
    typer.Option(
        help="A plan of `fit --save`, instead of --conv and the other words.",
        metavar="FILE.toml",
        rich_help_panel=REWRITE,
        show_default=False,
    ),
]
CalibrationFile = Annotated[
    Path | None,
    typer.Option(
        "--calibration",
        help="Predict by this file instead of this machine's.",
        metavar="FILE",
        rich_help_panel=LATENCY,
        show_default=False,
    ),
]
AnyMachine = Annotated[
    bool,
    typer.Option(
        "--any-machine",
        help="Take a calibration of another machine, too.",
        rich_help_panel=LATENCY,
    ),
]
ChannelsLast = Annotated[
    bool,
    typer.Option("--channels-last", help="In this memory format.", rich_help_panel=LATENCY),
]
Unit = Annotated[
    str,
    typer.Option(
        help="auto, 1 (exact), K, M, G or T.",
        metavar="UNIT",
        autocompletion=candidates.units,
        rich_help_panel=OUTPUT,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Write JSON.", rich_help_panel=OUTPUT)]
Csv = Annotated[
    bool,
    typer.Option("--csv", help="Write comma-separated values.", rich_help_panel=OUTPUT),
]
Markdown = Annotated[
    bool, typer.Option("--markdown", help="Write Markdown.", rich_help_panel=OUTPUT)
]
Latex = Annotated[bool, typer.Option("--latex", help="Write LaTeX.", rich_help_panel=OUTPUT)]
Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", help="Write to a file.", rich_help_panel=OUTPUT),
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
    plan: Path | None = None,
) -> Request | None:
    """The rewrite that the options describe, or that of a plan; None without --conv and --plan.

    `more` names further options that make no sense without these, and whether they were given.

    Raises:
        UsageError: an option says how to replace, but not by what, or stands beside a plan, or the
            plan cannot be read.
    """
    from dualcost.errors import UsageError
    from dualcost.rewrite.request import Request

    if plan is not None:
        check_alone(plan, conv, groups, parts, where, but, indivisible, bias)
        from dualcost.rewrite.plan import read

        return read(plan)
    if conv is not None:
        return Request.parse(conv, groups, parts, where, indivisible, bias, but or ())
    words = _given(None, groups, parts, where, but, indivisible, bias)
    for option in (*words, *(option for option, present in (more or {}).items() if present)):
        raise UsageError(f"{option} says how to replace, but not by what", "add --conv dual")
    return None


def check_alone(
    plan: Path,
    conv: object,
    groups: int | None,
    parts: int | None,
    where: str,
    but: list[str] | None,
    indivisible: str,
    bias: str,
) -> None:
    """Refuse words that say what a plan says already.

    Raises:
        UsageError: one stands beside it.
    """
    from dualcost.errors import UsageError

    for option in _given(conv, groups, parts, where, but, indivisible, bias):
        raise UsageError(
            f"--plan {plan} says it all, and {option} stands beside it", "leave one out"
        )


def _given(
    conv: object,
    groups: int | None,
    parts: int | None,
    where: str,
    but: list[str] | None,
    indivisible: str,
    bias: str,
) -> list[str]:
    """The options that are not as they are by default."""
    given = {
        "--conv": bool(conv),
        "--G": groups is not None,
        "--P": parts is not None,
        "--where": where != "default",
        "--but": bool(but),
        "--indivisible": indivisible != "refuse",
        "--bias": bias != "keep",
    }
    return [option for option, present in given.items() if present]


def uncalibrated(path: Path | None, any_machine: bool, channels_last: bool, wanted: str) -> None:
    """Refuse words that say how to predict where nothing is predicted.

    Raises:
        UsageError: one was given; `wanted` is the hint how to ask for a prediction.
    """
    from dualcost.errors import UsageError

    given = {
        "--calibration": path is not None,
        "--any-machine": any_machine,
        "--channels-last": channels_last,
    }
    for option, present in given.items():
        if present:
            raise UsageError(f"{option} says how to predict a latency", wanted)


def calibrated(path: Path | None, any_machine: bool) -> Calibration:
    """The calibration of a file, or this machine's.

    Raises:
        UsageError: the file cannot be read, or it is of another machine, and that is not allowed.
        UnmeasuredError: this machine has not been calibrated.
    """
    from dualcost.latency.calibration import check_machine, read

    found = read(path)
    if not any_machine:
        from dualcost.nn.here import here

        check_machine(found, here(found.machine.threads))
    return found
