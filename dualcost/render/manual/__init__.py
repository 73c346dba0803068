"""The manual, read from declarations: for `--help`, and for `man`."""
