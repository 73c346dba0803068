"""The only room that imports torch: models are found, traced, converted, fused, and verified.

`DualConv2d` and the other modules are found here by name; torch is imported when one is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch.nn import Module as Module  # for what must not import torch and returns one

    from dualcost.nn.layers.kinds import (
        DepthwiseSeparableConv2d,
        DualConv2d,
        GroupConv2d,
        HetConv2d,
    )
    from dualcost.nn.layers.recipe import RecipeConv2d
    from dualcost.nn.trace.rules import count_module, count_op

__all__ = [
    "DepthwiseSeparableConv2d",
    "DualConv2d",
    "GroupConv2d",
    "HetConv2d",
    "RecipeConv2d",
    "count_module",
    "count_op",
]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from dualcost.nn.layers import kinds
        from dualcost.nn.trace import rules

        return getattr(rules if name.startswith("count_") else kinds, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
