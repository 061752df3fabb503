"""Tasks of the key-value store."""
