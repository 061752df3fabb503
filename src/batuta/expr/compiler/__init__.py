"""Trees to closures."""
