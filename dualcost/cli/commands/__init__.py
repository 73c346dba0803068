"""The commands: parse, one call, one renderer, an exit code."""
