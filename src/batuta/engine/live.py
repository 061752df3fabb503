"""The task runs that have not ended, as a mapping of which a changed copy is cheap however many there are."""

from collections.abc import Iterator, Mapping
from typing import Any

from typing_extensions import override

from batuta.engine.execution import TaskRun
from batuta.model.ids import TaskRunId

_OVERLAY = 48
"""Changes kept apart before they are merged into the shared part."""


class LiveRuns(Mapping[TaskRunId, TaskRun]):
    """`base` is shared by all copies; `changes` (None for a run that is gone) is small.

    Only the turn that made a `draft` changes it; once it is `settled` nobody does.
    """

    __slots__ = ("_base", "_changes", "_size")

    def __init__(
        self,
        base: Mapping[TaskRunId, TaskRun],
        changes: dict[TaskRunId, TaskRun | None],
        size: int,
    ) -> None:
        self._base = base
        self._changes = changes
        self._size = size

    @override
    def __getitem__(self, run_id: TaskRunId) -> TaskRun:
        run = self._changes.get(run_id)
        if run is not None:
            return run
        if run_id in self._changes:
            raise KeyError(run_id)
        return self._base[run_id]

    @override
    def get(self, run_id: TaskRunId, default: Any = None) -> Any:
        """As of any mapping, without the cost of an exception."""
        run = self._changes.get(run_id)
        if run is None and run_id not in self._changes:
            run = self._base.get(run_id)
        return default if run is None else run

    @override
    def __contains__(self, run_id: object) -> bool:
        if run_id in self._changes:
            return self._changes[run_id] is not None  # type: ignore[index]
        return run_id in self._base

    @override
    def __iter__(self) -> Iterator[TaskRunId]:
        for run_id in self._base:
            if run_id not in self._changes:
                yield run_id
        for run_id, run in self._changes.items():
            if run is not None:
                yield run_id

    @override
    def __len__(self) -> int:
        return self._size

    def draft(self) -> "LiveRuns":
        return LiveRuns(self._base, dict(self._changes), self._size)

    def put(self, run_id: TaskRunId, run: TaskRun | None) -> None:
        """Only for a draft: this run is new or changed, or gone."""
        self._size += (run is not None) - (run_id in self)
        self._changes[run_id] = run

    def settled(self) -> "LiveRuns":
        """The draft as it stays. Now and then what was kept apart becomes part of the base."""
        if len(self._changes) <= _OVERLAY:
            return self
        base = dict(self._base)
        for run_id, run in self._changes.items():
            if run is not None:
                base[run_id] = run
            else:
                base.pop(run_id, None)
        return LiveRuns(base, {}, len(base))


def live_runs(runs: Mapping[TaskRunId, TaskRun]) -> LiveRuns:
    return runs if isinstance(runs, LiveRuns) else LiveRuns(runs, {}, len(runs))
