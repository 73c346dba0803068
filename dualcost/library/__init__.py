"""A network by name: packaged, else cached, else traced."""
