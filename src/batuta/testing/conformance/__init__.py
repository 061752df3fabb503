"""Recorded behaviour, run against this system: one module for each kind of case file."""
