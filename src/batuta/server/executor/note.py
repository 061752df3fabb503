"""Payloads of job rows: what to do, beside what the execution's own rows say."""

from typing import Any

import msgspec

from batuta.engine.commands import Render
from batuta.model import codec
from batuta.model.instant import Micros


class TaskNote(msgspec.Struct, frozen=True, kw_only=True, tag="task"):
    """An attempt that a worker, or the server on its own loop, runs."""

    timeout: Micros | None = None


class InlineNote(msgspec.Struct, frozen=True, kw_only=True, tag="inline"):
    """An inline task whose templates look something up."""


class RenderNote(msgspec.Struct, frozen=True, kw_only=True, tag="render"):
    """Templates of the engine that look something up."""

    command: Render


Note = TaskNote | InlineNote | RenderNote


def read_note(payload: bytes) -> Note:
    kind: Any = Note
    note: Note = codec.decode_as(kind, payload)
    return note
