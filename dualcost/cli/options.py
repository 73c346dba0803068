"""The options that commands share, each declared once, in records of those that belong together."""

from __future__ import annotations

from collections.abc import Iterable
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from dualcost.cli import candidates
from dualcost.cli.output import Form, Target, announce
from dualcost.errors import UsageError
from dualcost.kinds.kinds import KINDS

if TYPE_CHECKING:
    from dualcost.latency.calibration import Calibration
    from dualcost.network.cost import Convention
    from dualcost.network.network import Network, TensorSpec
    from dualcost.network.symbolic import SymbolicNetwork
    from dualcost.rewrite.request import Request
    from dualcost.rewrite.subject import Subject

INPUT, COUNTED = "Which input", "What is counted"
REWRITE = "What if"
LATENCY = "How long it takes"
VIEW, OUTPUT = "Which rows", "Output"


def one_of(names: Iterable[str]) -> str:
    """Names in a help text: "macs, params or traffic"."""
    *others, last = names
    return f"{', '.join(others)} or {last}" if others else last


class Without:
    """The fields of a record that a command does not take, each with the reason."""

    def __init__(self, **reasons: str) -> None:
        self.reasons = reasons

    def declared(self, name: str, hint: Any) -> Any:
        """The declaration of a field; None if the command does not take it."""
        return None if name in self.reasons else hint


class Forms:
    """The forms that a command writes, the usual one first."""

    def __init__(self, *forms: Form, file: str = "") -> None:
        self.forms = forms
        self.file = file

    def declared(self, name: str, hint: Any) -> Any:
        """The declaration of a field, with what this command writes in its help."""
        kind, option = get_args(hint)
        option = copy(option)
        if name == "format":
            option.help = f"{one_of(self.forms)}; by default that of the ending of -o."
            option.autocompletion = lambda incomplete: [(str(form), "") for form in self.forms]
        if name == "output" and self.file:
            option.help = self.file
        return Annotated[kind, option]


class Metrics:
    """What limits may be on, for their help."""

    def __init__(self, names: Iterable[str]) -> None:
        self.names = tuple(names)

    def declared(self, name: str, hint: Any) -> Any:
        """The declaration of a field, with the metrics in its help."""
        kind, option = get_args(hint)
        option = copy(option)
        option.help = option.help.format(metrics=one_of(self.names))
        return Annotated[kind, option]


MODEL_FORMS = (
    "resnet50, torchvision:NAME, zoo:NAME, timm:NAME, path/to/file.py:factory, "
    "package.module:factory, or an exported model.pt2"
)
Model = Annotated[
    str,
    typer.Argument(
        help=f"{MODEL_FORMS}; MODEL+dual:G=4 with a rewrite. `dualcost list` shows the names.",
        metavar="MODEL",
        autocompletion=candidates.models,
        show_default=False,
    ),
]


@dataclass(frozen=True)
class Source:
    """How a model is traced, and what is counted in it."""

    input: Annotated[
        list[str] | None,
        typer.Option(
            help="Input as [name=]1x3x224x224[:dtype]; several times for several inputs.",
            metavar="SHAPE",
            rich_help_panel=INPUT,
        ),
    ] = None
    inputs: Annotated[
        str | None,
        typer.Option(
            help="A factory of inputs, file.py:factory: a tensor, a tuple, or a dict by name.",
            metavar="FACTORY",
            autocompletion=candidates.factories,
            rich_help_panel=INPUT,
        ),
    ] = None
    batch: Annotated[
        str | None,
        typer.Option(
            help="Replace the first number of every input.",
            metavar="NUMBER",
            rich_help_panel=INPUT,
        ),
    ] = None
    imgsz: Annotated[
        str | None,
        typer.Option(
            help="Replace height and width of every image: 320, or 320x256.",
            metavar="SIZE",
            rich_help_panel=INPUT,
        ),
    ] = None
    convention: Annotated[
        str,
        typer.Option(
            help="paper (convolutions, linear), torch (all products), fvcore, or all.",
            metavar="CONVENTION",
            autocompletion=candidates.conventions,
            rich_help_panel=COUNTED,
        ),
    ] = "torch"
    rules: Annotated[
        str | None,
        typer.Option(
            help="A Python file with rules for ops and modules.",
            metavar="FILE",
            rich_help_panel=COUNTED,
        ),
    ] = None
    device: Annotated[
        str,
        typer.Option(
            help="Run the model there on real tensors, cpu or cuda; default: without values.",
            metavar="DEVICE",
            autocompletion=candidates.devices,
            rich_help_panel=COUNTED,
            show_default=False,
        ),
    ] = ""
    told: Without | None = None

    @cached_property
    def specs(self) -> tuple[TensorSpec, ...]:
        """What --input says.

        Raises:
            UsageError: a shape cannot be read.
        """
        from dualcost.network.network import TensorSpec

        return tuple(TensorSpec.parse(text) for text in self.input or ())

    @property
    def size(self) -> int | None:
        """The one batch that --batch says.

        Raises:
            UsageError: it is no positive number.
        """
        return _single(self.batch, "--batch")

    @property
    def counted(self) -> Convention:
        """What is counted.

        Raises:
            UnknownNameError: there is no such convention.
        """
        from dualcost.network.cost import convention

        return convention(self.convention)

    @property
    def words(self) -> dict[str, Any]:
        """What the Python interface takes of these."""
        return {"input": list(self.specs), "batch": self.size, "imgsz": self.sides}

    @property
    def sides(self) -> tuple[int, int] | None:
        """Height and width that --imgsz says.

        Raises:
            UsageError: they cannot be read.
        """
        from dualcost.network.resize import sides

        return sides(self.imgsz) if self.imgsz else None

    @property
    def said(self) -> list[str]:
        """The options that stand on the command line."""
        given = {
            "--input": bool(self.input),
            "--inputs": self.inputs is not None,
            "--batch": self.batch is not None,
            "--imgsz": self.imgsz is not None,
            "--convention": self.convention != "torch",
            "--rules": self.rules is not None,
            "--device": bool(self.device),
        }
        return [option for option, present in given.items() if present]

    def checked(self) -> None:
        """Read all words, before any work.

        Raises:
            UsageError: one does not fit.
        """
        _ = self.specs, self.size, self.sides, self.counted

    def load(self, model: str) -> Network:
        """The network, traced as these words say.

        Raises:
            DualcostError: a word does not fit, or the model cannot be traced.
        """
        from dualcost.library import networks as library

        return library.load(
            model, self.specs, self.size, announce, self.inputs or "", self.rules or "",
            self.device, imgsz=self.sides,
        )  # fmt: skip

    def load_symbolic(self, model: str, symbols: list[str]) -> SymbolicNetwork:
        """The network with symbols for sizes.

        Raises:
            DualcostError: a word does not fit, or the model cannot be traced so.
        """
        from dualcost.library import networks as library

        for option in {"--inputs", "--rules", "--device"}.intersection(self.said):
            raise UsageError(
                f"{option} stands beside sizes that are symbols", "say shapes with --input"
            )
        return library.load_symbolic(
            model, self.specs, self.size, symbols, announce, imgsz=self.sides
        )


@dataclass(frozen=True)
class Change:
    """What is replaced, and how."""

    conv: Annotated[
        list[str] | None,
        typer.Option(
            help=f"Replace convolutions by this kind: {one_of(KINDS)}; or dual:4, "
            "dual:G=4@RULE. Several by commas, or by saying it again.",
            metavar="KIND",
            autocompletion=candidates.requests,
            rich_help_panel=REWRITE,
        ),
    ] = None
    groups: Annotated[
        str | None,
        typer.Option(
            "--G",
            help="Groups of group and dual; several as 2,4 or 1..32.",
            metavar="NUMBER",
            autocompletion=candidates.divisors,
            rich_help_panel=REWRITE,
            show_default=False,
        ),
    ] = None
    parts: Annotated[
        str | None,
        typer.Option(
            "--P",
            help="1/P of het's kernels are K×K; several likewise.",
            metavar="NUMBER",
            autocompletion=candidates.divisors,
            rich_help_panel=REWRITE,
            show_default=False,
        ),
    ] = None
    where: Annotated[
        list[str] | None,
        typer.Option(
            help="Which sites: default, stride-1, separable, inverted-residual, or terms such "
            "as “kernel=3 stride=1 M>=64 path=layer3.*”.",
            metavar="RULE",
            autocompletion=candidates.rules,
            rich_help_panel=REWRITE,
        ),
    ] = None
    but: Annotated[
        list[str] | None,
        typer.Option(
            help="An exception, “RULE: G=8”, “RULE: het P=4” or “RULE: keep”; may be repeated, "
            "the first wins.",
            metavar="EXCEPTION",
            autocompletion=candidates.exceptions,
            rich_help_panel=REWRITE,
        ),
    ] = None
    indivisible: Annotated[
        str,
        typer.Option(
            help="Where G or P does not divide the channels: refuse, keep, gcd or fallback:N.",
            metavar="POLICY",
            autocompletion=candidates.policies,
            rich_help_panel=REWRITE,
        ),
    ] = "refuse"
    bias: Annotated[
        str,
        typer.Option(
            help="keep the biases of what is replaced, or drop them.",
            metavar="keep|drop",
            autocompletion=candidates.biases,
            rich_help_panel=REWRITE,
        ),
    ] = "keep"
    plan: Annotated[
        Path | None,
        typer.Option(
            help="A plan of `fit -o`, instead of --conv and the other words.",
            metavar="FILE.toml",
            rich_help_panel=REWRITE,
            show_default=False,
        ),
    ] = None
    told: Without | None = None

    @property
    def rules(self) -> tuple[str, ...]:
        """The rules that --where says, or the usual one."""
        return tuple(self.where or ("default",))

    @property
    def rule(self) -> str:
        """The one rule that --where says, or the usual one.

        Raises:
            UsageError: it says several.
        """
        if len(self.rules) > 1:
            raise UsageError("several rules are said, and this takes one", "join their terms")
        return self.rules[0]

    @property
    def texts(self) -> tuple[str, ...]:
        """The kinds or requests that --conv says, one by one."""
        from dualcost.rewrite.request import variants

        return tuple(part for text in self.conv or () for part in variants(text))

    def numbers(self, letter: str) -> tuple[int, ...]:
        """What --G or --P says; () if it is not said.

        Raises:
            UsageError: it cannot be read.
        """
        from dualcost.units import span

        text = {"G": self.groups, "P": self.parts}[letter]
        return tuple(span(text, f"--{letter}")) if text is not None else ()

    @property
    def said(self) -> list[str]:
        """The options that stand on the command line."""
        given = {
            "--conv": bool(self.conv),
            "--G": self.groups is not None,
            "--P": self.parts is not None,
            "--where": bool(self.where),
            "--but": bool(self.but),
            "--indivisible": self.indivisible != "refuse",
            "--bias": self.bias != "keep",
        }
        return [option for option, present in given.items() if present]

    def requests(self, *, open: bool = False) -> tuple[Request, ...]:
        """Every request: kinds × numbers × rules, or that of the plan; () if none is said.

        Args:
            open: a number that nobody says is left open, and not missing.

        Raises:
            UsageError: a word does not fit, or stands beside a plan.
        """
        from dualcost.rewrite.request import Request

        if self.plan is not None:
            for option in self.said:
                raise UsageError(
                    f"--plan {self.plan} says it all, and {option} stands beside it",
                    "leave one out",
                )
            from dualcost.rewrite.plan import read

            return (read(self.plan),)
        G, P = self.numbers("G"), self.numbers("P")
        found = []
        for text, where in product(self.texts, self.rules):
            numbers = {"G": G, "P": P}
            if len(self.texts) > 1:  # each takes what is its own
                letter = Request.parse(text, open=True).kind.letter
                numbers = {letter: numbers[letter] or G} if letter else {}
            found += [
                Request.parse(
                    text, g, p, where, self.indivisible, self.bias, self.but or (), open=open
                )
                for g, p in product(*(numbers.get(letter) or (None,) for letter in "GP"))
            ]
        return tuple(dict.fromkeys(found))

    @property
    def _beside(self) -> dict[str, Any]:
        """The words for a model whose text says the kind, or for none.

        Raises:
            UsageError: one is said several times.
        """
        return {
            "G": _single(self.groups, "--G"),
            "P": _single(self.parts, "--P"),
            "where": self.rule,
            "indivisible": self.indivisible,
            "bias": self.bias,
            "but": self.but or (),
        }

    def subject(self, model: str, *, open: bool = False) -> Subject:
        """The model, and what is replaced in it: by its own text, or by these words.

        Raises:
            UsageError: a word does not fit, or several rewrites are said.
        """
        from dualcost.rewrite.subject import Subject

        requests = self.requests(open=open)
        if len(requests) > 1:
            sides = " ".join(f"'{model}+{request}'" for request in requests[:3])
            raise UsageError(
                f"{len(requests)} rewrites are said, and this takes one",
                f"dualcost compare {model} {sides}",
            )
        if requests:
            return Subject.parse(model, requests[0])
        if Subject.parse(model, several=True, open=True).request is None:
            self._check_unsaid()
        return Subject.parse(model, **self._beside, open=open)

    def _check_unsaid(self) -> None:
        """Refuse words that say how to replace, where nothing says by what.

        Raises:
            UsageError: one is said.
        """
        for option in self.said:
            raise UsageError(f"{option} says how to replace, but not by what", "add --conv dual:4")

    def subjects(self, models: Iterable[str], *, with_requests: bool = True) -> list[Subject]:
        """Each model as it is or as its text says, and with every request of these words.

        Args:
            models: texts of subjects.
            with_requests: false leaves the requests of these words to the caller.

        Raises:
            UsageError: a word does not fit.
        """
        from dualcost.rewrite.subject import Subject

        requests = self.requests()
        words = {} if requests else self._beside
        found = []
        for text in models:
            own = Subject.parse(text, **words, several=True)
            found.append(own)
            if own.request is None and with_requests:
                found += [Subject(own.model, request, f"{text}+{request}") for request in requests]
        if not requests and all(one.request is None for one in found):
            self._check_unsaid()
        return found


@dataclass(frozen=True)
class Limits:
    """What a network may cost, as constraints or as budgets: both say the same."""

    constraints: Annotated[
        list[str] | None,
        typer.Argument(
            help="Limits such as “params <= 20M”, by <=, <, >= or >, on {metrics}.",
            metavar="[LIMIT]...",
            show_default=False,
        ),
    ] = None
    budget: Annotated[
        list[str] | None,
        typer.Option(
            help="The same as a limit: params=20M is “params <= 20M”. May be repeated.",
            metavar="BUDGET",
            show_default=False,
        ),
    ] = None
    told: Metrics | None = None

    @property
    def texts(self) -> list[str]:
        """All of them."""
        return [*(self.constraints or ()), *(self.budget or ())]


@dataclass(frozen=True)
class Prediction:
    """Whether times are predicted, and by what."""

    latency: Annotated[
        bool | None,
        typer.Option(
            "--latency/--no-latency",
            help="Predict how long it takes on this machine (see `calibrate`), or do not.",
            rich_help_panel=LATENCY,
            show_default=False,
        ),
    ] = None
    calibration: Annotated[
        Path | None,
        typer.Option(
            "--calibration",
            help="Predict by this file instead of this machine's.",
            metavar="FILE",
            rich_help_panel=LATENCY,
            show_default=False,
        ),
    ] = None
    any_machine: Annotated[
        bool,
        typer.Option(
            "--any-machine",
            help="Take a calibration of another machine, too.",
            rich_help_panel=LATENCY,
        ),
    ] = False
    channels_last: Annotated[
        bool,
        typer.Option("--channels-last", help="In this memory format.", rich_help_panel=LATENCY),
    ] = False
    told: Without | None = None

    @property
    def said(self) -> list[str]:
        """The options that say how to predict."""
        given = {
            "--calibration": self.calibration is not None,
            "--any-machine": self.any_machine,
            "--channels-last": self.channels_last,
        }
        return [option for option, present in given.items() if present]

    def read(self) -> Calibration:
        """The calibration of the file, or this machine's.

        Raises:
            UsageError: the file cannot be read, or it is of another machine, and that is not
                allowed.
            UnmeasuredError: this machine has not been calibrated.
        """
        from dualcost.latency.calibration import check_machine, read

        found = read(self.calibration)
        if not self.any_machine:
            from dualcost.nn.here import here

            check_machine(found, here(found.machine.threads))
        return found

    def wanted(self, hint: str = "add --latency") -> Calibration | None:
        """The calibration if --latency asks for one, else None.

        Raises:
            UsageError: what says how to predict stands where nothing is predicted, or as `read`.
            UnmeasuredError: as `read`.
        """
        if self.latency:
            return self.read()
        for option in self.said:
            raise UsageError(f"{option} says how to predict a time", hint)
        return None


@dataclass(frozen=True)
class View:
    """Which rows of a table, and in which order."""

    sort: Annotated[
        str,
        typer.Option(
            help="By which metric, the largest first; order, path, saved or time, too.",
            metavar="ORDER",
            autocompletion=candidates.sorts,
            rich_help_panel=VIEW,
            show_default=False,
        ),
    ] = ""
    top: Annotated[
        int | None,
        typer.Option(
            help="This many rows, and the rest in one; 0: all.",
            metavar="NUMBER",
            rich_help_panel=VIEW,
            show_default=False,
        ),
    ] = None
    depth: Annotated[
        int | None,
        typer.Option(
            help="A tree of modules down to this depth, each with its sum.",
            metavar="NUMBER",
            rich_help_panel=VIEW,
            show_default=False,
        ),
    ] = None
    told: Without | None = None


@dataclass(frozen=True)
class Output:
    """What form the result has, and where it goes."""

    format: Annotated[
        str,
        typer.Option(
            metavar="FORM",
            rich_help_panel=OUTPUT,
            show_default=False,
        ),
    ] = ""
    json: Annotated[
        bool, typer.Option("--json", help="The same as --format json.", rich_help_panel=OUTPUT)
    ] = False
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Write to this file; its ending says the form.",
            metavar="FILE",
            rich_help_panel=OUTPUT,
            show_default=False,
        ),
    ] = None
    told: Forms | None = None

    @cached_property
    def target(self) -> Target:
        """The form and the file; asked before any work.

        Raises:
            UsageError: they do not fit the command, or each other.
            OutputError: the file cannot be written.
        """
        return self._to(self.output)

    @cached_property
    def summary(self) -> Target:
        """The form of what is printed by a command whose file is something else, such as a model.

        Raises:
            UsageError: the words do not fit the command, or each other.
        """
        return self._to(None)

    def _to(self, path: Path | None) -> Target:
        assert self.told is not None
        said = self.format
        if self.json and said not in ("", Form.JSON):
            raise UsageError(f"--json and --format {said} exclude each other", "choose one")
        return Target.of(self.told.forms, Form.JSON if self.json else said, path)


Unit = Annotated[
    str,
    typer.Option(
        help="auto, 1 (exact), K, M, G or T.",
        metavar="UNIT",
        autocompletion=candidates.units,
        rich_help_panel=OUTPUT,
    ),
]
Time = Annotated[
    str,
    typer.Option(
        "--time", help="End after so much measuring.", metavar="TIME", rich_help_panel=LATENCY
    ),
]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]


def _single(text: str | None, option: str) -> int | None:
    """The one positive number of an option.

    Raises:
        UsageError: it is none, or there are several.
    """
    from dualcost.units import span

    if text is None:
        return None
    numbers = span(text, option)
    if len(numbers) != 1:
        raise UsageError(
            f"{option} {text} are several, and this takes one", f"{option} {numbers[0]}"
        )
    return numbers[0]
