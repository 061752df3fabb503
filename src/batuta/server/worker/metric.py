"""Metrics of one attempt, added up by name and tags (05 §7)."""

from collections.abc import Callable, Mapping

from batuta.model.instant import Instant
from batuta.server.protocol import MetricLine

_Key = tuple[str, str, tuple[tuple[str, str], ...]]


class AttemptMetrics:
    """`sdk.context.Metrics`: counters and timers add up, gauges replace."""

    def __init__(
        self,
        *,
        now: Callable[[], Instant],
        task_id: str | None = None,
        task_run_id: str | None = None,
    ) -> None:
        self._now = now
        self._task_id = task_id
        self._task_run_id = task_run_id
        self._values: dict[_Key, tuple[Instant, float]] = {}

    def counter(self, name: str, value: float = 1, tags: Mapping[str, str] | None = None) -> None:
        self._add("counter", name, value=value, tags=tags)

    def timer(self, name: str, seconds: float, tags: Mapping[str, str] | None = None) -> None:
        self._add("timer", name, value=seconds, tags=tags)

    def gauge(self, name: str, value: float, tags: Mapping[str, str] | None = None) -> None:
        self._values[_key("gauge", name, tags)] = (self._now(), float(value))

    def lines(self) -> list[MetricLine]:
        return [
            MetricLine(
                at=at,
                kind=kind,
                name=name,
                value=value,
                tags=dict(tags),
                task_id=self._task_id,
                task_run_id=self._task_run_id,
            )
            for (kind, name, tags), (at, value) in self._values.items()
        ]

    def _add(self, kind: str, name: str, *, value: float, tags: Mapping[str, str] | None) -> None:
        key = _key(kind, name, tags)
        before = self._values.get(key)
        self._values[key] = (self._now(), float(value) + (before[1] if before else 0.0))


def _key(kind: str, name: str, tags: Mapping[str, str] | None) -> _Key:
    return kind, name, tuple(sorted((key, str(value)) for key, value in (tags or {}).items()))
