"""A node of a graph that starts a flow, replaced by that flow's own graph (03 §6.10). Pure."""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from batuta.flow.graph import Cluster, Edge, Graph, Node, Relation

_CLUSTER = "io.kestra.core.models.hierarchies.SubflowGraphCluster"


def expanded(outer: Graph, node: Node, inner: Graph) -> Graph:
    """`inner` begins with its root and its end. The task's own node stays, as the first inside the cluster."""
    uid = node.uid
    nodes = [replace(each, uid=_moved(each.uid, uid)) for each in inner.nodes]
    start, end = nodes[0].uid, nodes[1].uid
    edges = [
        Edge(
            uid if edge.source == inner.nodes[0].uid else _moved(edge.source, uid),
            _moved(edge.target, uid),
            edge.relation,
        )
        for edge in inner.edges
    ]
    own = Cluster(
        cluster={
            "uid": f"cluster_{uid}",
            "type": _CLUSTER,
            "relationType": node.relation_type or "SEQUENTIAL",
            "taskNode": msgspec.to_builtins(node),
        },
        nodes=(start, end, uid, *(each.uid for each in nodes[2:])),
        parents=_parents(outer, uid),
        start=start,
        end=end,
    )
    inside = [_moved_cluster(cluster, uid, own) for cluster in inner.clusters]
    place = outer.nodes.index(node)
    return Graph(
        nodes=(*outer.nodes[:place], *nodes[:2], node, *nodes[2:], *outer.nodes[place + 1 :]),
        edges=(
            *(_around(edge, uid, (start, end)) for edge in outer.edges),
            Edge(start, uid, Relation("SEQUENTIAL")),
            *edges,
        ),
        clusters=(*(_grown(each, uid, own) for each in outer.clusters), own, *inside),
    )


def _moved(name: str, place: str) -> str:
    return f"{place}{name.removeprefix('root')}"


def _around(edge: Edge, uid: str, span: tuple[str, str]) -> Edge:
    start, end = span
    return Edge(
        end if edge.source == uid else edge.source,
        start if edge.target == uid else edge.target,
        edge.relation,
    )


def _moved_cluster(cluster: Cluster, place: str, own: Cluster) -> Cluster:
    inner: dict[str, Any] = {
        **cluster.cluster,
        "uid": _cluster_moved(cluster.cluster["uid"], place),
    }
    task_node: Mapping[str, Any] | None = inner.get("taskNode")
    if task_node is not None:
        inner["taskNode"] = {**task_node, "uid": _moved(task_node["uid"], place)}
    around = (*own.parents, own.cluster["uid"])
    return Cluster(
        cluster=inner,
        nodes=tuple(_moved(name, place) for name in cluster.nodes),
        parents=(*around, *(_cluster_moved(name, place) for name in cluster.parents)),
        start=_moved(cluster.start, place),
        end=_moved(cluster.end, place),
    )


def _cluster_moved(name: str, place: str) -> str:
    return f"cluster_{_moved(name.removeprefix('cluster_'), place)}"


def _parents(graph: Graph, uid: str) -> tuple[str, ...]:
    """The clusters around a node, outermost first."""
    around = [cluster for cluster in graph.clusters if uid in cluster.nodes]
    around.sort(key=lambda cluster: len(cluster.parents))
    return tuple(str(cluster.cluster["uid"]) for cluster in around)


def _grown(cluster: Cluster, uid: str, own: Cluster) -> Cluster:
    """A cluster around the node holds the new nodes too."""
    if uid not in cluster.nodes:
        return cluster
    return replace(cluster, nodes=(*cluster.nodes, *(name for name in own.nodes if name != uid)))
