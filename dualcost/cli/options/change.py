"""What is replaced in a model, and how."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dualcost.cli import candidates
from dualcost.cli.options.option import REWRITE, one_of, single
from dualcost.cli.options.told import Without
from dualcost.errors import UsageError
from dualcost.kinds.kinds import KINDS

if TYPE_CHECKING:
    from dualcost.rewrite.request import Request
    from dualcost.rewrite.subject import Subject


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
            "G": single(self.groups, "--G"),
            "P": single(self.parts, "--P"),
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
