"""What templates see of an execution: variables, outputs, and secrets that are opened for them only."""
