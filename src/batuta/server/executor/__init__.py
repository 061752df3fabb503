"""The executor role: takes events from the inbox, asks the engine what follows, commits it (09 §4)."""
