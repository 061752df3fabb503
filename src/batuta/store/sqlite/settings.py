"""Settings in SQLite."""

from collections.abc import Sequence

from batuta.store._generated import sqlite as sql
from batuta.store.sqlite.database import Database

_AFTER_ALL = "\U0010ffff"


class SqliteSettings:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, key: str) -> bytes | None:
        found = await self._database.read(lambda session: session.one(sql.SETTING_GET, key=key))
        return found[0] if found else None

    async def put(self, key: str, data: bytes) -> None:
        await self._database.write(
            lambda transaction: transaction.run(sql.SETTING_PUT, key=key, data=data)
        )

    async def delete(self, key: str) -> bool:
        gone = await self._database.write(
            lambda transaction: transaction.run(sql.SETTING_DELETE, key=key)
        )
        return gone > 0

    async def keys(self, prefix: str = "") -> Sequence[str]:
        bounds = {"from": prefix, "below": prefix + _AFTER_ALL}
        records = await self._database.read(lambda session: session.all(sql.SETTING_KEYS, **bounds))
        return [key for (key,) in records]
