"""Whether two results are equal but for rounding."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.utils._pytree import tree_leaves

# The largest difference of two results in double precision, as a share of the largest number in
# them. Rounding is some 1e-16 in each of a few hundred layers.
TOLERANCE = 1e-10


def difference(first: Any, second: Any) -> float:
    """The largest difference of two results, as a share of the largest number in that tensor.

    Infinite if they are not of one form, or if a number is not finite.

    Args:
        first: tensors, nested in any way.
        second: the same, computed otherwise.
    """
    ours, theirs = ([leaf for leaf in tree_leaves(one) if isinstance(leaf, Tensor)]
                    for one in (first, second))  # fmt: skip
    if [leaf.shape for leaf in ours] != [leaf.shape for leaf in theirs]:
        return float("inf")
    return max(map(_of_tensors, ours, theirs), default=0.0)


def _of_tensors(one: Tensor, other: Tensor) -> float:
    if not one.numel():
        return 0.0
    if not (one.isfinite().all() and other.isfinite().all()):
        return float("inf")
    if not one.is_floating_point():
        return 0.0 if one.equal(other) else float("inf")
    apart = float((one - other).abs().max())
    return apart / (float(one.abs().max()) or 1.0)
