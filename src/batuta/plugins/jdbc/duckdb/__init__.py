"""SQL on DuckDB (06 §7.8)."""
