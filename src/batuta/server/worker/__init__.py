"""The worker role: runs attempts of tasks, in a child process or on the caller's event loop (09 §1.5)."""
