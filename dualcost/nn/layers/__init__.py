"""The kinds as trainable modules, and what they start from."""
