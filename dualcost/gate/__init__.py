"""What models may cost, kept in a repository and held against what they cost now."""
