import asyncio
import sqlite3
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

import pytest

from batuta.model.ion import read_values
from batuta.sdk import PropertyError, Registry, TaskError
from batuta.testing.context import FakeRunContext, fake_context, make_task, run_task

SQLITE = "io.kestra.plugin.jdbc.sqlite"
REGISTRY = Registry(["batuta.plugins.jdbc"])


@pytest.fixture
def ctx(tmp_path: Path) -> FakeRunContext:
    return fake_context(tmp_path)


async def run(ctx: FakeRunContext, kind: str, sql: str, **properties: Any) -> Any:
    spec = {"type": f"{SQLITE}.{kind}", "url": "jdbc:sqlite:shop.db", "sql": sql, **properties}
    return await run_task(spec, ctx, registry=REGISTRY)


async def test_queries_and_rows(ctx: FakeRunContext) -> None:
    output = await run(
        ctx,
        "Queries",
        """create table t (id integer primary key, name text, at timestamp, day date, hour time, raw blob, x);
           create trigger g after insert on t begin update t set x = 1; select 1; end;
           insert into t (name, at, day, hour, raw) values ('a', '2024-05-01 10:00:00', '2024-05-01', '10:00:00', x'6869');
           insert into t (name, at, day) values ('b', 1714557600000, 'soon') returning id;
           select * from t order by id""",
        fetchType="STORE",
    )
    assert [entry["size"] for entry in output.outputs] == [1, 2]
    first, second = read_values(await ctx.files.read(output.outputs[1]["uri"]))
    moment = datetime(2024, 5, 1, 10, tzinfo=UTC)
    assert first == {
        "id": 1,
        "name": "a",
        "at": moment,
        "day": date(2024, 5, 1),
        "hour": time(10),
        "raw": b"hi",
        "x": 1,
    }
    assert (second["at"], second["day"]) == (moment, "soon")


async def test_parameters_and_fetch_one(ctx: FakeRunContext) -> None:
    await run(
        ctx,
        "Queries",
        "create table t (n, s); insert into t values (:n, :s)",
        parameters={"n": 1.5, "s": {"a": 1}},
    )
    output = await run(
        ctx,
        "Query",
        "select * from t where n > :least",
        parameters={"least": 1},
        fetchType="FETCH_ONE",
    )
    assert output.row == {"n": 1.5, "s": "{'a': 1}"}


async def test_errors_name_the_statement_and_roll_back(ctx: FakeRunContext) -> None:
    await run(ctx, "Query", "create table t (n)")
    with pytest.raises(
        TaskError, match="no such table: missing\nin statement 2: select \\* from missing"
    ):
        await run(ctx, "Queries", "insert into t values (1); select * from missing")
    assert (await run(ctx, "Query", "select count(*) as n from t", fetchType="FETCH")).rows == [
        {"n": 0}
    ]


async def test_a_stored_database_is_read_and_stored_again(
    ctx: FakeRunContext, tmp_path: Path
) -> None:
    path = tmp_path / "own.db"
    connection = sqlite3.connect(path)
    connection.execute("create table t (n)")
    connection.commit()
    connection.close()
    uri = await ctx.files.put(path.read_bytes())
    output = await run(ctx, "Query", "insert into t values (5)", sqliteFile=uri, outputDbFile=True)
    again = await run(
        ctx, "Query", "select n from t", sqliteFile=output.database_uri, fetchType="FETCH"
    )
    assert again.rows == [{"n": 5}]
    with pytest.raises(PropertyError, match="must name a file"):
        await run(ctx, "Query", "select 1", sqliteFile=uri, url="jdbc:sqlite::memory:")
    with pytest.raises(TaskError, match="Unable to find file"):
        await run(ctx, "Query", "select 1", sqliteFile=f"{uri}x")


async def test_addresses(ctx: FakeRunContext) -> None:
    assert (
        await run(ctx, "Query", "select 1 as n", url="jdbc:sqlite::memory:", fetchType="FETCH")
    ).size == 1
    with pytest.raises(TaskError, match="cannot be opened"):
        await run(ctx, "Query", "select 1", url="jdbc:sqlite:/nowhere/x.db")


async def test_a_kill_interrupts_the_query(ctx: FakeRunContext) -> None:
    sql = "with recursive c(n) as (select 1 union all select n + 1 from c) select count(*) from c"
    spec = {
        "type": f"{SQLITE}.Query",
        "url": "jdbc:sqlite::memory:",
        "sql": sql,
        "fetchType": "FETCH",
    }
    running = asyncio.ensure_future(make_task(spec, ctx, registry=REGISTRY).run(ctx))
    await asyncio.wait([running], timeout=0.2)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(running, 10)
