"""What the executor's turns are about besides events: time, and that nobody waits for the long ones."""
