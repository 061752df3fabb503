"""Errors of plugins.

PluginError
├── TaskError       the task failed; its message is logged at ERROR, its outputs are kept
├── PropertyError   a rendered property does not fit its declared type
└── UnknownTypeError  no installed plugin has this type
"""

from collections.abc import Mapping
from typing import Any


class PluginError(Exception):
    """Something a plugin reports."""


class TaskError(PluginError):
    """The attempt fails with this message. `outputs` are kept on the failed task run (05 §2)."""

    def __init__(
        self, message: str, *, outputs: Any = None, details: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.outputs = outputs
        self.details = dict(details or {})


class PropertyError(PluginError):
    """`path` is the property path below the task, `message` says what was expected and what was found."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(f"{path}: {message}" if path else message)
        self.path = path
        self.message = message


def unavailable_message(type_name: str) -> str:
    """Of a type that Kestra has and this installation does not run."""
    return (
        f"known to Kestra, not available in this installation: {type_name}; "
        "install a plugin that provides it, or replace the task by one that runs here"
    )


class UnknownTypeError(PluginError):
    """`known` tells that Kestra has the type although this installation does not run it."""

    def __init__(
        self, type_name: str, *, nearest: tuple[str, ...] = (), known: bool = False
    ) -> None:
        super().__init__(unavailable_message(type_name) if known else f"Invalid type: {type_name}")
        self.type_name = type_name
        self.nearest = nearest
        self.known = known
