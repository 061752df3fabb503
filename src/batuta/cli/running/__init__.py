"""What `batuta run` does: in a process of its own, or on a server."""
