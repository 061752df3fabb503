"""Measured figures: one file for each row of the table in the README."""
