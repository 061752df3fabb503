"""No process of a task outlives its worker: every one carries the worker's mark in its environment.

The mark is found by looking through /proc, so it reaches processes that left their process group or session. Where there
is no /proc only process groups are killed, by the runner itself.
"""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

MARK = "BATUTA_WORKER"
"""Environment variable of all processes below a worker."""
_PROC = Path("/proc")
_PASSES = 5
"""A process may fork while it is looked for; the search is repeated until it finds nothing."""


def mark_of(pid: int) -> str | None:
    """The mark of a living process: its pid made unique by time of start and pid namespace."""
    try:
        stat = (_PROC / str(pid) / "stat").read_text()
        namespace = os.readlink(_PROC / "self" / "ns" / "pid")  # noqa: PTH115 - no file, only a name
    except OSError:
        return None
    started = stat.rpartition(")")[2].split()[19]
    return f"{namespace.strip('pid:[]')}-{pid}-{started}"


def kill_marked(mark: str) -> int:
    """Kill every process that carries this mark; their number."""
    return _kill(lambda found: found == mark)


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

    return _kill(is_orphan)


def _kill(wanted: Callable[[str], bool]) -> int:
    killed: set[int] = set()
    for _ in range(_PASSES):
        found = [pid for pid, mark in _marked() if wanted(mark)]
        fresh = [pid for pid in found if pid not in killed]
        if not fresh:
            break
        for pid in fresh:
            killed.add(pid)
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
    return len(killed)


def _marked() -> Iterator[tuple[int, str]]:
    """Processes of ours that carry a mark; those of other users cannot be read."""
    wanted = f"{MARK}=".encode()
    own = os.getpid()
    for entry in _PROC.iterdir():
        if not entry.name.isdigit() or int(entry.name) == own:
            continue
        try:
            environment = (entry / "environ").read_bytes()
        except OSError:
            continue
        for variable in environment.split(b"\0"):
            if variable.startswith(wanted):
                yield int(entry.name), variable[len(wanted) :].decode(errors="replace")
                break
