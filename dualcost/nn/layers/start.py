"""What a new layer started from."""

from __future__ import annotations

from dataclasses import dataclass

from dualcost.errors import UsageError

# How new kernels start: drawn as a new layer's, or from the old ones by least squares.
FRESH, COPY = "fresh", "copy"
INITS = (FRESH, COPY)


@dataclass(frozen=True)
class Start:
    """What one new layer started from.

    Attributes:
        path: where it stands.
        why_fresh: why it has new weights; "" if they were copied.
        distance: between its kernel as a dense one and the old kernel (Frobenius norm).
        norm: of the old kernel.
    """

    path: str
    why_fresh: str = ""
    distance: float = 0.0
    norm: float = 0.0

    @property
    def relative(self) -> float:
        """The distance as a share of the old kernel's norm."""
        return self.distance / self.norm if self.norm else 0.0


def check_init(init: str) -> None:
    """Refuse what is not one of INITS.

    Raises:
        UsageError: with those that there are.
    """
    if init not in INITS:
        raise UsageError(f"no start is called {init!r}", f"one of {', '.join(INITS)}")
