"""Runs the statements of a task and makes its outputs (06 §7.2, §7.3)."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

from batuta.model.ion import to_json_data, write_row
from batuta.plugins.jdbc.properties import FetchType, QueryOutput, QueryProperties
from batuta.plugins.jdbc.session import ResultSet, Row, Session
from batuta.sdk import PluginError, RunContext, TaskError

SHOWN_CHARACTERS = 300
"""Of a statement, in an error message."""


async def run_query(
    session: Session, sql: str, *, task: QueryProperties, ctx: RunContext
) -> QueryOutput:
    """The statements in one transaction, `afterSQL` in it too; the output is that of the last one.

    More lenient than the original, which takes a single statement (06 §7.2).
    """
    statements = session.split(sql)
    if not statements:
        raise TaskError("The property `sql` holds no statement")
    # A stored result is read in portions, which some servers hand out inside a transaction only.
    several = len(statements) > 1
    needed = several or task.after_sql is not None or task.kind is FetchType.STORE
    async with _transaction(session, needed=needed):
        for number, statement in enumerate(statements[:-1], 1):
            await _run(session, statement, task, number=number, parameters=task.parameters)
        last = len(statements) if several else None
        output = await _one(session, statements[-1], task=task, ctx=ctx, number=last)
        if task.after_sql is not None:
            await _after(session, task.after_sql, task)
    _count(output.size, task, ctx)
    return output


async def run_queries(
    session: Session,
    sql: str,
    *,
    task: QueryProperties,
    transaction: bool,
    ctx: RunContext,
) -> list[dict[str, Any]]:
    """All statements; one entry for each that gave rows."""
    outputs: list[dict[str, Any]] = []
    total = 0
    async with _transaction(session, needed=transaction):
        for number, statement in enumerate(session.split(sql), 1):
            output = await _one(session, statement, task=task, ctx=ctx, number=number)
            if output is not _NO_ROWS:
                total += output.size or 0
                outputs.append(_entry(output, task, ctx))
        if task.after_sql is not None:
            await _after(session, task.after_sql, task)
    _count(total, task, ctx)
    return outputs


_NO_ROWS = QueryOutput()


def _entry(output: QueryOutput, task: QueryProperties, ctx: RunContext) -> dict[str, Any]:
    if task.kind is FetchType.NONE:
        ctx.log.write("INFO", "fetchType is set to NONE, no output will be returned")
        return {}
    entry = {"row": output.row, "rows": output.rows, "uri": output.uri}
    size = 1 if task.kind is FetchType.FETCH_ONE else output.size
    return {**{name: value for name, value in entry.items() if value is not None}, "size": size}


@asynccontextmanager
async def _transaction(session: Session, *, needed: bool) -> AsyncIterator[None]:
    if not needed:
        yield
        return
    await session.begin()
    try:
        yield
    except Exception:
        with suppress(Exception):  # an error here would hide the one that matters
            await session.rollback()
        raise
    try:
        await session.commit()
    except Exception as error:
        raise TaskError(f"The transaction could not be committed: {error}") from error


async def _one(
    session: Session,
    statement: str,
    *,
    task: QueryProperties,
    ctx: RunContext,
    number: int | None = None,
) -> QueryOutput:
    try:
        result = await session.execute(
            statement, task.parameters or {}, whole=task.kind is not FetchType.FETCH_ONE
        )
        return _NO_ROWS if result is None else await _fetched(result, task, ctx)
    except PluginError:
        raise
    except Exception as error:
        raise _failure(error, statement, task=task, number=number) from error


async def _after(session: Session, sql: str, task: QueryProperties) -> None:
    for statement in session.split(sql):
        await _run(session, statement, task)


async def _run(
    session: Session,
    statement: str,
    task: QueryProperties,
    *,
    number: int | None = None,
    parameters: Mapping[str, Any] | None = None,
) -> None:
    """A statement whose rows, if any, nobody wants."""
    try:
        await session.execute(statement, parameters or {}, whole=True)
    except Exception as error:
        raise _failure(error, statement, task=task, number=number) from error


def _failure(
    error: Exception, statement: str, *, task: QueryProperties, number: int | None
) -> TaskError:
    """Names the statement; a password that the driver repeats is hidden."""
    short = " ".join(statement.split())
    if len(short) > SHOWN_CHARACTERS:
        short = f"{short[:SHOWN_CHARACTERS]}…"
    place = "" if number is None else f" {number}"
    text = f"{str(error).strip() or type(error).__name__}\nin statement{place}: {short}"
    return TaskError(hidden(text, task.password))


def hidden(text: str, password: str | None) -> str:
    """Without the password."""
    return text.replace(password, "******") if password else text


async def _fetched(result: ResultSet, task: QueryProperties, ctx: RunContext) -> QueryOutput:
    match task.kind:
        case FetchType.FETCH:
            rows = [to_json_data(row) async for row in _rows(result, task.fetch_size)]
            return QueryOutput(rows=rows, size=len(rows))
        case FetchType.FETCH_ONE:
            first = await result.fetch(1)
            row = to_json_data(_as_map(result, first[0])) if first else None
            return QueryOutput(row=row, size=len(first))
        case FetchType.STORE:
            content = _Stored(result, task.fetch_size)
            uri = await ctx.files.put(aiter(content), suffix=".ion")
            return QueryOutput(uri=uri, size=content.size)
        case FetchType.NONE:
            return QueryOutput()


class _Stored:
    """Rows as the chunks of an Ion file; tells how many there were."""

    def __init__(self, result: ResultSet, fetch_size: int) -> None:
        self._result = result
        self._fetch_size = fetch_size
        self.size = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while rows := await self._result.fetch(max(self._fetch_size, 1)):
            self.size += len(rows)
            yield b"".join(write_row(_as_map(self._result, row)) for row in rows)


async def _rows(result: ResultSet, fetch_size: int) -> AsyncIterator[Mapping[str, Any]]:
    while rows := await result.fetch(max(fetch_size, 1)):
        for row in rows:
            yield _as_map(result, row)


def _as_map(result: ResultSet, row: Row) -> dict[str, Any]:
    return dict(zip(result.columns, row, strict=True))


def _count(size: int | None, task: QueryProperties, ctx: RunContext) -> None:
    if size is None:
        return
    tags = {
        "fetch": str(task.kind in {FetchType.FETCH, FetchType.FETCH_ONE}).lower(),
        "store": str(task.kind is FetchType.STORE).lower(),
    }
    ctx.metrics.counter("fetch.size", size, tags)
