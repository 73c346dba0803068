"""Memory: weights, buffers, and how many bytes of activations live at the same time.

Each op of a trace knows how much memory it took for its results and when that was free again, as
eager execution in Python frees it: when the last variable that holds it goes. The peak follows by
walking through the ops in order. Weights and the workspace of kernels are not activations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dualcost.rewrite import Replacement
from dualcost.site import Network


@dataclass(frozen=True)
class Peak:
    """The most bytes of activations that live at once, and the op during which they do."""

    nbytes: int
    op: int


def activation_bytes(network: Network) -> int:
    """Bytes of all maps that are made, whenever they live."""
    return sum(op.allocated for op in network.ops)


def peak(network: Network, replacements: Sequence[Replacement] = ()) -> Peak:
    """The peak of a network, as it is or with sites replaced; the inputs live throughout.

    Where a block is replaced, the maps inside it are gone, its input lives until its last op, and
    the recipe's own maps live during that op.
    """
    end = len(network.ops)
    needed: dict[int, int] = {}  # maps that live longer: the input of a block, until its last op
    scratch = [0] * end
    inner: set[int] = set()
    for replacement in replacements:
        last = replacement.ops[-1]
        inner.update(replacement.ops[:-1])
        needed.update(dict.fromkeys(network.ops[replacement.ops[0]].inputs, last + 1))
        elements = replacement.kind.scratch(replacement.site, replacement.divisor)
        scratch[last] = elements * network.ops[last].itemsize
    changes = [0] * (end + 1)
    for index, op in enumerate(network.ops):
        for nbytes, freed in op.memory if index not in inner else ():
            changes[index] += nbytes
            changes[max(end if freed < 0 else freed, needed.get(index, 0))] -= nbytes
    live = sum(spec.nbytes for spec in network.inputs)
    highest = Peak(live, 0)
    for index in range(end):
        live += changes[index]
        if live + scratch[index] > highest.nbytes:
            highest = Peak(live + scratch[index], index)
    return highest
