"""01 §11.13, 151: what cannot be read, as after an upgrade, is named in the log and hinders nobody."""

import asyncio
import dataclasses
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from structlog.testing import capture_logs

from batuta.engine.events import Created
from batuta.model import codec
from batuta.model.ids import ExecutionId
from batuta.model.state import State
from batuta.operations import flows, start
from batuta.operations.caller import SYSTEM
from batuta.operations.executions import is_over
from batuta.operations.feed import Feed
from batuta.operations.plans import PlanCache
from batuta.operations.services import Services
from batuta.server.roles import RoleOptions, make_roles
from batuta.store.record import partition, read_event
from batuta.store.sqlite import SqliteStore
from tests.unit.server.installation import Installation

FLOW = """
id: f
namespace: company.team
tasks: [{id: t, type: io.kestra.plugin.core.flow.Sleep, duration: PT0.01S}]
"""
OF_TOMORROW = b'{"type":"OfTomorrow","at":1}'


@asynccontextmanager
async def services(folder: Path) -> AsyncIterator[Services]:
    store = await SqliteStore.open(folder / "batuta.db")
    plain = Installation(folder).services
    plans = PlanCache(store, plain.registry, settings=plain.settings, clock=plain.clock)
    yield dataclasses.replace(plain, store=store, plans=plans, feed=Feed(store))
    await store.close()


def write(folder: Path, sql: str, *values: object) -> None:
    with sqlite3.connect(folder / "batuta.db") as connection:
        connection.execute(sql, values)
    connection.close()


async def ended(services: Services, execution_id: ExecutionId, folder: Path) -> State:
    roles = make_roles(
        services, RoleOptions(owner="one", tmp_dir=folder / "t", cache_dir=folder / "c")
    )
    running = asyncio.create_task(roles.run())
    try:
        async with asyncio.timeout(10):
            while True:
                row = await services.store.executions.get(execution_id)
                assert row is not None
                if is_over(row.execution):
                    return row.execution.state
                assert not running.done(), running.exception()
                await asyncio.sleep(0.01)
    finally:
        running.cancel()
        await asyncio.wait((running,))


def test_an_event_of_another_version_is_no_event() -> None:
    assert read_event(OF_TOMORROW) is None
    assert read_event(b"\x00") is None
    assert read_event(codec.encode(Created(at=1))) == Created(at=1)  # type: ignore[arg-type]


async def test_151_a_message_that_cannot_be_read_is_logged_and_dropped(tmp_path: Path) -> None:
    async with services(tmp_path) as found:
        key = (await flows.upsert(SYSTEM, found, FLOW)).key
        execution = await start.start(SYSTEM, found, key, wanted=start.Wanted())
        values = (10**15, partition(execution.id), execution.id, OF_TOMORROW)
        write(tmp_path, "INSERT INTO inbox VALUES (?, ?, ?, ?)", *values)
        with capture_logs() as logs:
            assert await ended(found, execution.id, tmp_path) is State.SUCCESS
        told = [entry for entry in logs if entry["event"] == "event.unreadable"]
        assert [entry["execution"] for entry in told] == [execution.id]
        assert await found.store.queues.inbox(range(64)) == []


async def test_151_a_job_that_cannot_be_read_fails_its_task(tmp_path: Path) -> None:
    async with services(tmp_path) as found:
        key = (await flows.upsert(SYSTEM, found, FLOW.replace("PT0.01S", "PT20S"))).key
        execution = await start.start(SYSTEM, found, key, wanted=start.Wanted())
        roles = make_roles(
            found, RoleOptions(owner="one", tmp_dir=tmp_path / "t", cache_dir=tmp_path / "c")
        )
        running = asyncio.create_task(roles.run())
        async with asyncio.timeout(10):
            while not await found.store.queues.jobs():
                await asyncio.sleep(0.01)
        running.cancel()
        await asyncio.wait((running,))
        write(tmp_path, "UPDATE job SET payload = ?", b"nonsense")
        # A task of the server itself did not begin under the new owner: its job is taken up again.
        assert await ended(found, execution.id, tmp_path) is State.FAILED


async def test_151_an_execution_that_cannot_be_read_hinders_no_other(tmp_path: Path) -> None:
    async with services(tmp_path) as found:
        key = (await flows.upsert(SYSTEM, found, FLOW)).key
        strange, plain = [
            await start.start(SYSTEM, found, key, wanted=start.Wanted()) for _ in range(2)
        ]
        memory = b'{"branch":"of tomorrow"}'
        write(tmp_path, "UPDATE execution SET progress = ? WHERE id = ?", memory, strange.id)
        with capture_logs() as logs:
            assert await ended(found, plain.id, tmp_path) is State.SUCCESS
        told = {entry["execution"] for entry in logs if entry["event"] == "execution.unreadable"}
        assert told == {strange.id}
