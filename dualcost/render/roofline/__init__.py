"""A roofline in every form."""
