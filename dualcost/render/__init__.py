"""Results as text: formats only shape what they are given, without arithmetic."""
