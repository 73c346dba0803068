"""dualcost: what does this network cost, and what would it cost with other convolutions?

    >>> import dualcost
    >>> result = dualcost.profile("resnet50", conv="dual", G=4)
    >>> result.before.macs, result.after.macs
    (4089184256, 2907439104)

Nothing heavy is imported until it is used: a named network needs no torch.
"""

from dualcost.api import bench, check, convert, fit, formula, profile, solve, sweep
from dualcost.version import __version__

__all__ = [
    "__version__",
    "bench",
    "check",
    "convert",
    "fit",
    "formula",
    "profile",
    "solve",
    "sweep",
]
