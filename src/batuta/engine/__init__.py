"""The state machine of executions: pure, total, deterministic (09 §5)."""
