"""What a network costs: layer by layer in integers, in memory, in closed form, in time."""
