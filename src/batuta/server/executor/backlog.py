"""How many log lines of tasks wait to be committed, so that a task that writes fast has to wait for the store."""

import asyncio

MOST_LINES = 20_000


class Backlog:
    def __init__(self) -> None:
        self._lines = 0
        self._has_room = asyncio.Event()
        self._has_room.set()

    @property
    def lines(self) -> int:
        return self._lines

    def add(self, lines: int) -> None:
        self._lines += lines
        if self._lines > MOST_LINES:
            self._has_room.clear()

    def remove(self, lines: int) -> None:
        """They are committed, or given up."""
        self._lines -= lines
        if self._lines <= MOST_LINES:
            self._has_room.set()

    async def room(self) -> None:
        """Return when more lines are welcome."""
        await self._has_room.wait()
