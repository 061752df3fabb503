"""A task that writes faster than the store commits has to wait."""

import asyncio

import pytest

from batuta.server.executor.backlog import MOST_LINES, Backlog


async def test_there_is_room_until_too_many_lines_wait() -> None:
    backlog = Backlog()
    backlog.add(MOST_LINES)
    await backlog.room()
    backlog.add(1)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await backlog.room()


async def test_a_commit_makes_room_again() -> None:
    backlog = Backlog()
    backlog.add(MOST_LINES + 5)
    waiting = asyncio.ensure_future(backlog.room())
    backlog.remove(5)
    await waiting
