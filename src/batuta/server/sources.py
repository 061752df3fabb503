"""Flows by what their source says, without compiling all of them."""

from collections.abc import AsyncIterator

from batuta.store.contract import Flows
from batuta.store.query import Filter, Op, Query, Sort
from batuta.store.rows import FlowRow

AT_ONCE = 500


async def flows_that_say(flows: Flows, *words: str) -> AsyncIterator[FlowRow]:
    """The latest revisions whose source holds one of the words."""
    number = 1
    while True:
        page = await flows.search(
            Query(
                filters=[Filter("deleted", Op.EQUALS, value=False)],
                sort=[Sort("namespace"), Sort("id")],
                page=number,
                size=AT_ONCE,
                total=False,
            )
        )
        for row in page.rows:
            if any(word in row.source for word in words):
                yield row
        if len(page.rows) < AT_ONCE:
            return
        number += 1
