"""A sweep in every form."""
