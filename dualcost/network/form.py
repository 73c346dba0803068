"""What a layer is called: "pointwise", "transposed group G=4", or the kind of a block."""

from __future__ import annotations

import re
from dataclasses import dataclass

_TEXT = re.compile(r"(transposed )?(\S+)(?: ([GP])=(\d+))?")


@dataclass(frozen=True)
class Form:
    """A name, with G or P where it has one.

    Attributes:
        name: "pointwise", "dual", or the kind of a block.
        letter: "G" or "P"; "": it has neither.
        divisor: G or P; 1 without.
        transposed: it is a transposed convolution.
    """

    name: str
    letter: str = ""
    divisor: int = 1
    transposed: bool = False

    @classmethod
    def parse(cls, text: str) -> Form:
        """Read what `str` wrote into a report.

        Raises:
            ValueError: it has another form.
        """
        match = _TEXT.fullmatch(text)
        if match is None:
            raise ValueError(f"{text!r} is not what a layer is called")
        transposed, name, letter, number = match.groups()
        return cls(name, letter or "", int(number or 1), bool(transposed))

    @property
    def plain(self) -> str:
        """Without G or P: "transposed group"."""
        return f"transposed {self.name}" if self.transposed else self.name

    def __str__(self) -> str:
        return f"{self.plain} {self.letter}={self.divisor}" if self.letter else self.plain
