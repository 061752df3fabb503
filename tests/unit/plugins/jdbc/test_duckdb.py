import asyncio
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from batuta.model.ion import read_values
from batuta.sdk import PropertyError, Registry, TaskError
from batuta.testing.context import FakeRunContext, fake_context, make_task, run_task

DUCKDB = "io.kestra.plugin.jdbc.duckdb"
REGISTRY = Registry(["batuta.plugins.jdbc"])


@pytest.fixture(params=[True, False], ids=["local", "remote"])
def ctx(tmp_path: Path, request: pytest.FixtureRequest) -> FakeRunContext:
    return fake_context(tmp_path, local_files=request.param)


async def query(ctx: FakeRunContext, sql: str, **properties: Any) -> Any:
    return await run_task(
        {"type": f"{DUCKDB}.Query", "sql": sql, **properties}, ctx, registry=REGISTRY
    )


async def queries(ctx: FakeRunContext, sql: str, **properties: Any) -> Any:
    return await run_task(
        {"type": f"{DUCKDB}.Queries", "sql": sql, **properties}, ctx, registry=REGISTRY
    )


async def test_fetch_types(ctx: FakeRunContext) -> None:
    sql = "select i, 'x' || i as t from range(3) r(i)"
    output = await query(ctx, sql, fetchType="FETCH")
    assert (output.rows, output.size, output.row, output.uri) == (
        [{"i": n, "t": f"x{n}"} for n in range(3)],
        3,
        None,
        None,
    )
    output = await query(ctx, sql, fetchType="FETCH_ONE")
    assert (output.row, output.size, output.rows) == ({"i": 0, "t": "x0"}, 1, None)
    output = await query(ctx, sql + " where i > 9", fetchType="FETCH_ONE")
    assert (output.row, output.size) == (None, 0)
    output = await query(ctx, sql)
    assert (output.row, output.rows, output.uri, output.size) == (None, None, None, None)


async def test_store_writes_ion_in_batches(ctx: FakeRunContext) -> None:
    output = await query(ctx, "select i from range(25) r(i)", fetchType="STORE", fetchSize=10)
    assert (output.size, output.uri[-4:]) == (25, ".ion")
    assert list(read_values(await ctx.files.read(output.uri))) == [{"i": n} for n in range(25)]
    assert ctx.metrics.value("fetch.size") == 25


async def test_deprecated_switches_win(ctx: FakeRunContext) -> None:
    assert (await query(ctx, "select 1 as n", fetch=True, store=True, fetchType="NONE")).rows == [
        {"n": 1}
    ]
    assert (await query(ctx, "select 1 as n", fetchOne=True)).row == {"n": 1}
    assert (await query(ctx, "select 1 as n", store=True)).uri


async def test_types(ctx: FakeRunContext) -> None:
    sql = """
        select 9223372036854775807::hugeint as big, 9223372036854775808::hugeint as huge, 1.50::decimal(10,2) as d,
               timestamp '2024-05-01 10:00:00' as ts, timestamptz '2024-05-01 10:00:00+02' as tz, date '2024-05-01' as day,
               time '10:00:00' as t, [1, 2] as l, {'a': 1, 'b': [null]} as s, map {'k': 1} as m, 'hi'::blob as b,
               uuid '00000000-0000-0000-0000-000000000001' as u, null as n, true as ok, 1::tinyint as tiny
    """
    output = await query(ctx, sql, fetchType="STORE", timeZoneId="Europe/Paris")
    (row,) = read_values(await ctx.files.read(output.uri))
    assert row == {
        "big": 2**63 - 1, "huge": str(2**63), "d": Decimal("1.50"), "ts": datetime(2024, 5, 1, 10, tzinfo=ZoneInfo("Europe/Paris")),
        "tz": datetime(2024, 5, 1, 8, tzinfo=UTC), "day": date(2024, 5, 1), "t": time(10), "l": [1, 2], "s": {"a": 1, "b": [None]},
        "m": {"k": 1}, "b": b"hi", "u": "00000000-0000-0000-0000-000000000001", "n": None, "ok": True, "tiny": 1,
    }  # fmt: skip
    fetched = (await query(ctx, sql, fetchType="FETCH_ONE")).row
    assert (fetched["ts"], fetched["day"], fetched["d"]) == (
        "2024-05-01T10:00:00Z",
        "2024-05-01",
        1.5,
    )
    with pytest.raises(PropertyError, match="timeZoneId"):
        await query(ctx, sql, timeZoneId="Mars/Phobos")


async def test_parameters_are_bound(ctx: FakeRunContext) -> None:
    output = await query(
        ctx,
        "select :a::int + 1 as n, ':a' as t, :b as b",
        parameters={"a": 41, "b": "it's"},
        fetchType="FETCH_ONE",
    )
    assert output.row == {"n": 42, "t": ":a", "b": "it's"}


async def test_query_gives_the_rows_of_its_last_statement(ctx: FakeRunContext) -> None:
    assert (await query(ctx, "select 1 as n; -- end", fetchType="FETCH")).size == 1
    output = await query(ctx, "select 1 as n; select 2 as n", fetchType="FETCH")
    assert output.rows == [{"n": 2}]
    with pytest.raises(TaskError, match=r"in statement 1: select \* from nowhere"):
        await query(ctx, "select * from nowhere; select 2")
    with pytest.raises(TaskError, match="no statement"):
        await query(ctx, " -- nothing")


async def test_queries_give_an_entry_for_each_result(ctx: FakeRunContext) -> None:
    output = await queries(
        ctx,
        "create table t (i int); insert into t values (1), (2); update t set i = i + 1; select * from t order by i;"
        "insert into t values (9) returning i; set threads = 1; select count(*) as n from t where i > 100 group by i",
        fetchType="FETCH",
    )
    assert output.outputs == [
        {"rows": [{"i": 2}, {"i": 3}], "size": 2},
        {"rows": [{"i": 9}], "size": 1},
        {"rows": [], "size": 0},
    ]


async def test_queries_with_fetch_one_and_none(ctx: FakeRunContext) -> None:
    output = await queries(ctx, "select 1 as a; select 2 as b where false", fetchType="FETCH_ONE")
    assert output.outputs == [{"row": {"a": 1}, "size": 1}, {"size": 1}]
    assert (await queries(ctx, "select 1; create table t (i int)")).outputs == [{}]
    assert len(ctx.log.messages("INFO")) == 1


async def test_a_failing_statement_is_named_and_everything_rolled_back(ctx: FakeRunContext) -> None:
    url = f"jdbc:duckdb:{ctx.workdir / 'kept.db'}"
    await queries(ctx, "create table t (i int)", url=url)
    with pytest.raises(TaskError, match=r"in statement 2: insert into missing values \(1\)"):
        await queries(ctx, "insert into t values (1); insert into missing values (1)", url=url)
    assert (
        await query(ctx, "select count(*) as n from t", url=url, fetchType="FETCH_ONE")
    ).row == {"n": 0}
    with pytest.raises(TaskError):
        await queries(
            ctx,
            "insert into t values (1); insert into missing values (1)",
            url=url,
            transaction=False,
        )
    assert (
        await query(ctx, "select count(*) as n from t", url=url, fetchType="FETCH_ONE")
    ).row == {"n": 1}


async def test_after_sql_is_in_the_same_transaction(ctx: FakeRunContext) -> None:
    url = f"jdbc:duckdb:{ctx.workdir / 'kept.db'}"
    await queries(ctx, "create table t (i int); insert into t values (1)", url=url)
    with pytest.raises(TaskError, match="in statement: delete from missing"):
        await query(
            ctx,
            "update t set i = 2 returning i",
            afterSQL="delete from missing",
            url=url,
            fetchType="FETCH",
        )
    output = await query(
        ctx, "select i from t", afterSQL="delete from t", url=url, fetchType="FETCH"
    )
    assert output.rows == [{"i": 1}]
    assert (await query(ctx, "select i from t", url=url, fetchType="FETCH")).rows == []


async def test_input_and_output_files(ctx: FakeRunContext) -> None:
    uri = await ctx.files.put(b"region,amount\na,1\nb,2\na,3\n", suffix=".csv")
    output = await queries(
        ctx,
        """create table s as select * from read_csv_auto('sales.csv');
           copy (select region, sum(amount) as t from s group by 1 order by 1) to '{{ outputFiles.out }}' (format csv, header);
           select count(*) as n from read_csv_auto('{{ workingDir }}/sub/more.csv')""",
        inputFiles={"sales.csv": uri, "sub/more.csv": "x\n1\n2\n3\n"},
        outputFiles=["out"],
        fetchType="FETCH",
    )
    assert output.outputs == [{"rows": [{"n": 3}], "size": 1}]
    assert await ctx.files.read(output.output_files["out"]) == b"region,t\na,4\nb,2\n"


async def test_input_files_stay_inside_and_outputs_must_be_written(ctx: FakeRunContext) -> None:
    with pytest.raises(PropertyError, match="inside the working directory"):
        await query(ctx, "select 1", inputFiles={"../x": "y"})
    with pytest.raises(TaskError, match="Nothing was written to the output file `out`"):
        await query(ctx, "select 1", outputFiles=["out"])


async def test_addresses_of_internal_storage_are_read_by_path(ctx: FakeRunContext) -> None:
    uri = await ctx.files.put(b"category,price\na,1\nb,2\na,3\n", suffix=".csv")
    other = await ctx.files.put(b"category,price\nc,9\n", suffix=".csv")
    sql = f"select category, count(*) as n from read_csv_auto('{uri}') group by 1 order by 1"
    assert (await query(ctx, sql, fetchType="FETCH")).rows == [
        {"category": "a", "n": 2},
        {"category": "b", "n": 1},
    ]
    for source in (f"'{uri}'", f"read_csv(['{uri}', '{other}'])"):
        output = await query(
            ctx, f"select sum(price) as s, '{uri}' as source from {source}", fetchType="FETCH_ONE"
        )
        assert output.row["source"] == uri
    assert output.row["s"] == 15


async def test_a_missing_file_is_told_by_its_address(ctx: FakeRunContext) -> None:
    with pytest.raises(TaskError, match=r"kestra:///company/nothing\.csv"):
        await query(ctx, "select * from read_csv_auto('kestra:///company/nothing.csv')")


async def test_built_in_extensions_need_no_network(ctx: FakeRunContext) -> None:
    output = await queries(
        ctx,
        """INSTALL json; LOAD json; install 'parquet'; FORCE INSTALL icu FROM core; -- done
           SELECT brand, round(avg(price), 2) as avg_price FROM read_json_auto('{{workingDir}}/products.json')
           GROUP BY brand ORDER BY avg_price DESC;""",
        inputFiles={
            "products.json": '[{"brand": "A", "price": 1.5}, {"brand": "B", "price": 3}, {"brand": "A", "price": 2.5}]'
        },
        fetchType="STORE",
    )
    rows = list(read_values(await ctx.files.read(output.outputs[0]["uri"])))
    assert rows == [{"brand": "B", "avg_price": 3.0}, {"brand": "A", "avg_price": 2.0}]


async def test_the_database_file_can_be_stored_and_used_again(ctx: FakeRunContext) -> None:
    first = await queries(
        ctx,
        "create table t as select 7 as n; select '{{ dbFilePath }}' as p",
        outputDbFile=True,
        fetchType="FETCH",
    )
    assert first.outputs[0]["rows"][0]["p"].endswith(".duckdb")
    second = await query(
        ctx, "select n from t", databaseUri=first.database_uri, fetchType="FETCH_ONE"
    )
    assert second.row == {"n": 7}


async def test_databases_in_memory_and_wrong_addresses(ctx: FakeRunContext) -> None:
    assert (
        await query(ctx, "select 1 as n", url="jdbc:duckdb::memory:", fetchType="FETCH_ONE")
    ).row == {"n": 1}
    with pytest.raises(PropertyError, match="jdbc:duckdb"):
        await query(ctx, "select 1", url="jdbc:sqlite:x")
    with pytest.raises(TaskError, match="cannot be opened"):
        await query(ctx, "select 1", url="jdbc:duckdb:/nowhere/at/all.db")


async def test_file_names_lose_the_working_directory(ctx: FakeRunContext) -> None:
    output = await query(
        ctx,
        "select filename from read_csv('a.csv', filename = true)",
        inputFiles={"a.csv": "x\n1\n"},
        fetchType="FETCH_ONE",
    )
    assert output.row == {"filename": "a.csv"}


async def test_a_kill_interrupts_the_query(ctx: FakeRunContext) -> None:
    task = make_task(
        {
            "type": f"{DUCKDB}.Query",
            "sql": "select count(*) from range(10000000000) a, range(1000) b",
        },
        ctx,
        registry=REGISTRY,
    )
    running = asyncio.ensure_future(task.run(ctx))
    await asyncio.wait([running], timeout=0.3)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(running, 10)
