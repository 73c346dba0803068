"""What fvcore makes of an op that has no products (fvcore/nn/flop_count.py, jit_handles.py, 0.1.5).

It adds an estimate of what norms, adaptive pooling and resizing do to its multiply-accumulates.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod

from dualcost.network.network import Op
from dualcost.network.site import Size


def nothing(op: Op) -> int:
    """It is not counted as the op that ran."""
    return 0


@dataclass(frozen=True)
class Handle:
    """How fvcore knows an op.

    Attributes:
        title: what it counts there, in words; "" if it counts nothing.
        count: the executed op → what it counts.
        name: how it calls the op; "" if as torch does.
    """

    title: str = ""
    count: Callable[[Op], int] = nothing
    name: str = ""


PLAIN = Handle()


def norm(op: Op) -> int:
    """Four for each element, five with weights."""
    return prod(_read(op)) * (5 if op.parameters else 4)


def batch_norm(op: Op) -> int:
    """One for each element, two with weights; an instance norm is a norm like others."""
    if op.module.startswith("InstanceNorm"):
        return norm(op)
    return prod(_read(op)) * (2 if op.parameters else 1)


def adaptive_pool(op: Op) -> int:
    """One for each element that is read; fvcore knows adaptive pooling in two dimensions."""
    return 0 if op.module == "AdaptiveAvgPool1d" else prod(_read(op))


def mean(op: Op) -> int:
    """Adaptive pooling to 1×1 runs as a mean that keeps its dimensions; other means are nothing."""
    made = _made(op)
    return adaptive_pool(op) if len(_read(op)) == len(made) == 4 and made[2:] == (1, 1) else 0


def resizing(each: int) -> Callable[[Op], int]:
    """So many for each element of the result."""
    return lambda op: each * prod(_made(op))


def _read(op: Op) -> Size:
    return op.in_shapes[0] if op.in_shapes else ()


def _made(op: Op) -> Size:
    return op.out_shapes[0] if op.out_shapes else ()
