"""Two ways to evaluate templates on the executor.

Most templates need only what is in memory, so they are evaluated at once, inside the turn. A template that looks
something up (`secret()`, `kv()`, `read()`, `http()`, outputs that are not in memory) interrupts that evaluation with
`NeedsLookUpError`; the executor then loads what is missing and evaluates again on a thread, outside the turn.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NoReturn

from typing_extensions import override

from batuta.expr.host import HttpRequest, Settings
from batuta.expr.temporal import Instant as Moment
from batuta.model.ids import TaskId
from batuta.model.instant import Instant
from batuta.server.context.outputs import OutputsView
from batuta.server.executor.live import Live


class NeedsLookUpError(BaseException):
    """Not an error of the template: no handler inside the language may swallow it."""


class NeedsOutputsError(BaseException):
    """The outputs of a task (None: of all tasks) have to be read from the store first."""

    def __init__(self, task_id: TaskId | None) -> None:
        super().__init__(task_id)
        self.task_id = task_id


class ImmediateHost:
    """A `batuta.expr.Host` that answers from memory, and interrupts for everything else."""

    __slots__ = ("_entropy", "_now", "_settings")

    def __init__(
        self,
        settings: Settings,
        *,
        now: Callable[[], Instant],
        entropy: Callable[[int], bytes],
    ) -> None:
        self._settings = settings
        self._now = now
        self._entropy = entropy

    @property
    def settings(self) -> Settings:
        return self._settings

    def now(self) -> Moment:
        return Moment.of_micros(self._now())

    def random_bytes(self, count: int) -> bytes:
        return self._entropy(count)

    def random_port(self) -> int:
        raise NeedsLookUpError

    def secret(self, key: str, *, namespace: str | None) -> NoReturn:
        raise NeedsLookUpError

    def kv(self, key: str, *, namespace: str | None, error_on_missing: bool) -> NoReturn:
        raise NeedsLookUpError

    def read(self, path: str, *, namespace: str | None) -> NoReturn:
        raise NeedsLookUpError

    def file_exists(self, path: str, *, namespace: str | None) -> NoReturn:
        raise NeedsLookUpError

    def file_size(self, path: str, *, namespace: str | None) -> NoReturn:
        raise NeedsLookUpError

    def http(self, request: HttpRequest) -> NoReturn:
        raise NeedsLookUpError

    def error_logs(self) -> NoReturn:
        raise NeedsLookUpError

    def parse_yaml(self, text: str) -> NoReturn:
        raise NeedsLookUpError


class GuardedOutputs(Mapping[str, Any]):
    """`outputs`, interrupting where a task's outputs are not in memory."""

    __slots__ = ("_live",)

    def __init__(self, live: Live) -> None:
        self._live = live

    @override
    def __getitem__(self, key: str) -> Any:
        keeper = self._live.keeper(key)
        if not keeper.is_loaded(key):
            raise NeedsOutputsError(TaskId(key))
        return OutputsView(keeper.trees)[key]

    @override
    def __iter__(self) -> Iterator[str]:
        return iter(self._names())

    @override
    def __len__(self) -> int:
        return len(self._names())

    def _names(self) -> list[str]:
        around = self._live.around
        if any(one.loaded is not None for one in around):
            raise NeedsOutputsError(None)
        return [name for one in around for name in OutputsView(one.trees)]
