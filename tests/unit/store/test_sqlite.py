"""What is particular to the SQLite store: the file, its errors, the thread that writes."""

import asyncio
import os
import sqlite3
import subprocess
import sys

import pytest

from batuta.model.ids import ExecutionId
from batuta.model.instant import Instant
from batuta.store import migration
from batuta.store.errors import ConflictError, StoreUnavailableError
from batuta.store.query import Query
from batuta.store.rows import Turn
from batuta.store.sqlite import SqliteStore
from batuta.testing.suites.samples import execution, log, starts


async def test_a_file_is_made_with_its_folders_and_opened_again(tmp_path):
    path = tmp_path / "new" / "folder" / "batuta.db"
    store = await SqliteStore.open(path)
    await store.commit(starts(execution("a")))
    await store.close()
    store = await SqliteStore.open(path)
    assert (await store.executions.search(Query())).total == 1
    await store.close()


async def test_two_programs_can_open_a_new_file_at_the_same_time(tmp_path):
    path = tmp_path / "batuta.db"
    first, second = await asyncio.gather(SqliteStore.open(path), SqliteStore.open(path))
    await asyncio.gather(
        *(
            store.commit(starts(execution(f"{name}{number}")))
            for name, store in (("a", first), ("b", second))
            for number in range(20)
        )
    )
    rows = await first.queues.inbox(range(64))
    assert len({row.id for row in rows}) == 40
    await first.close()
    await second.close()


async def test_a_damaged_file_is_named(tmp_path):
    path = tmp_path / "batuta.db"
    path.write_bytes(b"this is not a database, " * 500)
    with pytest.raises(StoreUnavailableError, match=r"batuta\.db: the file is damaged"):
        await SqliteStore.open(path)


async def test_a_file_of_another_program_is_left_alone(tmp_path):
    path = tmp_path / "batuta.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    with pytest.raises(StoreUnavailableError, match="another program"):
        await SqliteStore.open(path)


async def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnavailableError, match="file/data: the folder cannot be made"):
        await SqliteStore.open(tmp_path / "file" / "data" / "batuta.db")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
async def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(StoreUnavailableError, match="cannot be written"):
        await SqliteStore.open(tmp_path / "batuta.db")


async def test_a_folder_in_the_place_of_the_file_is_named(tmp_path):
    (tmp_path / "batuta.db").mkdir()
    with pytest.raises(StoreUnavailableError, match="cannot be written"):
        await SqliteStore.open(tmp_path / "batuta.db")


async def test_a_file_of_a_newer_version_is_refused(tmp_path):
    path = tmp_path / "batuta.db"
    await (await SqliteStore.open(path)).close()
    with sqlite3.connect(path) as connection:
        connection.execute("INSERT INTO migration VALUES (99, 'future', 'x')")
    connection.close()
    with pytest.raises(StoreUnavailableError, match="newer version"):
        await SqliteStore.open(path)


async def test_a_file_of_an_older_version_is_brought_up_to_date(tmp_path, monkeypatch):
    path = tmp_path / "batuta.db"
    store = await SqliteStore.open(path)
    await store.commit(starts(execution("a")))
    await store.close()
    known = list(migration.load("sqlite"))
    number = len(known) + 1
    later = migration.Migration(
        number, f"{number:04}_pre_later", "c", ("ALTER TABLE execution ADD COLUMN later TEXT",)
    )
    monkeypatch.setattr("batuta.store.sqlite.connection.load", lambda _: [*known, later])
    await (await SqliteStore.open(path)).close()
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT id, later FROM execution").fetchall() == [("a", None)]
        assert connection.execute("SELECT max(number) FROM migration").fetchone() == (number,)
    connection.close()


async def test_a_migration_that_fails_changes_nothing(tmp_path, monkeypatch):
    path = tmp_path / "batuta.db"
    await (await SqliteStore.open(path)).close()
    known = list(migration.load("sqlite"))
    broken = migration.Migration(
        len(known) + 1, "broken", "c", ("CREATE TABLE extra (x)", "CREATE TABLE extra (x)")
    )
    monkeypatch.setattr("batuta.store.sqlite.connection.load", lambda _: [*known, broken])
    with pytest.raises(StoreUnavailableError, match="extra"):
        await SqliteStore.open(path)
    monkeypatch.undo()
    store = await SqliteStore.open(path)
    await store.close()
    with sqlite3.connect(path) as connection:
        assert not connection.execute("SELECT 1 FROM sqlite_master WHERE name='extra'").fetchall()
    connection.close()


async def test_callers_that_wait_together_share_a_transaction(tmp_path):
    store = await SqliteStore.open(tmp_path / "batuta.db")
    heard = []
    store.changes(heard.append)
    await asyncio.gather(*(store.commit(starts(execution(f"e{n}"))) for n in range(100)))
    assert sum(len(change.created) for change in heard) == 100
    assert len(heard) < 20
    await store.close()


async def test_a_value_that_is_no_json_fails_its_own_caller_only(tmp_path):
    store = await SqliteStore.open(tmp_path / "batuta.db")
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    bad = execution("bad", inputs={"x": object()})
    results = await asyncio.gather(
        store.commit(starts(execution("a"))),
        store.commit(starts(bad)),
        store.commit(starts(execution("deep", inputs={"x": deep}))),
        store.commit(starts(execution("long", revision=2**70))),
        store.commit(starts(execution("a"))),
        store.commit(starts(execution("b"))),
        return_exceptions=True,
    )
    assert [type(result) for result in results] == [
        type(None),
        TypeError,
        RecursionError,
        OverflowError,
        ConflictError,
        type(None),
    ]
    assert (await store.executions.search(Query())).total == 2
    await store.close()


async def test_a_caller_that_is_cancelled_does_not_undo_its_write(tmp_path):
    store = await SqliteStore.open(tmp_path / "batuta.db")
    task = asyncio.ensure_future(store.commit(starts(execution("a"))))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await store.commit(starts(execution("b")))
    assert (await store.executions.search(Query())).total == 2
    await store.close()


async def test_closing_writes_what_was_asked_for(tmp_path):
    path = tmp_path / "batuta.db"
    store = await SqliteStore.open(path)
    await store.executions.search(Query())
    commits = [asyncio.ensure_future(store.commit(starts(execution(f"e{n}")))) for n in range(50)]
    await asyncio.sleep(0)
    await store.close()
    await asyncio.gather(*commits)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["batuta.db", "batuta.db.lock"]
    store = await SqliteStore.open(path)
    assert (await store.executions.search(Query())).total == 50
    await store.close()


async def test_a_full_disk_is_reported_to_every_caller_and_can_be_left_behind(tmp_path):
    store = await SqliteStore.open(tmp_path / "batuta.db")
    await store.commit(starts(execution("a")))
    connection = store._database._writer._connection
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages}").fetchall()
    big = "x" * 100_000
    results = await asyncio.gather(
        *(store.commit(starts(execution(f"e{n}", inputs={"x": big}))) for n in range(3)),
        return_exceptions=True,
    )
    assert [type(result) for result in results] == [StoreUnavailableError] * 3
    assert "the disk is full" in str(results[0])
    connection.execute("PRAGMA max_page_count = 1000000").fetchall()
    await store.commit(starts(execution("e0")))
    assert (await store.executions.search(Query())).total == 2
    await store.close()


async def test_a_listener_that_fails_hurts_nobody(tmp_path):
    store = await SqliteStore.open(tmp_path / "batuta.db")
    reported = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
    heard = []
    store.changes(lambda _: 1 / 0)
    store.changes(heard.append)
    await store.commit(starts(execution("a")))
    assert len(heard) == 1
    assert [type(context["exception"]) for context in reported] == [ZeroDivisionError]
    await store.close()


async def test_a_long_run_is_put_into_the_one_file_between_commits(tmp_path, monkeypatch):
    monkeypatch.setattr("batuta.store.sqlite.writer.CHECKPOINT_IDLE", 50)
    path = tmp_path / "batuta.db"
    store = await SqliteStore.open(path)
    empty = path.stat().st_size
    for number in range(60):
        await store.commit(starts(execution(f"e{number}")))
    assert path.stat().st_size > empty
    await store.close()


async def test_many_rows_fit_into_one_turn(tmp_path):
    store = await SqliteStore.open(tmp_path / "batuta.db")
    await store.commit(Turn(logs=[log(f"line {n}", at=n) for n in range(1234)]))
    page = await store.journal.logs(Query(size=2000))
    assert [row.message for row in page.rows] == [f"line {n}" for n in range(1234)]
    assert page.total == 1234
    await store.close()


async def test_leases_of_the_dead_are_free_at_once(tmp_path):
    path = tmp_path / "batuta.db"
    store = await SqliteStore.open(path)
    before = await store.queues.acquire_partitions("dead", now=Instant(0), ttl=10**9)
    await store.close()  # without giving them back, as a killed process
    store = await SqliteStore.open(path)
    after = await store.queues.acquire_partitions("alive", now=Instant(1), ttl=10)
    assert after.keys() == before.keys()
    assert all(after[part] > before[part] for part in before)
    await store.close()


async def test_leases_of_the_living_are_kept(tmp_path):
    path = tmp_path / "batuta.db"
    first = await SqliteStore.open(path)
    held = await first.queues.acquire_partitions("first", now=Instant(0), ttl=10**9)
    second = await SqliteStore.open(path)
    assert await second.queues.acquire_partitions("second", now=Instant(1), ttl=10) == {}
    await second.close()
    third = await SqliteStore.open(path)
    await third.close()
    assert await first.queues.acquire_partitions("first", now=Instant(2), ttl=10) == held
    await first.close()


_KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from batuta.store.sqlite import SqliteStore
from batuta.testing.suites.samples import execution, starts

async def main():
    store = await SqliteStore.open(Path(sys.argv[1]))
    for number in range(1000):
        await store.commit(starts(execution(f"e{number}")))
        print(number, flush=True)
        if number == 20:
            asyncio.ensure_future(store.commit(starts(execution("unanswered"))))
            os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


async def test_what_was_acknowledged_survives_a_kill(tmp_path):
    path = tmp_path / "batuta.db"
    done = subprocess.run(
        [sys.executable, "-c", _KILLED, str(path)], capture_output=True, check=False, timeout=20
    )
    acknowledged = done.stdout.split()
    assert len(acknowledged) == 21
    store = await SqliteStore.open(path)
    for number in acknowledged:
        assert await store.executions.get(ExecutionId(f"e{number.decode()}"))
    await store.close()
