"""Who may run under a flow's concurrency limit, and who waits (01 §7.1). Pure, over a book that a store keeps."""

from collections.abc import Iterator
from typing import Protocol

from batuta.engine.events import SlotDenied, SlotGranted
from batuta.model.ids import ExecutionId, FlowKey
from batuta.model.instant import Instant
from batuta.store.rows import Mail, SlotRelease, SlotRequest

QUEUE = "QUEUE"


class SlotBook(Protocol):
    """The count of a flow and its queue, inside a transaction."""

    def running(self, flow: FlowKey) -> int: ...
    def set_running(self, flow: FlowKey, running: int) -> None: ...
    def first(self, flow: FlowKey) -> ExecutionId | None: ...
    def enqueue(self, flow: FlowKey, execution_id: ExecutionId) -> None:
        """At the end; an execution that waits already keeps its place."""

    def dequeue(self, execution_id: ExecutionId) -> None: ...


def settle(book: SlotBook, operation: SlotRequest | SlotRelease) -> list[Mail]:
    """Apply the operation; the events that follow from it."""
    if isinstance(operation, SlotRequest):
        return list(_request(book, operation))
    return list(_release(book, operation))


def _request(book: SlotBook, request: SlotRequest) -> Iterator[Mail]:
    flow, limit = request.flow, request.limit
    # The limit may have been raised since the queue was formed: those who waited come first.
    yield from _admit(book, flow, limit=limit, at=request.at)
    running = book.running(flow)
    if request.force or running < limit:
        book.dequeue(request.execution_id)
        book.set_running(flow, running + 1)
        yield Mail(request.execution_id, SlotGranted(at=request.at))
        return
    if request.behavior == QUEUE:
        book.enqueue(flow, request.execution_id)
    denied = SlotDenied(at=request.at, running=running, limit=limit, behavior=request.behavior)
    yield Mail(request.execution_id, denied)


def _release(book: SlotBook, release: SlotRelease) -> Iterator[Mail]:
    if release.held:
        book.set_running(release.flow, max(0, book.running(release.flow) - 1))
    else:
        book.dequeue(release.execution_id)
    yield from _admit(book, release.flow, limit=release.limit, at=release.at)


def _admit(book: SlotBook, flow: FlowKey, *, limit: int | None, at: Instant) -> Iterator[Mail]:
    running = book.running(flow)
    while (limit is None or running < limit) and (waiting := book.first(flow)) is not None:
        running += 1
        book.dequeue(waiting)
        book.set_running(flow, running)
        yield Mail(waiting, SlotGranted(at=at))
