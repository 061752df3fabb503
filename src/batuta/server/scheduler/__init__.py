"""The scheduler role: fires triggers by the clock (04 §4). A fire time starts exactly one execution (09 §7)."""

from batuta.server.scheduler.role import SchedulerRole

__all__ = ["SchedulerRole"]
