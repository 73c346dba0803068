"""dualcost: what does this network cost, and what would it cost with other convolutions?

    >>> import dualcost
    >>> result = dualcost.profile("resnet50", conv="dual", G=4)
    >>> result.before.macs, result.after.macs
    (4089184256, 2907439104)

Nothing heavy is imported until it is used: a named network needs no torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["__version__", "profile"]

if TYPE_CHECKING:
    from dualcost.profiles import Profile


def profile(
    model: Any,
    input: Any = None,
    *,
    conv: str | None = None,
    G: int | None = None,
    P: int | None = None,
    where: str = "default",
    but: Sequence[str] = (),
    indivisible: str = "refuse",
    bias: str = "keep",
    batch: int | None = None,
    convention: str = "torch",
) -> Profile:
    """Count what a network costs, and what it would cost with another kind of convolution.

    Args:
        model: a `torch.nn.Module` (left exactly as it was), or a name as on the command line:
            "resnet50", "zoo:NAME", "torchvision:NAME", "path/to/file.py:factory".
        input: its shape with the batch, as "1x3x224x224" or (1, 3, 224, 224); a tensor or anything
            else with a shape and a dtype; or a list of these. Optional for named networks.
        conv: the kind that replaces: "standard", "dsc", "group", "het" or "dual"; None: no change.
        G: groups of group and dual.
        P: 1/P of het's kernels are K×K.
        where: the rule that says which sites are replaced.
        but: exceptions, such as "M<=32: G=8" or "path=head.*: keep".
        indivisible: "refuse", "keep", "gcd" or "fallback:N", where G or P does not divide.
        bias: "keep" or "drop" the biases of what is replaced.
        batch: replaces the first number of every input's shape.
        convention: "paper" (convolutions and linear layers) or "torch" (all matrix products too).

    Returns:
        A `Profile`: `before` and `after` are its `Cost`s (macs, flops, params, traffic), `rows`
        its layers, `totals` the sums by group of layers.

    Raises:
        dualcost.errors.DualcostError: something does not fit; it carries a message and a hint.
    """
    from dualcost import library
    from dualcost.cost import convention as named_convention
    from dualcost.profiles import profile as cost
    from dualcost.rewrite import Rewrite

    asked = Rewrite.parse(conv, G, P, where, indivisible, bias, tuple(but)) if conv else None
    counted = named_convention(convention)
    return cost(library.load(model, library.specs(input), batch), asked, counted)
