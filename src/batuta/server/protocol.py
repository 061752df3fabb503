"""What a server and its workers say to each other: frozen messages, framed as length and JSON.

Server to worker: `Setup` once, then `Job`, `KillJob`, `Answer`, `Ping`, `Shutdown`. Worker to server: `Ready` once, then
`JobStarted`, `LogLines`, `MetricLines`, `Ask`, `JobFinished`, `Pong`. Messages of one job keep their order, so all that a
job logged is there before its `JobFinished`. The transport is a stream of bytes: a socket pair today, TCP for workers
on other machines.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from batuta.engine.events import ChildRun
from batuta.model import codec
from batuta.model.instant import Instant, Micros
from batuta.model.state import State
from batuta.sdk.context import RunInfo

MAX_FRAME_BYTES = 1 << 30
"""A longer frame can only be a fault of the peer."""
_PREFIX_BYTES = 4


class ProtocolError(Exception):
    """The peer sent something that is no message."""


class Message(msgspec.Struct, frozen=True, kw_only=True, tag=True, omit_defaults=True):
    pass


class StorageAccess(msgspec.Struct, frozen=True, kw_only=True):
    """How a worker reaches internal storage."""

    kind: str = "local"
    base_path: str = ""
    """Folder of local storage, above the tenants."""


class Setup(Message, frozen=True, kw_only=True):
    """What is the same for all jobs of a worker."""

    worker_id: str
    storage: StorageAccess
    tmp_dir: str
    """Below it the working directories are made."""
    cache_dir: str
    """Downloads and environments that outlive a task run."""
    settings: Mapping[str, Any] = {}
    """Configuration that plugins may read, by dotted name."""
    allowed_paths: tuple[str, ...] = ()
    """Folders below which `file://` may be read."""
    zone: str = "Etc/UTC"
    locale: str = "en_US"
    recursive_rendering: bool = False
    url: str | None = None


class ChildSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A task inside a WorkingDirectory (01 §6.10). Properties are unrendered."""

    task_id: str
    type: str
    spec: Mapping[str, Any]
    run_if: Any = None
    timeout: Any = None
    allow_failure: bool = False
    allow_warning: bool = False
    retries: bool = False
    """Whether the engine may retry it: then its failure stays one, whatever `allow_failure` says."""
    log_level: str | None = None


class Job(Message, frozen=True, kw_only=True):
    """Everything one attempt needs. `id` is the idempotency key of the attempt."""

    info: RunInfo
    spec: Mapping[str, Any]
    """The task's properties as the author wrote them, plugin defaults merged."""
    variables: Mapping[str, Any]
    """What templates see (02 §3), as plain data, with those outputs only that the task reads."""
    timeout: Micros | None = None
    log_level: str | None = None
    secrets: tuple[str, ...] = ()
    """Texts that are masked in logs from the start."""
    lazy_variables: bool = True
    """Templates inside `vars` are rendered when they are read (02 §3)."""
    path: tuple[str, ...] = ()
    """Loop values around the task run and its own: where outputs stand below `outputs.<task>`."""
    children: tuple[ChildSpec, ...] | None = None
    """The tasks of a WorkingDirectory; None for any other task."""

    @property
    def id(self) -> str:
        return self.info.key


class JobStarted(Message, frozen=True, kw_only=True):
    """The attempt is RUNNING."""

    job_id: str
    worker_id: str
    at: Instant


class LogLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One entry of a task's log, masked, at most 10,240 characters (01 §9.2)."""

    at: Instant
    level: str
    message: str
    task_id: str | None = None
    """With `task_run_id`: the child of a WorkingDirectory that wrote it, when it is not the job's own task run."""
    task_run_id: str | None = None
    thread: str | None = None


class LogLines(Message, frozen=True, kw_only=True):
    job_id: str
    lines: tuple[LogLine, ...]


class MetricLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """05 §7. `kind` is counter, timer or gauge; timers in seconds. One line for each name and tags of an attempt."""

    at: Instant
    kind: str
    name: str
    value: float
    tags: Mapping[str, str] = {}
    task_id: str | None = None
    task_run_id: str | None = None


class MetricLines(Message, frozen=True, kw_only=True):
    """Sent once, when the attempt ends (01 §9.3)."""

    job_id: str
    lines: tuple[MetricLine, ...]


class JobFinished(Message, frozen=True, kw_only=True):
    """The result of an attempt, in the words of `engine.events.TaskFinished`."""

    job_id: str
    worker_id: str
    state: State
    started: Instant
    ended: Instant
    outputs: Mapping[str, Any] | None = None
    labels: Mapping[str, str] | None = None
    variables: Mapping[str, Any] | None = None
    exit_state: State | None = None
    children: tuple[ChildRun, ...] = ()
    log_file: str | None = None
    error: str | None = None
    """Why it failed; the log has it too."""


class KillJob(Message, frozen=True, kw_only=True):
    """Stop the attempt; it answers with `JobFinished(KILLED)`, unless it ends by itself first."""

    job_id: str


class Ask(Message, frozen=True, kw_only=True):
    """A request to the server on behalf of a job, see `server.worker.gateway` for the operations."""

    id: int
    job_id: str
    operation: str
    arguments: Mapping[str, Any] = {}


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """A refusal. `kind` names the class of error that the asking side raises."""

    kind: str
    message: str


class Answer(Message, frozen=True, kw_only=True):
    id: int
    value: Any = None
    fault: Fault | None = None


class Ready(Message, frozen=True, kw_only=True):
    """The worker process takes jobs."""

    pid: int


class Ping(Message, frozen=True, kw_only=True):
    pass


class Pong(Message, frozen=True, kw_only=True):
    pass


class Shutdown(Message, frozen=True, kw_only=True):
    """Take no more jobs and exit when the running ones ended; after `grace` kill them."""

    grace: Micros = 0


ToWorker = Setup | Job | KillJob | Answer | Ping | Shutdown
ToServer = Ready | JobStarted | LogLines | MetricLines | JobFinished | Ask | Pong

_to_worker = msgspec.json.Decoder(ToWorker)
_to_server = msgspec.json.Decoder(ToServer)


def frame(message: ToWorker | ToServer) -> bytes:
    """The bytes of one message. Raises `TypeError` for outputs that JSON cannot hold."""
    body = codec.encode(message)
    return len(body).to_bytes(_PREFIX_BYTES, "big") + body


class FrameReader:
    """Cuts a stream of bytes into frames."""

    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The frames that are complete now. Raises `ProtocolError` for an impossible length."""
        buffer = self._buffer
        buffer += data
        start = 0
        while len(buffer) - start >= _PREFIX_BYTES:
            length = int.from_bytes(buffer[start : start + _PREFIX_BYTES], "big")
            if length > MAX_FRAME_BYTES:
                raise ProtocolError(f"a frame of {length} bytes was announced")
            end = start + _PREFIX_BYTES + length
            if len(buffer) < end:
                break
            yield bytes(buffer[start + _PREFIX_BYTES : end])
            start = end
        if start:
            del buffer[:start]


def read_by_worker(body: bytes) -> ToWorker:
    """Raises `ProtocolError`."""
    try:
        message: ToWorker = _to_worker.decode(body)
    except msgspec.MsgspecError as error:
        raise ProtocolError(f"not a message to a worker: {error}") from error
    return message


def read_by_server(body: bytes) -> ToServer:
    """Raises `ProtocolError`."""
    try:
        message: ToServer = _to_server.decode(body)
    except msgspec.MsgspecError as error:
        raise ProtocolError(f"not a message to a server: {error}") from error
    return message
