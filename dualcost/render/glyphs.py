"""The characters beyond letters: bars, the guides of a tree, and what stands for them elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

CELLS = 8  # the length of a bar
EIGHTHS = " ▏▎▍▌▋▊▉█"
# What is written where standard output is not Unicode; in tables one for one, so that columns stay
# aligned.
PLAINER = {
    **dict.fromkeys("█▉▊▋", "#"),
    **dict.fromkeys("▌▍▎▏", "-"),
    **{"├": "|", "└": "`", "│": "|", "─": "-", "→": ">", "×": "x", "·": "*", "…": "~"},
    **{"²": "^2", "≥": ">=", "≤": "<=", "–": "-", "“": '"', "”": '"', "µ": "u", "∞": "inf"},
}


def bar(share: float) -> str:
    """A bar for a share of the longest, a small one as a sliver: `bar(0.5)` is "████    "."""
    eighths = ceil(min(share, 1.0) * 8 * CELLS)
    return ("█" * (eighths // 8) + EIGHTHS[eighths % 8]).ljust(CELLS)[:CELLS]


def guides(ends: Sequence[bool]) -> str:
    """What stands before a name in a tree: `guides((False, True))` is "│ └ "."""
    if not ends:
        return ""
    return "".join("  " if end else "│ " for end in ends[:-1]) + ("└ " if ends[-1] else "├ ")


def aligned(texts: Sequence[str], apart: str = " ") -> list[str]:
    """Texts that are aligned on a character where they end together: numbers on their units."""
    tails = [sum(map(len, text.partition(apart)[1:])) for text in texts]
    longest = max(tails, default=0)
    return [text + " " * (longest - tail) for text, tail in zip(texts, tails, strict=True)]


def stacked(title: str) -> tuple[str, str]:
    """A title in two lines, its last word below: `stacked("MACs after")` is ("MACs", "after")."""
    above, _, below = title.rpartition(" ")
    return above, below


def encodable(text: str, encoding: str) -> str:
    """The text in characters that an encoding can write."""
    known = set(text.encode(encoding, "ignore").decode(encoding))
    return "".join(one if one in known else PLAINER.get(one, "?") for one in text)


def shortened(text: str, width: int) -> str:
    """The text, or its start and its end with "…" between them, in so many characters."""
    if len(text) <= width:
        return text
    start = (width - 1) // 2
    return f"{text[:start]}…{text[len(text) + start + 1 - width :]}"
