"""Control tasks: they move other tasks and compile to nodes of the engine (01 §6)."""
