"""States of triggers and fire times."""

from batuta.model.ids import ExecutionId
from batuta.model.instant import Instant
from batuta.model.state import State
from batuta.store.contract import Store
from batuta.store.errors import ConflictError
from batuta.store.query import Filter, Op, Query, Sort
from batuta.store.rows import Fire, TriggerKey, TriggerRow, Turn
from batuta.testing.suites.expect import equal, raises
from batuta.testing.suites.samples import FLOW, OTHER_FLOW

DAILY, HOURLY, FOREIGN = (
    TriggerKey(FLOW, "daily"),
    TriggerKey(FLOW, "hourly"),
    TriggerKey(OTHER_FLOW, "daily"),
)


async def a_trigger_is_read_as_it_was_written(store: Store) -> None:
    full = TriggerRow(
        key=DAILY,
        date=Instant(10),
        next_date=Instant(20),
        disabled=True,
        execution_id=ExecutionId("e"),
        evaluate_running=Instant(11),
        worker_id="w",
        backfill={"start": 5, "inputs": {"x": [1]}},
        stop_after=(State.FAILED, State.KILLED),
        memory={"seen": 3},
        updated=Instant(12),
    )
    bare = TriggerRow(key=HOURLY)
    await store.commit(Turn(triggers=[full, bare]))
    equal(await store.triggers.get(DAILY), full)
    equal(await store.triggers.get(HOURLY), bare)
    equal(await store.triggers.get(FOREIGN), None)
    equal(await store.triggers.of_flow(FLOW), [full, bare])
    then = TriggerRow(key=DAILY, date=Instant(20))
    await store.commit(Turn(triggers=[then]))
    equal(await store.triggers.get(DAILY), then)


async def due_triggers_come_earliest_first(store: Store) -> None:
    rows = [
        TriggerRow(key=DAILY, next_date=Instant(30)),
        TriggerRow(key=HOURLY, next_date=Instant(10)),
        TriggerRow(key=FOREIGN, next_date=Instant(5), disabled=True),
        TriggerRow(key=TriggerKey(OTHER_FLOW, "polled")),
    ]
    equal(await store.triggers.next_date(), None)
    await store.commit(Turn(triggers=rows))
    equal(await store.triggers.due(until=Instant(9)), [])
    equal(await store.triggers.due(until=Instant(30)), [rows[1], rows[0]])
    equal(await store.triggers.due(until=Instant(30), limit=1), [rows[1]])
    equal(await store.triggers.next_date(), 10)


async def triggers_are_searched(store: Store) -> None:
    rows = [
        TriggerRow(key=DAILY, next_date=Instant(30), worker_id="w"),
        TriggerRow(key=HOURLY, next_date=Instant(10), disabled=True),
        TriggerRow(key=FOREIGN),
    ]
    await store.commit(Turn(triggers=rows))

    async def keys(*filters: Filter, sort: tuple[Sort, ...] = ()) -> list[TriggerKey]:
        page = await store.triggers.search(Query(filters=filters, sort=sort))
        return [row.key for row in page.rows]

    equal(await keys(), [FOREIGN, DAILY, HOURLY])
    equal(await keys(Filter("q", Op.EQUALS, "HOUR")), [HOURLY])
    equal(await keys(Filter("trigger_id", Op.EQUALS, "daily")), [FOREIGN, DAILY])
    equal(await keys(Filter("worker_id", Op.NOT_EQUALS, "w")), [FOREIGN, HOURLY])
    equal(await keys(Filter("next_date", Op.GREATER_THAN, 10)), [DAILY])
    equal(await keys(Filter("disabled", Op.EQUALS, value=False)), [FOREIGN, DAILY])
    equal(await keys(sort=(Sort("next_date", descending=True),)), [DAILY, HOURLY, FOREIGN])


async def fire_times_stay_until_they_are_purged(store: Store) -> None:
    fire = Fire(key=DAILY, time=Instant(60))
    row = TriggerRow(key=DAILY)
    await store.commit(Turn(fires=[fire], triggers=[row]))
    await raises(ConflictError, store.commit(Turn(fires=[fire])))
    await store.triggers.delete([DAILY, FOREIGN])
    equal(await store.triggers.get(DAILY), None)
    await raises(ConflictError, store.commit(Turn(fires=[fire])))
    await store.commit(Turn(fires=[Fire(key=HOURLY, time=Instant(70))]))
    equal(await store.triggers.purge_fires(before=Instant(70)), 1)
    await store.commit(Turn(fires=[fire]))
    await raises(ConflictError, store.commit(Turn(fires=[Fire(key=HOURLY, time=Instant(70))])))
