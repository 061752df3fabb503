"""Turns that have much to do: they go on beside the others, a piece at a time, and never keep anybody waiting."""

import asyncio

from batuta.server.executor.move import Move
from batuta.store.contract import Store

SMALL = 16
"""Events and orders of one execution that are dealt with at once; with more of them its turn is a long one."""
PIECE = 4
"""Events and orders of a long turn between which everybody else may go first."""
WAYS = 3
"""Commits of others that a long turn waits for at most before its next piece."""


class LongTurns:
    """However many there are, one of them does a piece while all others wait."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._one = asyncio.Lock()

    async def finish(self, move: Move) -> None:
        """Do what is left. Raises what moving raises."""
        while not move.is_over:
            async with self._one:
                await self._give_way()
                await move.go_on(PIECE)
        move.live.is_long = move.spent > SMALL
        await self._give_way()

    async def _give_way(self) -> None:
        """What others have asked for is written first, and what follows from that is begun; but not for ever."""
        await asyncio.sleep(0)
        for _ in range(WAYS):
            if not await self._store.quiet():
                return
            await asyncio.sleep(0)
