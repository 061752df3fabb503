"""The one account of an installation (03 §2): its rules, its stored form and the check of credentials."""

import asyncio
import hashlib
import hmac
import re
from typing import Protocol

import msgspec

from batuta.model import codec
from batuta.operations.errors import OperationError
from batuta.store.contract import Store

_USERNAME = re.compile(r"[a-zA-Z0-9_!#$%&'*+/=?`{|}~^.-]+@[a-zA-Z0-9.-]+")
_PASSWORD = re.compile(r"(?=.*[a-z])(?=.*[A-Z])(?=.*[0-9]).{8,}", re.DOTALL)
_LONGEST = 256
_ARGON2 = "$argon2"

NO_USERNAME = "No user name set for Basic Authentication. Please provide a user name."
BAD_USERNAME = "Invalid username for Basic Authentication. Please provide a valid email address."
NO_PASSWORD = "No password set for Basic Authentication. Please provide a password."  # noqa: S105
BAD_PASSWORD = (
    "Invalid password for Basic Authentication. "  # noqa: S105
    "The password must have 8 chars, one upper, one lower and one number"
)
TOO_LONG = "The length of email or password should not exceed 256 characters."


SETTINGS_KEY = "kestra.server.basic-auth"


class Account(msgspec.Struct, frozen=True):
    """`password` is an argon2 hash, or plain text that never leaves the memory of the process."""

    username: str
    password: str


class InvalidAccountError(OperationError):
    """All broken rules, in the words of 03 §2.4."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__(f"{', '.join(problems)}: Resource fails validation")
        self.problems = problems


class AccountStore(Protocol):
    """Where the account is kept between starts."""

    async def load(self) -> Account | None: ...
    async def save(self, account: Account) -> None: ...


def account_problems(username: str | None, password: str | None) -> tuple[str, ...]:
    problems = []
    if not username:
        problems.append(NO_USERNAME)
    elif not _USERNAME.fullmatch(username):
        problems.append(BAD_USERNAME)
    if not password:
        problems.append(NO_PASSWORD)
    elif not password.startswith(_ARGON2) and not _PASSWORD.fullmatch(password):
        problems.append(BAD_PASSWORD)
    if len(username or "") > _LONGEST or len(password or "") > _LONGEST:
        problems.append(TOO_LONG)
    return tuple(problems)


class AccountKeeper:
    """Checks credentials against the account in force.

    A slow hash is computed at most once for each right pair of name and password; afterwards a keyed digest in
    memory answers, so that a request costs microseconds. `key` is random for each process.
    """

    def __init__(self, account: Account | None, *, key: bytes, store: AccountStore | None) -> None:
        self._account = account
        self._key = key
        self._store = store
        self._proven: bytes | None = None
        self._hashing = asyncio.Lock()

    @property
    def is_initialised(self) -> bool:
        return self._account is not None

    def is_proven(self, username: str, password: str) -> bool:
        """Whether this pair was found right before; constant time."""
        return self._proven is not None and hmac.compare_digest(
            self._proven, self._digest(username, password)
        )

    async def verify(self, username: str, password: str) -> bool:
        if self.is_proven(username, password):
            return True
        account = self._account
        if account is None or len(password) > _LONGEST or len(username) > _LONGEST:
            return False
        right = await self._matches(account, password)
        right &= hmac.compare_digest(account.username.encode(), username.encode())
        if right and account is self._account:
            self._proven = self._digest(username, password)
        return right

    async def replace(self, username: str | None, password: str | None) -> None:
        """Set the account from now on. Raises `InvalidAccountError`."""
        problems = account_problems(username, password)
        if problems or username is None or password is None:
            raise InvalidAccountError(problems)
        async with self._hashing:
            hashed = await asyncio.to_thread(hash_password, password)
        account = Account(username, hashed)
        if self._store is not None:
            await self._store.save(account)
        self._account = account
        self._proven = self._digest(username, password)

    async def _matches(self, account: Account, password: str) -> bool:
        if not account.password.startswith(_ARGON2):
            return hmac.compare_digest(account.password.encode(), password.encode())
        async with self._hashing:
            return await asyncio.to_thread(_verify_hash, account.password, password)

    def _digest(self, username: str, password: str) -> bytes:
        text = f"{len(username)}:{username}{password}".encode()
        return hashlib.blake2b(text, key=self._key, digest_size=32).digest()


def hash_password(password: str) -> str:
    """An argon2id hash; takes tens of milliseconds and 64 MiB, so it belongs in a thread."""
    from argon2 import PasswordHasher

    return PasswordHasher().hash(password)


def _verify_hash(hashed: str, password: str) -> bool:
    from argon2 import PasswordHasher
    from argon2.exceptions import Argon2Error, InvalidHashError

    try:
        return PasswordHasher().verify(hashed, password)
    except (Argon2Error, InvalidHashError):
        return False


class SettingsAccountStore:
    """Keeps the account as a document of the store's settings."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def load(self) -> Account | None:
        data = await self._store.settings.get(SETTINGS_KEY)
        return None if data is None else codec.decode_as(Account, data)

    async def save(self, account: Account) -> None:
        await self._store.settings.put(SETTINGS_KEY, codec.encode(account))
