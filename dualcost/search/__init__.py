"""The best of many: rows of a sweep, the smallest that fits, the least change that fits."""
