"""How a model is traced, and what is counted in it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Annotated

import typer

from dualcost.cli import candidates
from dualcost.cli.options.option import COUNTED, INPUT, single
from dualcost.cli.options.told import Without
from dualcost.cli.output import announce
from dualcost.errors import UsageError

if TYPE_CHECKING:
    from dualcost.network.cost import Convention
    from dualcost.network.network import Network, TensorSpec
    from dualcost.network.symbolic import SymbolicNetwork


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
        return single(self.batch, "--batch")

    @property
    def counted(self) -> Convention:
        """What is counted.

        Raises:
            UnknownNameError: there is no such convention.
        """
        from dualcost.network.cost import convention

        return convention(self.convention)

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
