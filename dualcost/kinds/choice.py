"""A kind with its G or P: what a site may become."""

from __future__ import annotations

from dataclasses import dataclass

from dualcost.kinds.recipe import ConvKind


@dataclass(frozen=True)
class Choice:
    """A kind with its G or P: "dual G=4"."""

    kind: ConvKind
    divisor: int = 1

    def __str__(self) -> str:
        return self.kind.label(self.divisor)
