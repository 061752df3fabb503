"""SQL on PostgreSQL (06 §7.7)."""
