"""Flow triggers: executions that start because others changed their state (04 §10)."""

from batuta.server.listening.ear import Ear

__all__ = ["Ear"]
