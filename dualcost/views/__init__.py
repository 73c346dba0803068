"""What one looks at in costs: rows folded and sorted, trees, networks beside each other."""
