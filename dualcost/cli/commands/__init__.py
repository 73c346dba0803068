"""One file per command: parse, one call, one renderer, an exit code."""
