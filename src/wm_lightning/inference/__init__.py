"""Removes watermarks from pictures of any size and from picture files. Nothing here needs a GPU or a configuration."""
