"""`dualcost report`: one page about a network, or about several beside each other."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dualcost.cli import candidates
from dualcost.cli.commands.compare import REPORT, sides
from dualcost.cli.options import COUNTED, Change, Debug, Forms, Output, Prediction, Source
from dualcost.cli.output import Form, announce
from dualcost.cli.suggestion import typed
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


Verify = Annotated[
    bool,
    typer.Option(
        "--verify",
        help="Build the real model too, and show what others count. It takes seconds; the exit "
        "code is 1 if a difference remains that nothing explains.",
        rich_help_panel=COUNTED,
    ),
]


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
    source: Source,
    change: Change,
    prediction: Prediction,
    out: Annotated[
        Output,
        Forms(
            Form.HTML,
            Form.JSON,
            file="The page; by default named after what it shows, such as resnet50-dual-G4.html.",
        ),
    ],
    verify: Verify = False,
    debug: Debug = False,
) -> None:
    """Write one self-contained HTML page about a network, or about several beside each other.

    Costs by module and layer, before and after; a table that sorts, filters and folds; the paper's
    equations with this network's numbers; and the predicted latency, if this machine is calibrated.
    """
    source.checked()
    target = out.target
    if len(models) > 1:
        if verify:
            raise UsageError("--verify goes with one model", "leave it out")
        _compare(context, change.subjects(models), source, prediction, out)
        return
    (model,) = models
    _check_network(model)
    if verify and (source.inputs or source.rules or source.device):
        raise UsageError(
            "--verify builds the model by its name and the shapes of its inputs",
            "leave --verify out, or --inputs, --rules and --device",
        )
    subject = change.subject(model)
    if target.form is Form.JSON:
        from dualcost.costs.profile import profile
        from dualcost.render.profile.json import profile_json

        result = profile(source.load(subject.model), subject.request, source.counted)
        target.write(json=lambda: profile_json(result))
    elif not _page_of(context, subject, source, prediction, target.path, verify):
        raise typer.Exit(ExitCode.FAILED)


def _check_network(model: str) -> None:
    """Refuse a report where a network is wanted.

    Raises:
        UsageError: it is one.
    """
    if model.endswith(REPORT):
        from dualcost.views.side import read

        read(Path(model))  # what is missing or damaged is that first
        raise UsageError(
            f"{model} is one report: its network is not in it, and there is nothing to compare",
            "name the model itself, or a second report beside it",
        )


def _page_of(
    context: typer.Context,
    subject: Subject,
    source: Source,
    prediction: Prediction,
    path: Path | None,
    verify: bool,
) -> bool:
    """Write the page of a network, in a file named after it; whether a check of it passed."""
    kind = f"-{_plain(subject.request.label)}" if subject.request else ""
    path = _writable(path, f"{_plain(subject.model)}{kind}")
    network = source.load(subject.model)
    verification = page(context, network, subject, source, prediction, path, verify=verify)
    return verification is None or verification.passed


def page(
    context: typer.Context,
    network: Network,
    subject: Subject,
    source: Source,
    prediction: Prediction,
    path: Path | None,
    *,
    verify: bool = False,
) -> Verification | None:
    """Write the page about one network; what others count, if they are asked."""
    from dualcost.render.html.page import network_page
    from dualcost.views.report import report as facts

    # after the model: a name that is none is told without torch, which knows this machine
    learnt, why = _calibration(prediction)
    found = facts(
        network, subject.request, source.counted, learnt,
        channels_last=prediction.channels_last, foreign=prediction.any_machine,
    )  # fmt: skip
    verification = _verification(network, subject.request) if verify else None
    _write(network_page(found, typed(context), why, verification), path)
    return verification


def _compare(
    context: typer.Context,
    subjects: list[Subject],
    source: Source,
    prediction: Prediction,
    out: Output,
) -> None:
    """Write the page about several."""
    from dualcost.render.compare import alignment_json
    from dualcost.render.html.comparison import comparison_page
    from dualcost.views.alignment import align, shown

    for option in (*prediction.said, *(["--no-latency"] if prediction.latency is False else [])):
        raise UsageError(f"{option} goes with one model", "leave it out")
    names = "-vs-".join(_plain(one.text or one.model) for one in subjects)
    target = out.target
    path = target.path if target.form is Form.JSON else _writable(target.path, names)
    aligned = align(sides(subjects, source))
    if target.form is Form.JSON:
        from dualcost.costs.metrics import BY_LAYER

        lines = shown(aligned, metrics=BY_LAYER.values())
        target.write(json=lambda: alignment_json(aligned, lines))
    else:
        _write(comparison_page(aligned, typed(context)), path)


def _plain(text: str) -> str:
    """A model or a rewrite as part of the name of a file: "zoo:vgg16" is "zoo-vgg16"."""
    text = text.removeprefix("torchvision:").removesuffix(REPORT)
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


def _write(page: str, path: Path | None) -> None:
    from dualcost.cli.output import deliver
    from dualcost.files import write_atomically
    from dualcost.units import memory

    if path is None:
        deliver(page, None)
        return
    content = page.encode()
    write_atomically(path, content)
    announce(f"wrote {path}, {memory(len(content))}")


def _calibration(prediction: Prediction) -> tuple[Calibration | None, str]:
    """The calibration to predict by; else None, and why there is none, for the page.

    Raises:
        UsageError: an option that says how to predict stands beside --no-latency, or the file
            cannot be read, or is of another machine.
        UnmeasuredError: a time is asked for, and this machine has not been calibrated.
    """
    if prediction.latency is False:
        prediction.wanted("leave --no-latency out")
        return None, "Left out, as --no-latency says."
    try:
        return prediction.read(), ""
    except DualcostError as error:
        if prediction.latency or prediction.said:
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
