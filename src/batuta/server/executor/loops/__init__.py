"""Loops whose iterations are executions of their own."""
