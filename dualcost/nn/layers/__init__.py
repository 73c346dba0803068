"""The kinds as trainable modules."""
