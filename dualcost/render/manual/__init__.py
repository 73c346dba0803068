"""The manual, read from declarations, in two forms."""
