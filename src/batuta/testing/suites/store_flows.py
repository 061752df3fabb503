"""Flows and their revisions."""

from msgspec.structs import replace

from batuta.model.ids import FlowKey
from batuta.model.label import Label
from batuta.store.contract import Store
from batuta.store.errors import ConflictError
from batuta.store.query import Filter, Op, Query, Sort
from batuta.store.rows import Committed
from batuta.testing.suites.expect import equal, raises
from batuta.testing.suites.samples import FLOW, OTHER_FLOW, flow


async def a_flow_is_read_as_it_was_saved(store: Store) -> None:
    heard: list[Committed] = []
    store.changes(heard.append)
    row = flow(description="Copies *all*", labels=(Label("team", "a"),), disabled=True)
    await store.flows.save(row)
    equal(await store.flows.get(FLOW), row)
    equal(await store.flows.get(OTHER_FLOW), None)
    equal([change.flows for change in heard], [[FLOW]])


async def revisions_follow_one_another(store: Store) -> None:
    rows = [flow(revision=number, source=f"id: daily # {number}") for number in (1, 2, 3)]
    for row in rows:
        await store.flows.save(row)
    equal(await store.flows.get(FLOW), rows[2])
    equal(await store.flows.get(FLOW, revision=1), rows[0])
    equal(await store.flows.get(FLOW, revision=4), None)
    equal(await store.flows.revisions(FLOW), rows)
    for wrong in (1, 3, 5):
        error = await raises(ConflictError, store.flows.save(flow(revision=wrong)))
        equal(error.table, "flow")
    equal(await store.flows.revisions(FLOW), rows)


async def a_deleted_flow_is_kept_but_not_found(store: Store) -> None:
    await store.flows.save(flow())
    await store.flows.save(flow(OTHER_FLOW))
    gone = flow(revision=2, deleted=True)
    await store.flows.save(gone)
    equal(await store.flows.get(FLOW), gone)
    equal(len(await store.flows.revisions(FLOW)), 2)
    equal([row.key for row in (await store.flows.search(Query())).rows], [OTHER_FLOW])
    deleted = Query(filters=[Filter("deleted", Op.EQUALS, value=True)])
    equal([row.key for row in (await store.flows.search(deleted)).rows], [FLOW])
    equal(await store.flows.namespaces("main"), ["company"])
    await store.flows.save(replace(gone, revision=3, deleted=False))
    equal((await store.flows.search(Query())).total, 2)


async def searches_see_latest_revisions(store: Store) -> None:
    old = flow(labels=(Label("env", "dev"),), source="first")
    new = flow(revision=2, labels=(Label("env", "prod"),), source="two 50%_done", description="Été")
    await store.flows.save(old)
    await store.flows.save(new)
    await store.flows.save(flow(OTHER_FLOW, disabled=True))

    async def found(*filters: Filter) -> list[FlowKey]:
        page = await store.flows.search(Query(filters=filters))
        return [row.key for row in page.rows]

    equal(await found(), [OTHER_FLOW, FLOW])
    equal(await found(Filter("labels", Op.EQUALS, (("env", "dev"),))), [])
    equal(await found(Filter("labels", Op.EQUALS, (("env", "prod"),))), [FLOW])
    equal(await found(Filter("namespace", Op.PREFIX, "company")), [OTHER_FLOW, FLOW])
    equal(await found(Filter("namespace", Op.PREFIX, "company.team")), [FLOW])
    equal(await found(Filter("q", Op.EQUALS, "DAIL")), [FLOW])
    equal(await found(Filter("q", Op.EQUALS, "Été")), [FLOW])
    equal(await found(Filter("source", Op.EQUALS, "50%_d")), [FLOW])
    equal(await found(Filter("source", Op.EQUALS, "50_")), [])
    equal(await found(Filter("source", Op.EQUALS, "first")), [])
    equal(await found(Filter("disabled", Op.EQUALS, value=True)), [OTHER_FLOW])
    equal(await found(Filter("updated", Op.GREATER_THAN, 1)), [FLOW])
    page = await store.flows.search(Query(sort=[Sort("id")], size=1, page=2))
    equal(([row.key for row in page.rows], page.total), ([OTHER_FLOW], 2))


async def tenants_are_apart(store: Store) -> None:
    other = FlowKey("other", FLOW.namespace, FLOW.id)
    await store.flows.save(flow())
    await store.flows.save(flow(other, source="theirs"))
    equal((await store.flows.revisions(other))[0].source, "theirs")
    equal(await store.flows.namespaces("other"), [FLOW.namespace])
    query = Query(filters=[Filter("tenant", Op.EQUALS, "other")])
    equal([row.key for row in (await store.flows.search(query)).rows], [other])


async def templates_are_kept_like_flows_and_apart_from_them(store: Store) -> None:
    heard: list[Committed] = []
    await store.flows.save(flow(source="a flow"))
    store.changes(heard.append)
    for number in (1, 2):
        await store.templates.save(flow(revision=number, source=f"template {number}"))
    equal([change.flows for change in heard if change.flows], [])
    found = await store.templates.get(FLOW)
    equal(None if found is None else found.source, "template 2")
    equal([row.revision for row in await store.templates.revisions(FLOW)], [1, 2])
    equal([row.source for row in (await store.templates.search(Query())).rows], ["template 2"])
    equal([row.source for row in (await store.flows.search(Query())).rows], ["a flow"])
    equal(await store.templates.namespaces("main"), [FLOW.namespace])
    error = await raises(ConflictError, store.templates.save(flow(revision=2)))
    equal(error.table, "template")
