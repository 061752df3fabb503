"""Tasks over files of internal storage."""
