"""`dualcost report`: one page about a network, or about several beside each other."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dualcost.cli import candidates, options
from dualcost.cli.commands.compare import contender, subject
from dualcost.cli.output import announce
from dualcost.errors import DualcostError, ExitCode, UsageError

if TYPE_CHECKING:
    from dualcost.latency.calibration import Calibration
    from dualcost.network.network import Network
    from dualcost.nn.verify.verification import Verification
    from dualcost.rewrite.request import Request
    from dualcost.rewrite.subject import Subject

EXAMPLES = (
    ("dualcost report resnet50 --conv dual --G 4", "before and after, in a page of its own"),
    (
        "dualcost report mobilenet_v2 --conv dual --G 8 --where inverted-residual --verify",
        "and what independent counters say",
    ),
    ("dualcost report resnet50 resnet50+dual:G=4 -o both.html", "two beside each other"),
    ("dualcost report before.json after.json", "two reports of `profile`"),
)
LONGEST = 80  # letters of a file's name that we choose


def report(
    context: typer.Context,
    models: Annotated[
        list[str],
        typer.Argument(
            help="One model, as for `profile`. Two or more are compared: MODEL, MODEL+KIND:G=4, "
            "MODEL+KIND:G=4@RULE, MODEL+PLAN.toml or FILE.json.",
            metavar="MODEL...",
            autocompletion=candidates.contenders,
            show_default=False,
        ),
    ],
    input: options.Input = None,
    inputs: options.Inputs = None,
    batch: options.Batch = None,
    rules: options.RulesFile = None,
    device: options.Device = "",
    convention: options.Convention = "torch",
    conv: options.Conv = None,
    groups: options.Groups = None,
    parts: options.Parts = None,
    where: options.Where = "default",
    but: options.But = None,
    indivisible: options.Policy = "refuse",
    bias: options.Bias = "keep",
    plan: options.Plan = None,
    latency: Annotated[
        bool,
        typer.Option(
            "--latency/--no-latency",
            help="Predict the latency if this machine is calibrated, or leave it out.",
            rich_help_panel=options.LATENCY,
            show_default=False,
        ),
    ] = True,
    calibration: options.CalibrationFile = None,
    any_machine: options.AnyMachine = False,
    channels_last: options.ChannelsLast = False,
    verify: Annotated[
        bool,
        typer.Option(
            "--verify",
            help="Build the real model too, and show what others count. It takes seconds; the exit "
            "code is 1 if a difference remains that nothing explains.",
            rich_help_panel=options.COUNTED,
        ),
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="The page; by default named after what it shows, such as resnet50-dual-G4.html.",
            rich_help_panel=options.OUTPUT,
            show_default=False,
        ),
    ] = None,
    debug: options.Debug = False,
) -> None:
    """Write one self-contained HTML page about a network, or about several beside each other.

    Costs by module and layer, before and after; a table that sorts, filters and folds; the paper's
    equations with this network's numbers; and the predicted latency, if this machine is calibrated.
    """
    from dualcost.library import networks as library
    from dualcost.network.cost import convention as named_convention
    from dualcost.network.network import TensorSpec
    from dualcost.render.html.page import network_page
    from dualcost.views.report import report as facts
    from dualcost.views.side import read

    command = shlex.join(["dualcost", *(context.obj or ())])
    if len(models) > 1:
        alone = {
            "--inputs": bool(inputs),
            "--rules": bool(rules),
            "--device": bool(device),
            "--conv": conv is not None,
            "--G": groups is not None,
            "--P": parts is not None,
            "--plan": plan is not None,
            "--no-latency": not latency,
            "--calibration": calibration is not None,
            "--any-machine": any_machine,
            "--channels-last": channels_last,
            "--verify": verify,
        }
        subjects = [subject(text, where, indivisible, bias, but) for text in models]
        _compare(subjects, alone, input, batch, convention, output, command)
        return
    (model,) = models
    if model.endswith(".json"):
        read(Path(model))  # what is missing or damaged is that first
        raise UsageError(
            f"{model} is one report: its network is not in it, and there is nothing to compare",
            "name the model itself, or a second report beside it",
        )
    if verify and (inputs or rules or device):
        raise UsageError(
            "--verify builds the model by its name and the shapes of its inputs",
            "leave --verify out, or --inputs, --rules and --device",
        )
    counted = named_convention(convention)
    asked = options.asked(conv, groups, parts, where, but, indivisible, bias, plan=plan)
    path = _writable(output, f"{_plain(model)}{f'-{_plain(asked.label)}' if asked else ''}")
    specs = tuple(TensorSpec.parse(text) for text in input or ())
    network = library.load(model, specs, batch, announce, inputs or "", rules or "", device)
    # after the model: a name that is none is told without torch, which knows this machine
    learnt, why = _calibration(latency, calibration, any_machine, channels_last)
    found = facts(network, asked, counted, learnt, channels_last=channels_last, foreign=any_machine)
    verification = _verification(network, asked) if verify else None
    _write(network_page(found, command, why, verification), path)
    if verification is not None and not verification.passed:
        raise typer.Exit(ExitCode.FAILED)


def _compare(
    subjects: list[Subject],
    alone: dict[str, bool],
    input: list[str] | None,
    batch: int | None,
    convention: str,
    output: Path | None,
    command: str,
) -> None:
    """Write the page about several; `alone` are options that go with one, and whether they are."""
    from dualcost.render.html.comparison import comparison_page
    from dualcost.views.alignment import align

    for option, present in alone.items():
        if present:
            raise UsageError(
                f"{option} goes with one model, and {len(subjects)} are compared",
                "write MODEL+dual:G=4 for a rewrite of one of them, and leave the option out",
            )
    path = _writable(output, "-vs-".join(_plain(one.text or one.model) for one in subjects))
    sides = [contender(one, input, batch, convention) for one in subjects]
    _write(comparison_page(align(sides), command), path)


def _plain(text: str) -> str:
    """A model or a rewrite as part of the name of a file: "zoo:vgg16" is "zoo-vgg16"."""
    text = text.removeprefix("torchvision:").removesuffix(".json")
    text = text.rpartition("/")[2].replace(".py:", ":").replace("=", "")
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-.") or "report"


def _writable(output: Path | None, name: str) -> Path:
    """Where the page goes, asked before long work.

    Raises:
        OutputError: it cannot be written there.
    """
    from dualcost.files import check_writable

    path = output or Path(f"{name[:LONGEST]}.html")
    check_writable(path)
    return path


def _write(page: str, path: Path) -> None:
    from dualcost.files import write_atomically
    from dualcost.units import memory

    content = page.encode()
    write_atomically(path, content)
    announce(f"wrote {path}, {memory(len(content))}")


def _calibration(
    wanted: bool, path: Path | None, any_machine: bool, channels_last: bool
) -> tuple[Calibration | None, str]:
    """The calibration to predict by; else None, and why there is none, for the page.

    Raises:
        UsageError: an option that says how to predict stands beside --no-latency, or the file
            cannot be read, or is of another machine.
        UnmeasuredError: such an option was given, and this machine has not been calibrated.
    """
    if not wanted:
        options.uncalibrated(path, any_machine, channels_last, "leave --no-latency out")
        return None, "Left out, as --no-latency says."
    asked = path is not None or any_machine or channels_last
    try:
        return options.calibrated(path, any_machine), ""
    except DualcostError as error:
        if asked:
            raise
        return (
            None,
            f"None is predicted, as {error.message}: {error.hint}, then make the page again.",
        )


def _verification(network: Network, asked: Request | None) -> Verification:
    """What others count on the real model, by the convention that they can be held to."""
    from dualcost.costs.profile import profile

    announce("building the model, and counting it with torch and fvcore")
    from dualcost.nn.verify import crosscheck, witnesses
    from dualcost.nn.verify.verification import Verification

    result = profile(network, asked)
    said, numel = witnesses.witnesses(network, asked, witnesses.LIMIT_S)
    checks = crosscheck.compare(result, network, said, numel)
    return Verification(result, network, checks, tuple(said))
