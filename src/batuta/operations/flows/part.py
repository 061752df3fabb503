"""Parts of flows: one task, the check of a task alone, and the search in sources (03 §7.8, §7.10)."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from batuta.flow.compile import nested_tasks
from batuta.flow.read import Reading, read_part
from batuta.model.ids import FlowKey
from batuta.operations.caller import Caller
from batuta.operations.errors import NotFoundError
from batuta.operations.flows.look import get
from batuta.operations.query import FLOW, Condition, Page, Search, to_query
from batuta.operations.services import Services
from batuta.store.query import Filter, Op, Sort
from batuta.store.query import Page as Rows
from batuta.store.rows import FlowRow

MAX_FRAGMENTS = 10
_NEAR = 1
"""Lines before and after a line that is found."""


class FoundSource(msgspec.Struct, frozen=True):
    """`fragments` are parts of the source, what was looked for in `[mark]…[/mark]`."""

    row: FlowRow
    fragments: tuple[str, ...]


async def task(
    caller: Caller, services: Services, key: FlowKey, *, task_id: str, revision: int | None = None
) -> Mapping[str, Any]:
    """A task as its author wrote it, wherever it stands in the flow. Raises `NotFoundError`."""
    row = await get(caller, services, key, revision=revision)
    flow = services.plans.compiled(row).flow
    for section in (flow.tasks, flow.errors, flow.finally_, flow.after_execution):
        for each in nested_tasks(section):
            if each.id == task_id:
                return each.spec
    raise NotFoundError(f"Task '{task_id}' not found.")


def check_part(services: Services, source: str, *, kind: str) -> Reading:
    """What is wrong with a task or trigger (`kind`) alone."""
    return read_part(source, services.registry, kind=kind)


async def search_sources(
    caller: Caller,
    services: Services,
    *,
    words: str,
    namespace: str | None,
    page: Page,
    sort: tuple[Sort, ...] = (),
) -> Rows[FoundSource]:
    """Flows whose source holds all the words; `namespace` with its children."""
    conditions = () if not namespace else (Condition("namespace", Op.PREFIX, (namespace,)),)
    query = to_query(
        caller,
        FLOW,
        Search(conditions=conditions, page=page, sort=sort),
        now=services.clock.now(),
        system_namespace=services.settings.system_namespace,
    )
    if words.strip():
        filters = [*query.filters, Filter("source", Op.EQUALS, words)]
        query = msgspec.structs.replace(query, filters=filters)
    found = await services.store.flows.search(query)
    return Rows([FoundSource(row, fragments(row.source, words)) for row in found.rows], found.total)


def fragments(source: str, words: str) -> tuple[str, ...]:
    """The lines that hold one of the words, each with its neighbours; lines that touch are one fragment."""
    wanted = words.split()
    if not wanted:
        return ()
    pattern = re.compile(
        "|".join(map(re.escape, sorted(wanted, key=len, reverse=True))), re.IGNORECASE
    )
    lines = source.splitlines()
    parts: list[range] = []
    for number in (n for n, line in enumerate(lines) if pattern.search(line)):
        first, after = max(number - _NEAR, 0), min(number + _NEAR + 1, len(lines))
        if parts and first <= parts[-1].stop:
            parts[-1] = range(parts[-1].start, after)
        elif len(parts) < MAX_FRAGMENTS:
            parts.append(range(first, after))
        else:
            break
    return tuple(_marked(lines, part, pattern) for part in parts)


def _marked(lines: Sequence[str], part: range, pattern: re.Pattern[str]) -> str:
    return "\n".join(pattern.sub(r"[mark]\g<0>[/mark]", lines[number]) for number in part)
