"""The MACs of each kind, from outside of its recipe."""

from __future__ import annotations

from dualcost.kinds.equations import COST_OF_KIND, equation

# The MACs of each kind, from outside of its recipe: the paper's equation, or of a kind that the
# paper does not have, its closed form by hand.
WITNESSES = {name: equation(number).right for name, number in COST_OF_KIND.items()}
