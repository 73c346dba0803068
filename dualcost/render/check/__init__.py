"""A check in every form that people and machines read."""
