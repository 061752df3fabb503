"""What the language asks of its surroundings: time, randomness, and look-ups that honour access rules.

The roles supply a `Host`; `NullHost` refuses every look-up and is deterministic, which tests build on.
An implementation reports a refusal by raising `EvaluationError` (the author's mistake, such as an unknown
key) or `RuntimeFaultError` (what the original leaves unwrapped, such as a path that is not allowed).
"""

from collections.abc import Mapping
from typing import Protocol

import msgspec

from batuta.expr.errors import EvaluationError
from batuta.expr.limits import DEFAULT_LIMITS, Limits
from batuta.expr.temporal import UTC, Instant, Zone
from batuta.expr.values import Value


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Configuration that shapes rendering."""

    zone: Zone = UTC
    """The server's time zone: of dates without one, and of what is printed."""
    locale: str = "en_US"
    recursive_rendering: bool = False
    """`kestra.variables.recursive-rendering`: every rendering repeats until stable (02 §2.4)."""
    limits: Limits = DEFAULT_LIMITS
    url: str | None = None
    """Where the user interface is reached; `appLink()` starts with it."""


class HttpRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A call of `http()`; `options` is the configuration map of the HTTP client, as written."""

    uri: str
    method: str = "GET"
    query: Mapping[str, Value] = {}
    body: Value = None
    content_type: str = "application/json"
    headers: Mapping[str, Value] = {}
    options: Mapping[str, Value] = {}
    accept: str = "application/json"


class Host(Protocol):
    @property
    def settings(self) -> Settings: ...

    def now(self) -> Instant: ...

    def random_bytes(self, count: int) -> bytes:
        """Cryptographically strong where a person sees the result."""

    def random_port(self) -> int:
        """A TCP port that is free right now."""

    def secret(self, key: str, *, namespace: str | None) -> str:
        """Registers the value for masking. Unknown: error `Cannot find secret for key 'K'.`"""

    def kv(self, key: str, *, namespace: str | None, error_on_missing: bool) -> Value:
        """`namespace=None`: the flow's namespace, then its parents (02 §5)."""

    def read(self, path: str, *, namespace: str | None) -> str:
        """UTF-8 text of a `kestra:///`, `file:///`, `nsfile://` URI or a namespace file path."""

    def file_exists(self, path: str, *, namespace: str | None) -> bool: ...

    def file_size(self, path: str, *, namespace: str | None) -> int: ...

    def http(self, request: HttpRequest) -> Value:
        """The decoded body."""

    def error_logs(self) -> list[Value]:
        """ERROR entries of the execution; only workers can tell."""

    def parse_yaml(self, text: str) -> Value:
        """Plain data of one YAML 1.1 document. Raises `ValueError` for bad or empty text."""


class NullHost:
    """No look-up succeeds. `now` and random bytes are given or fixed, so results repeat."""

    def __init__(
        self,
        *,
        settings: Settings | None = None,
        now: Instant | None = None,
        seed: int = 0,
    ) -> None:
        self._settings = settings or Settings()
        self._now = now or Instant(0)
        self._state = seed

    @property
    def settings(self) -> Settings:
        return self._settings

    def now(self) -> Instant:
        return self._now

    def random_bytes(self, count: int) -> bytes:
        """A linear congruential sequence: repeatable, never for production."""
        result = bytearray()
        for _ in range(count):
            self._state = (self._state * 6364136223846793005 + 1442695040888963407) % 2**64
            result.append(self._state >> 56)
        return bytes(result)

    def random_port(self) -> int:
        return 49_152 + int.from_bytes(self.random_bytes(2), "big") % 16_384

    def secret(self, key: str, *, namespace: str | None) -> str:
        raise EvaluationError(f"Cannot find secret for key '{key}'.")

    def kv(self, key: str, *, namespace: str | None, error_on_missing: bool) -> Value:
        if error_on_missing:
            raise EvaluationError(
                f"The key '{key}' does not exist in the namespace '{namespace or ''}'."
            )
        return None

    def read(self, path: str, *, namespace: str | None) -> str:
        raise EvaluationError(f"Cannot read the file `{path}`: there are no files here.")

    def file_exists(self, path: str, *, namespace: str | None) -> bool:
        return False

    def file_size(self, path: str, *, namespace: str | None) -> int:
        raise EvaluationError(f"Cannot read the file `{path}`: there are no files here.")

    def http(self, request: HttpRequest) -> Value:
        raise EvaluationError("Failed to execute HTTP request: there is no network here.")

    def error_logs(self) -> list[Value]:
        raise EvaluationError(
            "The 'errorLogs' function can only be used in the Worker as it access logs from the database."
        )

    def parse_yaml(self, text: str) -> Value:
        raise ValueError("there is no YAML reader here")


NULL_HOST = NullHost()
