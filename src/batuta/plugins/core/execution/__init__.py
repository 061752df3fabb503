"""Tasks that look at or change the running execution."""
