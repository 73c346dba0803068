"""What of the paper can be recomputed, besides its tables."""

CLAIMS, PLOT, LATENCY = "claims", "plot", "latency"
