"""Looking for the best: many at once, the smallest that fits, the least change that fits."""
