"""The partitions that an executor owns (09 §1): one at a time, with an epoch that every write carries."""

from collections.abc import Iterable, Mapping

import structlog

from batuta.model.ids import ExecutionId, partition_of
from batuta.model.instant import SECOND
from batuta.operations.services import Services

LEASE = 30 * SECOND

log = structlog.get_logger()


class Leases:
    def __init__(self, services: Services, owner: str) -> None:
        self._services = services
        self._owner = owner
        self.epochs: Mapping[int, int] = {}
        """Replaced, never changed: a turn is fenced with those that it began with."""
        self.gained: set[int] = set()
        """Partitions whose waiting rows have not been taken up yet."""

    def owns(self, execution_id: ExecutionId) -> bool:
        return partition_of(execution_id) in self.epochs

    def doubt(self, executions: Iterable[ExecutionId]) -> None:
        """What waits in their partitions is to be taken up again."""
        self.gained |= {partition_of(id_) for id_ in executions} & self.epochs.keys()

    async def renew(self) -> set[int]:
        """Own what is free, and keep what is owned; the partitions that were lost. Raises `StoreError`."""
        held = await self._services.store.queues.acquire_partitions(
            self._owner, now=self._services.clock.now(), ttl=LEASE
        )
        lost = {part for part, epoch in self.epochs.items() if held.get(part) != epoch}
        if lost:
            log.warning("lease.lost", partitions=len(lost))
        self.gained |= {part for part, epoch in held.items() if self.epochs.get(part) != epoch}
        self.gained &= set(held)
        self.epochs = dict(held)
        return lost

    async def release(self) -> None:
        """Give everything back. Raises `StoreError`."""
        await self._services.store.queues.release_partitions(self._owner)
