"""The account as a document of the store's settings, its password hashed."""

from batuta.model import codec
from batuta.operations.account import Account
from batuta.store.contract import Store

KEY = "kestra.server.basic-auth"


class SettingsAccountStore:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def load(self) -> Account | None:
        data = await self._store.settings.get(KEY)
        return None if data is None else codec.decode_as(Account, data)

    async def save(self, account: Account) -> None:
        await self._store.settings.put(KEY, codec.encode(account))
