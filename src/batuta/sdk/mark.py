"""Processes found by a mark in their environment, wherever they went: into other process groups, sessions or parents.

Works on Linux. Elsewhere nothing is found, and process groups must do.
"""

import os
import select
import signal
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

ATTEMPT = "BATUTA_ATTEMPT"
"""Environment variable of every process of a task: the key of its attempt (09 §7)."""

_PROC = Path("/proc")
_GONE_MILLISECONDS = 1000
_PASSES = 5
"""A process may fork while it is looked for; the search is repeated until it finds nothing new."""


def kill_marked(variable: str, wanted: Callable[[str], bool]) -> int:
    """Kill (-9) every process of ours whose environment has the variable with a wanted value; their number.

    They are gone when this returns, unless the system holds them for long.
    """
    killed: set[int] = set()
    for _ in range(_PASSES):
        fresh = [pid for pid, mark in _marked(variable) if pid not in killed and wanted(mark)]
        if not fresh:
            break
        killed.update(fresh)
        _kill(fresh)
    return len(killed)


def _kill(pids: Sequence[int]) -> None:
    """Kill, then wait for each to be gone."""
    descriptors = []
    for pid in pids:
        try:
            descriptors.append(os.pidfd_open(pid))
            signal.pidfd_send_signal(descriptors[-1], signal.SIGKILL)
        except ProcessLookupError:
            continue
    for descriptor in descriptors:
        waiting = select.poll()
        waiting.register(descriptor, select.POLLIN)
        waiting.poll(_GONE_MILLISECONDS)
        os.close(descriptor)


def _marked(variable: str) -> Iterator[tuple[int, str]]:
    """Processes that cannot be read belong to others."""
    if not _PROC.is_dir() or not hasattr(os, "pidfd_open"):
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
