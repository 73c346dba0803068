"""A user's own code before it runs: how a model in it is named, and what a file offers."""
