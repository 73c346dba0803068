"""Reports as pages: one file each, with its style and scripts in it."""
