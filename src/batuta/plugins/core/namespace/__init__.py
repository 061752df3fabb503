"""Tasks over namespace files."""
