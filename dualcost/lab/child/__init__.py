"""The programs that run in that process."""
