"""The long-running roles: executor, scheduler and worker, and what they share."""
