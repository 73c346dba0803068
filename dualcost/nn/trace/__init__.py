"""A model that runs once becomes a Network."""
