"""What a network costs: layer by layer in integers, and in closed form."""
