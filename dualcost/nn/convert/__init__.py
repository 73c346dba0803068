"""A model with other convolutions, in memory or in a file."""
