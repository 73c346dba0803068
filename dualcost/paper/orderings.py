"""Which networks the paper says run faster than which (section IV-G), and whether they do here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dualcost.lab.measurement import Ratio
from dualcost.paper.latency import Entry, Result

HOLDS, FAILS, WITHIN = "holds here", "does not hold here", "within the interval"

Pair = tuple[str, str]


@dataclass(frozen=True)
class Ordering:
    """A sentence about which networks are faster.

    Attributes:
        words: what it says, in short.
        pairs: ids of the rows whose printed times it is about, the faster one first.
        further: what it says of rows without a printed time, or of rows beside those.
    """

    words: str
    pairs: tuple[Pair, ...]
    further: tuple[Pair, ...] = ()


SAME_DIVISOR = Ordering(
    "group < dual < het at the same G and P",
    (
        ("table5-resnet50-group-G2", "table5-resnet50-dual-G2"),
        ("table5-resnet50-dual-G4", "table5-resnet50-het-P4"),
        ("table6-mobilenetv1-group-G2", "table6-mobilenetv1-dual-G2"),
        ("table6-mobilenetv1-dual-G4", "table6-mobilenetv1-het-P4"),
    ),
    (("table5-vgg16-dual-G4", "table5-vgg16-het-P4"),),
)
# “faster speeds when G=16 and G=8 [of VGG-16 and ResNet-50], but not when G=32”
MANY_GROUPS = Ordering(
    "G=32 is no faster",
    (
        ("table5-vgg16-dual-G16", "table5-vgg16-dual-G32"),
        ("table5-resnet50-dual-G8", "table5-resnet50-dual-G32"),
    ),
    (("table5-resnet50-dual-G16", "table5-resnet50-dual-G32"),),
)
# of each network the dual row whose printed time is nearest to the original's
MOBILE = Ordering(
    "dual slows MobileNetV1 down, and speeds MobileNetV2 up",
    (
        ("table6-mobilenetv1-original", "table6-mobilenetv1-dual-G32"),
        ("table6-mobilenetv2-dual-G16", "table6-mobilenetv2-original"),
    ),
)
ORDERINGS = (SAME_DIVISOR, MANY_GROUPS, MOBILE)


@dataclass(frozen=True)
class Order:
    """Whether one network was faster than another, as the paper says.

    Attributes:
        ordering: what the paper says.
        result: the races of the backbone of both.
        mode: in which they ran.
        faster: the one that should be.
        slower: the other.
        printed: the printed time of the slower over that of the faster; None: not printed.
        ratio: the same here.
    """

    ordering: Ordering
    result: Result
    mode: str
    faster: Entry
    slower: Entry
    printed: float | None
    ratio: Ratio

    @property
    def verdict(self) -> str:
        """HOLDS or FAILS; WITHIN, if the interval holds 1."""
        if self.ratio.low > 1:
            return HOLDS
        return FAILS if self.ratio.high < 1 else WITHIN


def orders(results: Sequence[Result]) -> tuple[Order, ...]:
    """Every ordering that the paper states of the rows that were measured, het in each form."""
    return tuple(
        order
        for ordering in ORDERINGS
        for pair in (*ordering.pairs, *ordering.further)
        for result in results
        for mode in result.modes
        for order in _orders(ordering, pair, result, mode)
    )


def _orders(ordering: Ordering, pair: Pair, result: Result, mode: str) -> Iterator[Order]:
    places = result.places(mode)
    fast, slow = ([place for place in places if place.entry.row.id == id] for id in pair)
    for faster in fast:
        for slower in slow:
            printed = [
                result.backbone.printed(place.entry.row, result.device)
                for place in (faster, slower)
            ]
            yield Order(
                ordering,
                result,
                mode,
                faster.entry,
                slower.entry,
                printed[1] / printed[0] if printed[0] and printed[1] else None,
                slower.over(faster),
            )
