"""What ran when a network ran once, as plain data; what is counted of it; and its file."""
