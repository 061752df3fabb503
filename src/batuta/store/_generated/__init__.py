"""Written by `python -m batuta.store.generate`."""
