"""The engine's memory of a branch or loop, under the name that other rooms store it by."""

from batuta.engine.execution import Progress

__all__ = ["Progress"]
