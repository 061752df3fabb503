"""A running execution on the terminal: state changes and log lines as they come."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.text import Text

_STATE_STYLES = {
    "SUCCESS": "green",
    "WARNING": "yellow",
    "FAILED": "red",
    "KILLED": "red",
    "CANCELLED": "red",
    "RUNNING": "blue",
}
_LEVEL_STYLES = {
    "ERROR": "red",
    "WARN": "yellow",
    "INFO": "default",
    "DEBUG": "dim",
    "TRACE": "dim",
}
_QUIET = frozenset({"CREATED", "SUBMITTED"})
_GOOD = frozenset({"SUCCESS", "WARNING"})


class Screen:
    """Takes executions and log entries in the shapes of the API; prints each change once."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._states: dict[str, str] = {}

    def execution(self, wire: Mapping[str, Any]) -> None:
        for run in wire.get("taskRunList") or ():
            state = run["state"]["current"]
            if state not in _QUIET and self._states.get(run["id"]) != state:
                self._states[run["id"]] = state
                self._run(run, state)

    def log(self, wire: Mapping[str, Any]) -> None:
        style = _LEVEL_STYLES.get(wire["level"], "default")
        line = Text()
        line.append(f"{wire['timestamp'][11:23]:<13}", style="dim")
        line.append(f"{wire['level']:<6}", style=style)
        if "taskId" in wire:
            line.append(f"{wire['taskId']}  ", style="cyan")
        line.append(printable(wire["message"]))
        self._console.print(line, soft_wrap=True)

    def end(self, wire: Mapping[str, Any]) -> None:
        state = wire["state"]["current"]
        line = Text()
        line.append(state, style=f"bold {_STATE_STYLES.get(state, 'default')}")
        line.append(f"  {wire['namespace']}.{wire['flowId']}  {wire['id']}  ", style="dim")
        line.append(_seconds(wire["state"]))
        self._console.print(line, soft_wrap=True)
        for name, value in (wire.get("outputs") or {}).items():
            self._console.print(Text(f"  {name} = {printable(str(value))}"), soft_wrap=True)

    def _run(self, run: Mapping[str, Any], state: str) -> None:
        line = Text(" " * 13)
        line.append(f"{state:<9} ", style=_STATE_STYLES.get(state, "default"))
        line.append(run["taskId"], style="cyan")
        if "value" in run:
            line.append(f" [{printable(str(run['value']))}]", style="dim")
        if "endDate" in run["state"]:
            line.append(f"  {_seconds(run['state'])}", style="dim")
        self._console.print(line, soft_wrap=True)


def exit_code(wire: Mapping[str, Any]) -> int:
    """0 for an execution that went well, warnings included."""
    return 0 if wire["state"]["current"] in _GOOD else 1


def printable(text: str) -> str:
    """Without characters that would steer the terminal."""
    return "".join(c for c in text if c in "\n\t" or (c.isprintable() and c != "\x7f"))


def _seconds(state: Mapping[str, Any]) -> str:
    from batuta.model.duration import parse_duration
    from batuta.model.instant import SECOND

    return f"{parse_duration(state['duration']) / SECOND:.2f} s"
