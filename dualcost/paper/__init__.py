"""The paper's tables, claims and orders, and what dualcost makes of them."""
