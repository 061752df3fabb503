"""Payloads of job rows: what to do, beside what the execution's own rows say."""

from typing import Any

import msgspec

from batuta.engine.commands import CountRows, Gather, Render
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


class CountNote(msgspec.Struct, frozen=True, kw_only=True, tag="count"):
    """Rows of the file that a Loop iterates over."""

    command: CountRows


class GatherNote(msgspec.Struct, frozen=True, kw_only=True, tag="gather"):
    """What the iterations of a Loop have put out."""

    command: Gather


Note = TaskNote | InlineNote | RenderNote | CountNote | GatherNote


def read_note(payload: bytes) -> Note:
    kind: Any = Note
    note: Note = codec.decode_as(kind, payload)
    return note
