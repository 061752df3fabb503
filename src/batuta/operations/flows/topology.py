"""The graph of a flow, and which flows depend on which (03 §6.10, §6.11, §7.9)."""

import asyncio
from collections.abc import Iterable, Sequence

import msgspec

from batuta.flow.definition import Flow
from batuta.flow.dependency import Link, links_of
from batuta.flow.graph import Graph, flow_graph
from batuta.model.ids import FlowKey
from batuta.operations.caller import Caller
from batuta.operations.errors import IllegalArgumentError, InvalidEntityError, NotFoundError
from batuta.operations.flows.change import violations_of
from batuta.operations.flows.expand import expanded
from batuta.operations.flows.look import chosen, is_visible, read_source
from batuta.operations.plans import InvalidFlowError
from batuta.operations.services import Services
from batuta.store.rows import TriggerRow

_SUBFLOW = "io.kestra.core.models.hierarchies.SubflowGraphTask"
_LINKING = ("Subflow", "ForEachItem", "trigger.Flow", "ExecutionFlow")
"""What the source of a flow says that names another."""


class FlowGraph(msgspec.Struct, frozen=True):
    """`triggers` are the states of the flow's triggers, where it is stored."""

    graph: Graph
    flow: Flow
    triggers: Sequence[TriggerRow] = ()


class Edge(msgspec.Struct, frozen=True):
    """`source` starts `target`."""

    source: FlowKey
    target: FlowKey
    relation: str


class Topology(msgspec.Struct, frozen=True):
    nodes: Sequence[FlowKey]
    edges: Sequence[Edge]


async def graph(
    caller: Caller,
    services: Services,
    key: FlowKey,
    *,
    revision: int | None = None,
    subflows: Sequence[str] = (),
) -> FlowGraph:
    """`subflows`: uids of nodes that are shown as the graph of the flow they start.

    Raises `NotFoundError`, `InvalidFlowError`, `IllegalArgumentError` for a uid that is no such node.
    """
    row = (
        await services.store.flows.get(key, revision=revision) if is_visible(caller, key) else None
    )
    if row is None or (row.deleted and revision is None):
        suffix = "" if revision is None else f"_{revision}"
        raise NotFoundError(f"Unable to find flow {key.tenant}_{key.namespace}_{key.id}{suffix}")
    flow = services.plans.compiled(row).flow
    drawn = await _expand(caller, services, flow_graph(flow), subflows=subflows)
    return FlowGraph(drawn, flow, await services.store.triggers.of_flow(key))


async def graph_of_source(
    caller: Caller, services: Services, source: str, *, subflows: Sequence[str] = ()
) -> FlowGraph:
    """Raises `InvalidEntityError` with all problems of the source."""
    reading = await read_source(caller, services, source, strict=False)
    if reading.flow is None:
        raise InvalidEntityError(violations_of(reading))
    drawn = await _expand(caller, services, flow_graph(reading.flow), subflows=subflows)
    return FlowGraph(drawn, reading.flow)


async def dependencies(
    caller: Caller,
    services: Services,
    key: FlowKey,
    *,
    destination_only: bool = False,
    expand_all: bool = False,
) -> Topology:
    """The flows that start this one or are started by it; only the former with `destination_only`.

    `expand_all`: their neighbours too, as far as it goes. A flow without any gives an empty topology.
    """
    row = await services.store.flows.get(key) if is_visible(caller, key) else None
    if row is None or row.deleted:
        raise NotFoundError
    edges = await _edges(caller, services)
    return _around({key}, edges, destination_only=destination_only, expand_all=expand_all)


async def dependencies_of_namespace(caller: Caller, services: Services, namespace: str) -> Topology:
    """All flows of the namespace that have neighbours, with those (03 §12)."""
    if not caller.may_see(namespace):
        raise NotFoundError
    edges = await _edges(caller, services)
    inside = {
        key for edge in edges for key in (edge.source, edge.target) if key.namespace == namespace
    }
    return _around(inside, edges, destination_only=False, expand_all=False)


def _around(
    keys: set[FlowKey], edges: Sequence[Edge], *, destination_only: bool, expand_all: bool
) -> Topology:
    found: dict[Edge, None] = {}
    seen, wanted = set(keys), set(keys)
    while wanted:
        touching = [
            edge
            for edge in edges
            if edge.target in wanted or (edge.source in wanted and not destination_only)
        ]
        found.update(dict.fromkeys(touching))
        near = {key for edge in touching for key in (edge.source, edge.target)}
        wanted = near - seen if expand_all else set()
        seen |= near
    nodes = dict.fromkeys(key for edge in found for key in (edge.source, edge.target))
    return Topology(tuple(nodes), tuple(found))


async def _edges(caller: Caller, services: Services) -> Sequence[Edge]:
    """Between all flows that exist and that the caller may see."""
    rows = await chosen(caller, services, ())
    known = {row.key for row in rows}
    edges: dict[Edge, None] = {}
    for row in rows:
        if not any(word in row.source for word in _LINKING):
            continue
        # Compiling takes milliseconds where it was not done before: others get their turn between.
        await asyncio.sleep(0)
        try:
            links = links_of(services.plans.compiled(row).flow)
        except InvalidFlowError:
            continue
        for link in links:
            edges.update(dict.fromkeys(_resolved(row.key, link, known)))
    return tuple(edges)


def _resolved(key: FlowKey, link: Link, known: set[FlowKey]) -> Iterable[Edge]:
    if link.flow_id is not None:
        others = [FlowKey(key.tenant, link.namespace, link.flow_id)]
    else:
        others = sorted(each for each in known if each.namespace == link.namespace)
    for other in others:
        if other in known and link.relation == "FLOW_TASK":
            yield Edge(key, other, link.relation)
        elif other in known and other != key:
            yield Edge(other, key, link.relation)


async def _expand(
    caller: Caller, services: Services, drawn: Graph, *, subflows: Sequence[str]
) -> Graph:
    """The outer before the inner, whose nodes exist only then."""
    for uid in sorted(set(subflows), key=lambda each: (each.count("."), each)):
        node = next((each for each in drawn.nodes if each.uid == uid), None)
        if node is None or node.task is None or node.type != _SUBFLOW:
            raise IllegalArgumentError(f"`{uid}` is no task of the graph that starts a flow")
        key = FlowKey(caller.tenant, str(node.task["namespace"]), str(node.task["flowId"]))
        if not is_visible(caller, key):
            raise NotFoundError(f"Unable to find flow {key.tenant}_{key.namespace}_{key.id}")
        revision = node.task.get("revision")
        compiled = await services.plans.get(key, revision if isinstance(revision, int) else None)
        inner = flow_graph(compiled.flow.model_copy(update={"triggers": None}))
        drawn = expanded(drawn, node, inner)
    return drawn
