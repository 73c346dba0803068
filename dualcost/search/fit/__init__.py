"""A choice for each layer, so that a network meets its budgets and changes least."""
