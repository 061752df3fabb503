"""Processes found by a mark in their environment, wherever they went: into other process groups, sessions or parents.

Works where there is a /proc. Elsewhere nothing is found, and process groups must do.
"""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

ATTEMPT = "BATUTA_ATTEMPT"
"""Environment variable of every process of a task: the key of its attempt (09 §7)."""

_PROC = Path("/proc")
_PASSES = 5
"""A process may fork while it is looked for; the search is repeated until it finds nothing new."""


def kill_marked(variable: str, wanted: Callable[[str], bool]) -> int:
    """Kill (-9) every process of ours whose environment has the variable with a wanted value; their number."""
    killed: set[int] = set()
    for _ in range(_PASSES):
        fresh = [pid for pid, mark in _marked(variable) if pid not in killed and wanted(mark)]
        if not fresh:
            break
        killed.update(fresh)
        for pid in fresh:
            _kill(pid)
    return len(killed)


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _marked(variable: str) -> Iterator[tuple[int, str]]:
    """Processes that cannot be read belong to others."""
    if not _PROC.is_dir():
        return
    start = f"{variable}=".encode()
    own = os.getpid()
    for entry in _PROC.iterdir():
        if not entry.name.isdigit() or int(entry.name) == own:
            continue
        try:
            environment = (entry / "environ").read_bytes()
        except OSError:
            continue
        for setting in environment.split(b"\0"):
            if setting.startswith(start):
                yield int(entry.name), setting[len(start) :].decode(errors="replace")
                break
