"""The paper recomputed: its tables as printed, its claims, and what dualcost makes of them."""
