"""What a running task may use: rendering, log, metrics, files, key-values, cancellation, and nothing more."""

from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import msgspec

from batuta.model.instant import Instant


class RunInfo(msgspec.Struct, frozen=True, kw_only=True):
    """Which attempt of which task run this is. `key` is stable for the attempt: an idempotency key (09 §7)."""

    tenant: str
    namespace: str
    flow_id: str
    flow_revision: int
    execution_id: str
    task_id: str
    task_type: str
    task_run_id: str
    attempt: int
    value: str | None = None
    iteration: int | None = None

    @property
    def key(self) -> str:
        return attempt_key(self.execution_id, self.task_run_id, self.attempt)


def attempt_key(execution_id: str, task_run_id: str, attempt: int) -> str:
    return f"{execution_id}/{task_run_id}/{attempt}"


class TaskLog(Protocol):
    """The task's log. Secrets are masked, levels below the task's `logLevel` dropped."""

    def write(self, level: str, message: str, *, at: Instant | None = None) -> None: ...

    def trace(self, message: str) -> None:
        self.write("TRACE", message)

    def debug(self, message: str) -> None:
        self.write("DEBUG", message)

    def info(self, message: str) -> None:
        self.write("INFO", message)

    def warn(self, message: str) -> None:
        self.write("WARN", message)

    def error(self, message: str) -> None:
        self.write("ERROR", message)

    async def drain(self) -> None:
        """Wait while the log is behind: for tasks that pass on what somebody else writes."""
        ...


class Metrics(Protocol):
    """05 §7. Timers are in seconds."""

    def counter(
        self, name: str, value: float = 1, tags: Mapping[str, str] | None = None
    ) -> None: ...
    def timer(self, name: str, seconds: float, tags: Mapping[str, str] | None = None) -> None: ...
    def gauge(self, name: str, value: float, tags: Mapping[str, str] | None = None) -> None: ...


class Files(Protocol):
    """Files of internal storage, namespace files and allowed local files, by URI (05 §3)."""

    def open(self, uri: str) -> AsyncIterator[bytes]:
        """The content in chunks. Raises `FileNotFoundError`, `ValueError` for a bad URI, `PermissionError`."""
        ...

    async def read(self, uri: str) -> bytes: ...

    async def fetch(self, uri: str, target: Path) -> Path:
        """Copy to a local file and return it."""
        ...

    def local_path(self, uri: str) -> Path | None:
        """A path that can be read directly, where storage is on this machine."""
        ...

    async def put(
        self,
        source: Path | bytes | AsyncIterator[bytes],
        *,
        name: str | None = None,
        suffix: str = "",
    ) -> str:
        """Store as a file of this task run and return its `kestra:///` URI. A name is made when none is given."""
        ...

    async def exists(self, uri: str) -> bool: ...
    async def size(self, uri: str) -> int: ...

    async def delete(self, uri: str) -> bool: ...

    async def delete_execution_files(self) -> list[str]:
        """Remove everything below the current execution's folder; the URIs that are gone."""
        ...


class NamespaceFiles(Protocol):
    """05 §6.5, §12. Paths are relative, without a leading slash."""

    async def list(self, namespace: str) -> list[str]: ...
    async def read(self, namespace: str, path: str) -> bytes: ...
    async def write(self, namespace: str, path: str, content: bytes) -> str: ...
    async def delete(self, namespace: str, path: str) -> bool: ...


class KeyValue(msgspec.Struct, frozen=True, kw_only=True):
    key: str
    value: Any
    """Plain data; durations and date-times as their ISO text together with `kind`."""
    kind: str = "STRING"
    description: str | None = None
    expires: Instant | None = None


class KeyValues(Protocol):
    """05 §11. Raises `PermissionError` for a namespace that is not allowed."""

    async def get(self, namespace: str, key: str) -> KeyValue | None:
        """Raises `PluginError` when the value has expired since it was last asked for."""
        ...

    async def set(self, namespace: str, entry: KeyValue, *, overwrite: bool = True) -> None:
        """Raises `KeyError` when the key exists and `overwrite` is false."""
        ...

    async def delete(self, namespace: str, key: str) -> bool: ...
    async def keys(self, namespace: str) -> list[str]: ...


class RunContext(Protocol):
    """Handed to `Task.run`."""

    @property
    def info(self) -> RunInfo: ...
    @property
    def log(self) -> TaskLog: ...
    @property
    def metrics(self) -> Metrics: ...
    @property
    def files(self) -> Files: ...
    @property
    def namespace_files(self) -> NamespaceFiles: ...
    @property
    def kv(self) -> KeyValues: ...

    @property
    def workdir(self) -> Path:
        """The private directory of this task run, made on first use and removed afterwards (05 §6.1)."""
        ...

    @property
    def cache_dir(self) -> Path:
        """A directory of this worker that outlives the task run, for downloads and environments."""
        ...

    @property
    def variables(self) -> Mapping[str, Any]:
        """The variables that templates see (02 §3)."""
        ...

    def render(self, template: Any, extra: Mapping[str, Any] | None = None) -> Any:
        """Render a text, or the texts inside maps and lists; `extra` variables are merged over the context."""
        ...

    def render_typed(self, template: str, extra: Mapping[str, Any] | None = None) -> Any:
        """Render one text and keep the type of a single expression (02 §2.3)."""
        ...

    def setting(self, name: str, default: Any = None) -> Any:
        """A value of the server's configuration that plugins may read, by its dotted name."""
        ...

    def mask(self, secret: str) -> None:
        """Replace this text by `******` in all that the task logs from now on."""
        ...

    def now(self) -> Instant: ...

    def token(self) -> str:
        """A new random identifier."""
        ...

    def on_kill(self, action: Callable[[], None]) -> None:
        """Call `action` when the attempt is killed or times out, before `run` is cancelled."""
        ...

    async def ask(self, operation: str, arguments: Mapping[str, Any]) -> Any:
        """Call one of the server's operations on behalf of the execution (Resume, Count, log look-ups, …)."""
        ...
