"""Messages between server and worker, as bytes."""

import pytest

from batuta.expr import EvaluationError, RuntimeFaultError
from batuta.model.instant import Instant
from batuta.model.state import State
from batuta.sdk import PluginError, TaskError
from batuta.server.protocol import (
    Answer,
    Ask,
    Fault,
    FrameReader,
    JobFinished,
    KillJob,
    LogLine,
    LogLines,
    Ping,
    ProtocolError,
    Ready,
    Shutdown,
    frame,
    read_by_server,
    read_by_worker,
)
from batuta.server.worker.gateway import error_of, fault_of

TO_SERVER = [
    Ready(pid=7),
    LogLines(job_id="j", lines=(LogLine(at=Instant(1), level="INFO", message="hä\n"),)),
    Ask(id=1, job_id="j", operation="kv.get", arguments={"key": "k"}),
    JobFinished(
        job_id="j",
        worker_id="w",
        state=State.WARNING,
        started=Instant(1),
        ended=Instant(2),
        outputs={"a": {"b": [1, 2.5, None, True]}},
    ),
]
TO_WORKER = [
    KillJob(job_id="j"),
    Answer(id=1, value=[1]),
    Answer(id=2, fault=Fault(kind="KeyError", message="k")),
    Ping(),
    Shutdown(grace=5),
]


@pytest.mark.parametrize("size", [1, 3, 1_000_000])
def test_messages_survive_any_cutting_of_the_stream(size: int) -> None:
    stream = b"".join(frame(message) for message in TO_SERVER)
    reader = FrameReader()
    bodies = [
        body
        for start in range(0, len(stream), size)
        for body in reader.feed(stream[start : start + size])
    ]
    assert [read_by_server(body) for body in bodies] == TO_SERVER


def test_the_worker_reads_its_own_messages_only() -> None:
    reader = FrameReader()
    bodies = list(reader.feed(b"".join(frame(message) for message in TO_WORKER)))
    assert [read_by_worker(body) for body in bodies] == TO_WORKER
    (body,) = FrameReader().feed(frame(TO_SERVER[0]))
    with pytest.raises(ProtocolError, match="not a message to a worker"):
        read_by_worker(body)


def test_an_impossible_length_is_refused() -> None:
    with pytest.raises(ProtocolError, match="a frame of 4294967295 bytes"):
        list(FrameReader().feed(b"\xff\xff\xff\xff"))


def test_what_is_no_json_is_refused() -> None:
    with pytest.raises(ProtocolError, match="not a message to a server"):
        read_by_server(b"{")


@pytest.mark.parametrize(
    ("error", "kind", "text"),
    [
        (KeyError("k"), KeyError, "'k'"),
        (FileNotFoundError("none"), FileNotFoundError, "none"),
        (PermissionError("no"), PermissionError, "no"),
        (ValueError("bad"), ValueError, "bad"),
        (UnicodeDecodeError("utf-8", b"x", 0, 1, "why"), ValueError, "why"),
        (TaskError("t"), TaskError, "t"),
        (RuntimeError("strange"), PluginError, "strange"),
        (ZeroDivisionError(), PluginError, "ZeroDivisionError"),
    ],
)
def test_an_error_keeps_its_kind_on_the_way(
    error: Exception, kind: type[Exception], text: str
) -> None:
    arrived = error_of(fault_of(error))
    assert type(arrived) is kind
    assert text in str(arrived)


@pytest.mark.parametrize("kind", [EvaluationError, RuntimeFaultError])
def test_an_error_of_a_template_keeps_its_detail_without_the_place(
    kind: type[EvaluationError],
) -> None:
    arrived = error_of(fault_of(kind("Cannot find it")))
    assert type(arrived) is kind
    assert arrived.detail == "Cannot find it"
