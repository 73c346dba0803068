"""Many profiles: models, kinds, G and P, row by row or in arrays."""
