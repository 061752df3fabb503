"""Template text to a tree."""
