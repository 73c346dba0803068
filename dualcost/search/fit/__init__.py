"""A choice for each layer that meets budgets."""
