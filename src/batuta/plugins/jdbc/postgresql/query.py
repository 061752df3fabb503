"""`jdbc.postgresql.Query` and `jdbc.postgresql.Queries`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from typing_extensions import override

from batuta.plugins.jdbc.postgresql.connection import PostgresProperties, connection
from batuta.plugins.jdbc.postgresql.session import PostgresSession, prepare_types
from batuta.plugins.jdbc.properties import (
    FetchType,
    QueriesOutput,
    QueryOutput,
    QueryProperties,
    TransactionProperties,
)
from batuta.plugins.jdbc.run import run_queries, run_query
from batuta.sdk import RunContext, Task

if TYPE_CHECKING:
    from batuta.plugins.jdbc.session import Session


class PostgresQueryProperties(PostgresProperties, QueryProperties):
    """What Query and Queries have in common."""


class Query(PostgresQueryProperties, Task, type="io.kestra.plugin.jdbc.postgresql.Query"):
    """Run one SQL statement on PostgreSQL.

    # What it does
    Runs the statement and gives the rows as `fetchType` says.

    # Example
    ```yaml
    - id: since
      type: io.kestra.plugin.jdbc.postgresql.Query
      url: jdbc:postgresql://db:5432/app
      username: app
      password: "{{ secret('PG_PWD') }}"
      sql: SELECT * FROM core.orders WHERE created_at >= :from
      parameters:
        from: "{{ trigger.date ?? execution.startDate }}"
      fetchType: STORE
    ```

    # Outputs
    `rows`, `row` or `uri`, and `size`.

    # Notes
    Parameters are converted to the type that the server expects. Metric: counter `fetch.size`.
    """

    @override
    async def run(self, ctx: RunContext) -> QueryOutput:
        async with _session(self, ctx) as session:
            return await run_query(session, ctx.render(self.sql) or "", task=self, ctx=ctx)


class Queries(
    PostgresQueryProperties,
    TransactionProperties,
    Task,
    type="io.kestra.plugin.jdbc.postgresql.Queries",
):
    """Run several SQL statements on PostgreSQL.

    # What it does
    Runs statements separated by `;`, in one transaction unless `transaction` is false.

    # Example
    ```yaml
    - id: merge
      type: io.kestra.plugin.jdbc.postgresql.Queries
      url: jdbc:postgresql://db:5432/app
      username: app
      password: "{{ secret('PG_PWD') }}"
      fetchType: FETCH_ONE
      sql: |
        INSERT INTO core.orders SELECT * FROM staging.orders ON CONFLICT (id) DO NOTHING;
        SELECT count(*) AS n FROM core.orders;
    ```

    # Outputs
    `outputs`: an entry with `rows`, `row` or `uri`, and `size` for each statement that gave rows.

    # Notes
    As of Query.
    """

    @override
    async def run(self, ctx: RunContext) -> QueriesOutput:
        async with _session(self, ctx) as session:
            outputs = await run_queries(
                session,
                ctx.render(self.sql) or "",
                task=self,
                transaction=self.transaction,
                ctx=ctx,
            )
            return QueriesOutput(outputs=outputs)


@asynccontextmanager
async def _session(task: PostgresQueryProperties, ctx: RunContext) -> AsyncIterator["Session"]:
    zone = task.zone
    async with connection(task, ctx, zone=task.time_zone_id) as opened:
        if task.kind is not FetchType.NONE or task.parameters:
            await prepare_types(opened)
        yield PostgresSession(opened, zone)
