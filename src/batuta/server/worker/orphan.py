"""No process of a task outlives its worker: each carries the worker's mark in its environment."""

import os
from pathlib import Path

from batuta.sdk.mark import kill_marked

MARK = "BATUTA_WORKER"
"""Environment variable of all processes below a worker."""
_PROC = Path("/proc")


def mark_of(pid: int) -> str | None:
    """The mark of a living process: its pid, made unique by pid namespace and time of start; None without /proc."""
    try:
        stat = (_PROC / str(pid) / "stat").read_text()
        namespace = (_PROC / "self" / "ns" / "pid").readlink().name
    except OSError:
        return None
    started = stat.rpartition(")")[2].split()[19]
    return f"{namespace.strip('pid:[]')}-{pid}-{started}"


def kill_children(mark: str) -> int:
    """Kill what is left of the tasks of one worker; the number of processes."""
    return kill_marked(MARK, lambda found: found == mark)


def kill_orphans() -> int:
    """Kill every process whose worker is gone; their number."""
    own = mark_of(os.getpid())
    if own is None:
        return 0
    namespace = own.partition("-")[0]

    def is_orphan(mark: str) -> bool:
        where, _, rest = mark.partition("-")
        pid = rest.partition("-")[0]
        return where == namespace and pid.isdigit() and mark_of(int(pid)) != mark

    return kill_marked(MARK, is_orphan)
