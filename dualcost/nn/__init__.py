"""The only folder that imports torch: tracing, building, and where models come from."""
