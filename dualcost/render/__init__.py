"""Every result in every form, without arithmetic: a file or a folder for each command."""
