"""The five kinds of convolution, each a recipe of plain convolutions.

A `ConvKind` is a few `Part`s and how they are joined. MACs, parameters and memory traffic follow
from the recipe alone; the paper's equations (`equations.py`) stand apart as an independent
witness, and a test proves by sympy that both say the same. A sixth kind is one more record.

The arithmetic is written once, for any number: Python integers (exact), Fractions, numpy integer
arrays (a sweep) and sympy symbols (closed forms).
"""

from __future__ import annotations

from dualcost.errors import UnknownNameError, UsageError
from dualcost.kinds.look import Look
from dualcost.kinds.recipe import ALL, BETWEEN, EVERY_PTH, OWN, OWN_GROUP, ConvKind, Part
from dualcost.spelling import plain

# Colours: Okabe & Ito, "Color Universal Design" (2008).
STANDARD = ConvKind(
    "standard",
    "K×K over all channels (equation 1)",
    (Part("spatial", True, ALL),),
    look=Look("#000000", "D", "◆"),
    aliases=("conv", "regular"),
)
DSC = ConvKind(
    "dsc",
    "depthwise separable: K×K per channel, then 1×1 over all (equation 6)",
    (Part("depthwise", True, OWN, per_channel=True), Part("pointwise", False, ALL)),
    chained=True,
    look=Look("#CC79A7", "v", "▼", on_dark=75),
    aliases=("depthwise", "depthwise-separable", "dwconv", "dws"),
)
GROUP = ConvKind(
    "group",
    "K×K over 1/G of the channels (equation 8)",
    (Part("spatial", True, OWN_GROUP),),
    letter="G",
    look=Look("#E69F00", "s", "■", label=(7, -4, "left")),
    aliases=("groupconv", "grouped"),
)
HET = ConvKind(
    "het",
    "K×K over 1/P of the channels plus 1×1 over the others (equation 10)",
    (Part("spatial", True, EVERY_PTH), Part("pointwise", False, BETWEEN)),
    letter="P",
    look=Look("#009E73", "^", "▲", label=(0, -11, "center"), on_dark=80),
    implementations=("grouped", "branches"),
    aliases=("hetconv", "heterogeneous"),
)
DUAL = ConvKind(
    "dual",
    "K×K over 1/G of the channels plus 1×1 over all (equation 4)",
    (Part("spatial", True, OWN_GROUP), Part("pointwise", False, ALL)),
    letter="G",
    look=Look("#0072B2", "o", "●", label=(-5, 4, "right"), on_dark=65),
    aliases=("dualconv",),
)
KINDS: dict[str, ConvKind] = {kind.name: kind for kind in (STANDARD, DSC, GROUP, HET, DUAL)}


def known(name: str) -> ConvKind | None:
    """The kind of a name or an alias, in any spelling: "Dual-Conv"; None if there is none."""
    word = plain(name)
    return next(
        (one for one in KINDS.values() if word in map(plain, (one.name, *one.aliases))), None
    )


def kind(name: str | ConvKind) -> ConvKind:
    """The kind of a name or an alias; a kind of one's own is taken as it is.

    Raises:
        UnknownNameError: there is none.
    """
    if isinstance(name, ConvKind):
        return name
    found = known(name)
    if found is None:
        look = "kinds: " + ", ".join(KINDS)
        raise UnknownNameError("kind of convolution", name, KINDS, look)
    return found


def divisor_of(kind: ConvKind, G: int | None = None, P: int | None = None) -> int:
    """The one of G and P that `kind` takes (1 for a kind that takes none).

    Raises:
        UsageError: it is missing, it is not positive, or the other letter was given.
    """
    given = {"G": G, "P": P}
    for letter, value in given.items():
        if value is None:
            continue
        if value < 1:
            raise UsageError(f"{letter}={value} is not positive", f"give {letter} = 1, 2, 4, …")
        if letter != kind.letter:
            takes = f"takes {kind.letter}" if kind.letter else "takes neither G nor P"
            raise UsageError(
                f"{kind.name} {takes}, but {letter}={value} was given",
                f"write --{kind.letter} {value}" if kind.letter else f"leave --{letter} out",
            )
    if not kind.letter:
        return 1
    divisor = given[kind.letter]
    if divisor is None:
        raise UsageError(f"{kind.name} needs {kind.letter}", f"add --{kind.letter} 4, for example")
    return divisor
