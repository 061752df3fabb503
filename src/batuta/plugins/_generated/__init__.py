"""Generated files: do not edit (`python -m batuta.testing.catalogue`)."""
