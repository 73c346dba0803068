"""The paper's own sweep: its ImageNet networks, each by its rule."""

from __future__ import annotations

from dualcost.paper.tables import printed_rows
from dualcost.search.sweep.rows import Replacing


def paper_ways() -> dict[str, tuple[Replacing, ...]]:
    """The paper's ImageNet networks, and how Tables V and VI replace convolutions in each."""
    found: dict[str, dict[Replacing, None]] = {}
    for row in printed_rows():
        if row.dataset == "imagenet" and row.rewrite is not None:
            asked = row.rewrite
            way = Replacing(str(asked.rule), str(asked.indivisible), asked.bias)
            found.setdefault(f"zoo:{row.network}", {})[way] = None
    return {network: tuple(ways) for network, ways in found.items()}
