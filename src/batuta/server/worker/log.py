"""The log of one attempt: levels, masks and sizes (01 §9.2)."""

import asyncio
import re
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence

import msgspec
from typing_extensions import override

from batuta.model.instant import Instant, to_iso
from batuta.sdk.context import TaskLog
from batuta.server.protocol import LogLine

MAX_MESSAGE_CHARS = 10_240
MASK = "******"
LEVELS = {"TRACE": 0, "DEBUG": 1, "INFO": 2, "WARN": 3, "ERROR": 4}


class Masks:
    """Secrets of an attempt, replaced by `******` in all that leaves it."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        for secret in secrets:
            self.add(secret)

    def add(self, secret: str) -> None:
        """Blank texts are no secrets. The lines of a longer text are masked one by one too."""
        parts = {secret, *(line.strip() for line in secret.splitlines())}
        fresh = {part for part in parts if part.strip()} - self._secrets
        if fresh:
            self._secrets |= fresh
            longest_first = sorted(self._secrets, key=len, reverse=True)
            self._pattern = re.compile("|".join(map(re.escape, longest_first)))

    @property
    def secrets(self) -> tuple[str, ...]:
        return tuple(self._secrets)

    def apply(self, text: str) -> str:
        return text if self._pattern is None else self._pattern.sub(MASK, text)


class LogFile:
    """Lines of a task with `logToFile`: kept aside, stored when the attempt ends."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def add(self, lines: Sequence[LogLine]) -> None:
        self._lines += [f"{to_iso(line.at)} {line.level} {line.message}\n" for line in lines]

    def content(self) -> bytes:
        return "".join(self._lines).encode()


class LogSource(msgspec.Struct, frozen=True, kw_only=True):
    """The ids are set for a child of a WorkingDirectory only."""

    minimum: str | None = None
    task_id: str | None = None
    task_run_id: str | None = None


class AttemptLog(TaskLog):
    """`sdk.context.TaskLog`. May be written to by any thread; lines reach `send` in batches on the event loop."""

    def __init__(
        self,
        send: Callable[[Sequence[LogLine]], None],
        *,
        drain: Callable[[], Awaitable[None]],
        masks: Masks,
        now: Callable[[], Instant],
        source: LogSource,
    ) -> None:
        self._send = send
        self._drain = drain
        self._masks = masks
        self._now = now
        self._source = source
        self._minimum = LEVELS.get(source.minimum or "", 0)
        self._pending: deque[LogLine] = deque()
        self._loop = asyncio.get_running_loop()
        self._scheduled = False

    @override
    def write(self, level: str, message: str, *, at: Instant | None = None) -> None:
        if LEVELS.get(level, LEVELS["INFO"]) < self._minimum:
            return
        moment = self._now() if at is None else at
        text = self._masks.apply(message)
        for start in range(0, len(text) or 1, MAX_MESSAGE_CHARS):
            self._pending.append(
                LogLine(
                    at=moment,
                    level=level,
                    message=text[start : start + MAX_MESSAGE_CHARS],
                    task_id=self._source.task_id,
                    task_run_id=self._source.task_run_id,
                )
            )
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon_threadsafe(self.flush)

    def flush(self, send: Callable[[Sequence[LogLine]], None] | None = None) -> None:
        """Hand over what is pending, to `send` instead of the usual place; on the event loop only."""
        self._scheduled = False
        lines = []
        while self._pending:
            lines.append(self._pending.popleft())
        if lines:
            (send or self._send)(lines)

    @override
    async def drain(self) -> None:
        """Wait while the log is behind; on the event loop only."""
        self.flush()
        await self._drain()
