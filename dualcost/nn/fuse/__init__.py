"""A copy for inference."""
