"""A copy of a model for inference: norms folded, each layer in its cheapest exact form."""
