"""Tasks of the log."""
