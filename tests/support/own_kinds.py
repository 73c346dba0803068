"""Kinds of one's own."""

from __future__ import annotations

from dataclasses import replace

from dualcost.kinds.kinds import KINDS
from dualcost.kinds.recipe import ALL, OWN_GROUP, ConvKind, Part

# the same recipe under another name
TWIN = replace(KINDS["dual"], name="twin")
# K×K in groups, then 1×1 over all
MIXED = ConvKind(
    "mixed",
    "K×K over 1/G of the channels, then 1×1 over all",
    (Part("grouped", True, OWN_GROUP, per_channel=True), Part("pointwise", False, ALL)),
    chained=True,
    letter="G",
)
