"""What a network may cost, as constraints or as budgets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

from dualcost.cli.options.told import Metrics


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
