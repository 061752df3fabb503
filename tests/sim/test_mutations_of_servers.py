"""The checks can fail: servers with a fault are found out by few simulated worlds."""

from collections.abc import Callable
from typing import Any

import pytest

from batuta.engine.commands import AnyCommand, ReleaseSlot
from batuta.engine.turn import Turn
from batuta.server.executor.executor import Executor
from batuta.server.executor.local import Waiting
from batuta.server.executor.turn.timers import Timers
from batuta.server.executor.work import Work
from batuta.store.errors import FencedError
from batuta.store.memory import tables
from batuta.store.memory.queues import MemoryQueues
from batuta.store.memory.tables import Tables
from batuta.testing.simulate.level2.world import World

SEEDS = 200

Patch = pytest.MonkeyPatch


async def _nothing(*_: object, **__: object) -> None:
    """In place of what was to be done."""


def _write_without_a_lease(patch: Patch) -> None:
    check = Tables._check

    def mutated(self: Tables, turn: Any) -> None:
        try:
            check(self, turn)
        except FencedError:
            return

    patch.setattr(Tables, "_check", mutated)


def _never_take_a_row_again(patch: Patch) -> None:
    patch.setattr(Waiting, "forget", lambda *_: None)


def _forget_the_work_of_others(patch: Patch) -> None:
    patch.setattr(Work, "recover", _nothing)


def _forget_timers_of_others(patch: Patch) -> None:
    patch.setattr(Timers, "refresh", _nothing)


def _forget_the_inbox(patch: Patch) -> None:
    patch.setattr(Executor, "_read_inbox", _nothing)


def _keep_the_slot(patch: Patch) -> None:
    emit = Turn.emit

    def mutated(self: Turn, command: AnyCommand) -> None:
        if not isinstance(command, ReleaseSlot):
            emit(self, command)

    patch.setattr(Turn, "emit", mutated)


def _keep_what_could_not_be_written(patch: Patch) -> None:
    async def recover(self: Executor, draft: Any, *, pause: bool) -> None:
        del pause
        self._waiting.forget(draft.rows_taken)

    patch.setattr(Executor, "_recover", recover)


def _fire_twice(patch: Patch) -> None:
    refuse = tables._refuse

    def mutated(table: str, keys: Any, present: Any) -> None:
        if table != "fire":
            refuse(table, keys, present)

    patch.setattr(tables, "_refuse", mutated)


def _leases_for_everybody(patch: Patch) -> None:
    acquire = MemoryQueues.acquire_partitions

    async def mutated(self: MemoryQueues, owner: str, **options: Any) -> Any:
        return await acquire(self, "everybody", **options)

    patch.setattr(MemoryQueues, "acquire_partitions", mutated)


MUTATIONS = (
    _write_without_a_lease,
    _never_take_a_row_again,
    _forget_the_work_of_others,
    _forget_timers_of_others,
    _forget_the_inbox,
    _keep_the_slot,
    _keep_what_could_not_be_written,
    _leases_for_everybody,
    _fire_twice,
)


@pytest.mark.parametrize("mutate", MUTATIONS, ids=lambda mutate: mutate.__name__.strip("_"))
def test_servers_with_a_fault_are_found_out(mutate: Callable[[Patch], None]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        mutate(patch)
        breaches = (World(seed).run() for seed in range(SEEDS))
        found = next((breach for breach in breaches if breach is not None), None)
    assert found is not None, f"nobody noticed in {SEEDS} worlds"
