"""How a kind of convolution is drawn, in figures, in a terminal and on a page."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Look:
    """Colours are for colour-blind readers; marks and signs differ too, for print in grey.

    Attributes:
        colour: as "#0072B2".
        mark: of its points in a figure, as matplotlib calls it.
        sign: of its points in a terminal, one character.
        label: where the label of a point stands: points to the right, points up, and which side
            of the label is there. Kinds that lie close together are labelled on other sides.
        on_dark: percent of the colour on a dark page; the rest is white.
    """

    colour: str
    mark: str
    sign: str
    label: tuple[int, int, str] = (5, 4, "left")
    on_dark: int = 100


# Okabe & Ito, "Color Universal Design" (2008): their sky blue, which no kind of ours has
OWN_LOOK = Look("#56B4E9", "P", "✚")
