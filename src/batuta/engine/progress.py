"""The engine's memory of a branch or loop: counters and a cursor, never a list of children."""

from typing import Any

import msgspec


class Progress(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Opaque to every other room, which stores it as JSON beside the execution or task run.

    `items` is written once (the values of a loop); the store may keep it apart from the rest.
    """

    items: tuple[str, ...] | None = None
    memory: Any = None
