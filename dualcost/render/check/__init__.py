"""A check in the forms that people and machines read: one small file each, over one report."""
