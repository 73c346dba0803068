"""Memory: weights, buffers, and how many bytes of activations live at the same time.

Each op of a trace knows how much memory it took for its results and when that was free again, as
eager execution in Python frees it: when the last variable that holds it goes. The peak follows by
walking through the ops in order. Weights and the workspace of kernels are not activations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from dualcost.network.network import Network
from dualcost.rewrite.rewrite import Replacement


@dataclass(frozen=True)
class Peak:
    """The most bytes of activations that live at once, and the op during which they do."""

    nbytes: int
    op: int


def activation_bytes(network: Network) -> int:
    """Bytes of all maps that are made, whenever they live."""
    return sum(op.allocated for op in network.ops)


def peak(network: Network, replacements: Sequence[Replacement] = ()) -> Peak:
    """The peak of a network, as it is or with sites replaced: the first op of those with most."""
    highest = Peak(sum(spec.nbytes for spec in network.inputs), 0)
    for index, nbytes in enumerate(live(network, replacements)):
        if nbytes > highest.nbytes:
            highest = Peak(nbytes, index)
    return highest


def live(network: Network, replacements: Sequence[Replacement] = ()) -> list[int]:
    """Bytes of activations that live during each op, as it is or with sites replaced.

    The inputs live throughout.

    Where a block is replaced, the maps inside it are gone, its input lives until its last op, and
    the recipe's own maps live during that op. What held a map inside the block holds its result.
    """
    end = len(network.ops)
    # for each result of each op, the op before which it is free
    freed = [[f if f >= 0 else end for _, f in op.memory] for op in network.ops]
    scratch = [0] * end
    inner: set[int] = set()
    for replacement in replacements:
        first, last = replacement.ops[0], replacement.ops[-1]
        inner.update(replacement.ops[:-1])
        until = max((f for index in replacement.ops[:-1] for f in freed[index]), default=0)
        freed[last] = [max(f, until) for f in freed[last]]
        for source in network.ops[first].inputs:
            owner = _owner(network, source)
            if owner >= 0:
                freed[owner] = [max(f, last + 1) if f > first else f for f in freed[owner]]
        elements = replacement.kind.scratch(replacement.site, replacement.divisor)
        scratch[last] = elements * network.ops[last].itemsize
    changes = [0] * (end + 1)
    for index, op in enumerate(network.ops):
        for (nbytes, _), free in zip(op.memory, freed[index], strict=True):
            if index not in inner:
                changes[index] += nbytes
                changes[free] -= nbytes
    inputs = sum(spec.nbytes for spec in network.inputs)
    held = accumulate(changes[:end], initial=inputs)
    next(held)
    return [nbytes + own for nbytes, own in zip(held, scratch, strict=True)]


def _owner(network: Network, index: int) -> int:
    """The op that took the memory of an op's result; views and in-place ops pass theirs on."""
    while index >= 0 and not network.ops[index].memory:
        inputs = network.ops[index].inputs
        index = inputs[0] if inputs else -1
    return index
