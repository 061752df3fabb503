"""Flow triggers: executions that start because others changed their state (04 §10)."""

from batuta.server.listening.listeners import Listeners

__all__ = ["Listeners"]
