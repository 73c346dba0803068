"""What ran when a network ran once, as plain data; what each op is; what is counted; its file."""
