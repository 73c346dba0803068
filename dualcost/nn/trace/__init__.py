"""What runs when a model runs once becomes a Network."""
