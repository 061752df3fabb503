"""SQL on SQLite (06 §7.9)."""
