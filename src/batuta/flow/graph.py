"""The topology of a flow as the API gives it: nodes, edges and clusters (03 §6.10, §7.9)."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from batuta.flow.definition import Flow
from batuta.model.ids import derived_id

_PACKAGE = "io.kestra.core.models.hierarchies"
_FLOW = "io.kestra.plugin.core.flow"
_SUFFIX = 7
"""Characters of what makes the uid of a structural node its own."""


Spec = Mapping[str, Any]
"""A task with its canonical type."""


class Relation(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    relation_type: str | None = None
    value: str | None = None


class Edge(msgspec.Struct, frozen=True):
    source: str
    target: str
    relation: Relation = Relation()


class Node(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    uid: str
    type: str
    branch_type: str | None = None
    task: Mapping[str, Any] | None = None
    trigger_declaration: Mapping[str, Any] | None = None
    relation_type: str | None = None


class Cluster(msgspec.Struct, frozen=True, kw_only=True):
    cluster: Mapping[str, Any]
    nodes: tuple[str, ...]
    parents: tuple[str, ...]
    start: str
    end: str


class Graph(msgspec.Struct, frozen=True, kw_only=True):
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    clusters: tuple[Cluster, ...]

    def to_json(self) -> dict[str, Any]:
        found: dict[str, Any] = msgspec.to_builtins(self)
        return found


def flow_graph(flow: Flow) -> Graph:
    """Same flow, same graph: the uids of structural nodes are derived from their places."""
    drawing = _Drawing(f"{flow.namespace}.{flow.id}")
    top = _Place(path="root", parents=())
    start, end = drawing.frame(top)
    if flow.triggers:
        _draw_triggers(drawing, flow.triggers, start)
    _draw_sections(
        drawing,
        _Sections(
            tasks=_specs(flow.tasks),
            errors=_specs(flow.errors),
            finally_=_specs(flow.finally_),
            after=_specs(flow.after_execution),
        ),
        top,
        span=(start, end),
    )
    return drawing.graph()


def to_mermaid(graph: Graph) -> str:
    """The graph as text that Mermaid draws."""
    names = {node.uid: f"n{number}" for number, node in enumerate(graph.nodes)}
    lines = ["flowchart TD"]
    for node in graph.nodes:
        declared = node.task or node.trigger_declaration
        label = str(declared["id"]) if declared is not None else " "
        left, right = ("[", "]") if declared is not None else ("((", "))")
        lines.append(f'  {names[node.uid]}{left}"{label}"{right}')
    for edge in graph.edges:
        words = [part for part in (edge.relation.relation_type, edge.relation.value) if part]
        arrow = f"-- {' '.join(words).lower()} -->" if words and words != ["SEQUENTIAL"] else "-->"
        lines.append(f"  {names[edge.source]} {arrow} {names[edge.target]}")
    return "\n".join(lines) + "\n"


def _specs(tasks: Sequence[Any] | None) -> list[Spec]:
    return [{**task.spec, "type": type(task).TYPE or task.type} for task in tasks or ()]


class _Place(msgspec.Struct, frozen=True):
    """Where nodes are drawn: the dotted path, and the clusters around, outermost first."""

    path: str
    parents: tuple[str, ...]


class _Inside(msgspec.Struct, frozen=True):
    """What is drawn inside a control task, from its own node to the end of its cluster."""

    drawing: "_Drawing"
    task: Spec
    place: _Place
    span: tuple[str, str]

    def branch(self, tasks: Sequence[Spec] | None, relation: str, value: str | None = None) -> None:
        _draw_branch(
            self.drawing, tasks or (), self.place, span=self.span, relation=relation, value=value
        )


class _Sections(msgspec.Struct, frozen=True, kw_only=True):
    tasks: Sequence[Spec]
    errors: Sequence[Spec] = ()
    finally_: Sequence[Spec] = ()
    after: Sequence[Spec] = ()


class _Drawing:
    def __init__(self, seed: str) -> None:
        self._seed = seed
        self._nodes: list[Node] = []
        self._edges: list[Edge] = []
        self._clusters: list[Cluster] = []
        self._count = 0

    def graph(self) -> Graph:
        return Graph(
            nodes=tuple(self._nodes), edges=tuple(self._edges), clusters=tuple(self._clusters)
        )

    def structural(self, place: _Place, word: str, kind: str) -> str:
        self._count += 1
        uid = f"{place.path}.{word}-{derived_id(self._seed, self._count)[-_SUFFIX:]}"
        self._nodes.append(Node(uid=uid, type=f"{_PACKAGE}.{kind}"))
        return uid

    def frame(self, place: _Place) -> tuple[str, str]:
        return (
            self.structural(place, "root", "GraphClusterRoot"),
            self.structural(place, "end", "GraphClusterEnd"),
        )

    def node(self, node: Node) -> None:
        self._nodes.append(node)

    def edge(self, source: str, target: str, relation: Relation | None = None) -> None:
        self._edges.append(Edge(source, target, relation or Relation()))

    @property
    def size(self) -> int:
        return len(self._nodes)

    def cluster(
        self, place: _Place, *, since: int, head: str | None, span: tuple[str, str]
    ) -> None:
        """Everything that was drawn since then, as one."""
        cluster: dict[str, Any] = {
            "uid": f"cluster_{place.path}",
            "type": f"{_PACKAGE}.GraphCluster",
        }
        if head is not None:
            cluster["taskNode"] = next(
                msgspec.to_builtins(node) for node in self._nodes if node.uid == head
            )
        self._clusters.append(
            Cluster(
                cluster=cluster,
                nodes=tuple(node.uid for node in self._nodes[since:]),
                parents=place.parents,
                start=span[0],
                end=span[1],
            )
        )


def _draw_triggers(drawing: _Drawing, triggers: Sequence[Any], flow_root: str) -> None:
    place = _Place(path="root.Triggers", parents=())
    before = drawing.size
    start, end = drawing.frame(place)
    for trigger in triggers:
        uid = f"{place.path}.{trigger.id}"
        drawing.node(
            Node(uid=uid, type=f"{_PACKAGE}.GraphTrigger", trigger_declaration=dict(trigger.spec))
        )
        drawing.edge(start, uid)
        drawing.edge(uid, end)
    drawing.edge(end, flow_root)
    drawing.cluster(place, since=before, head=None, span=(start, end))


def _draw_sections(
    drawing: _Drawing, sections: _Sections, place: _Place, *, span: tuple[str, str]
) -> None:
    """Main tasks from start to end, then error, final and after-execution branches."""
    start, end = span
    if sections.after:
        after = drawing.structural(place, "afterExecution", "GraphClusterAfterExecution")
        _draw_branch(drawing, sections.after, place, span=(after, end), relation="AFTER_EXECUTION")
        end = after
    if sections.finally_:
        final = drawing.structural(place, "finally", "GraphClusterFinally")
        _draw_branch(drawing, sections.finally_, place, span=(final, end), relation="FINALLY")
        end = final
    _draw_branch(drawing, sections.tasks, place, span=(start, end), relation="SEQUENTIAL")
    if sections.errors:
        _draw_branch(drawing, sections.errors, place, span=(start, end), relation="ERROR")


_BRANCHES = frozenset({"ERROR", "FINALLY", "AFTER_EXECUTION"})


def _draw_branch(
    drawing: _Drawing,
    tasks: Sequence[Spec],
    place: _Place,
    *,
    span: tuple[str, str],
    relation: str,
    value: str | None = None,
) -> None:
    """A chain of tasks; the first edge says why the branch is taken."""
    previous, end = span
    kind = relation if relation in _BRANCHES else None
    first = Relation() if relation == "SEQUENTIAL" else Relation(relation, value)
    for task in tasks:
        entry, leave = _draw_task(drawing, task, place, relation=relation, branch=kind)
        drawing.edge(previous, entry, first)
        previous, first = leave, Relation("SEQUENTIAL")
    drawing.edge(previous, end, first if not tasks else None)


def _draw_task(
    drawing: _Drawing, task: Spec, place: _Place, *, relation: str, branch: str | None
) -> tuple[str, str]:
    """The nodes where a task is entered and left."""
    uid = f"{place.path}.{task['id']}"
    kind = str(task["type"])
    inside = _INSIDE.get(kind)
    node = Node(
        uid=uid,
        type=f"{_PACKAGE}.{'SubflowGraphTask' if kind == f'{_FLOW}.Subflow' else 'GraphTask'}",
        branch_type=branch,
        task=task,
        relation_type=relation,
    )
    if inside is None:
        drawing.node(node)
        return uid, uid
    inner = _Place(path=uid, parents=(*place.parents, f"cluster_{uid}"))
    before = drawing.size
    start, end = drawing.frame(inner)
    drawing.node(node)
    drawing.edge(start, uid)
    inside(_Inside(drawing, task, inner, (uid, end)))
    _draw_side_branches(drawing, task, inner, span=(uid, end))
    drawing.cluster(
        _Place(path=uid, parents=place.parents), since=before, head=uid, span=(start, end)
    )
    return start, end


def _draw_side_branches(
    drawing: _Drawing, task: Spec, place: _Place, *, span: tuple[str, str]
) -> None:
    for name, relation in (("errors", "ERROR"), ("finally", "FINALLY")):
        if task.get(name):
            _draw_branch(drawing, task[name], place, span=span, relation=relation)


def _sequence(inside: _Inside) -> None:
    inside.branch(inside.task.get("tasks"), "SEQUENTIAL")


def _dynamic(inside: _Inside) -> None:
    inside.branch(inside.task.get("tasks"), "DYNAMIC")


def _side_by_side(inside: _Inside) -> None:
    for child in inside.task.get("tasks") or ():
        inside.branch([child], "PARALLEL")


def _if(inside: _Inside) -> None:
    for name in ("then", "else"):
        if inside.task.get(name):
            inside.branch(inside.task[name], "CHOICE", name)


def _switch(inside: _Inside) -> None:
    branches = {**(inside.task.get("cases") or {}), "defaults": inside.task.get("defaults")}
    for name, children in branches.items():
        if children:
            inside.branch(children, "CHOICE", name)


def _dag(inside: _Inside) -> None:
    head, end = inside.span
    drawing = inside.drawing
    entries = list(inside.task.get("tasks") or ())
    spans = {
        entry["task"]["id"]: _draw_task(
            drawing, entry["task"], inside.place, relation="DYNAMIC", branch=None
        )
        for entry in entries
    }
    needed = {name for entry in entries for name in entry.get("dependsOn") or ()}
    for entry in entries:
        start, leave = spans[entry["task"]["id"]]
        depends = [name for name in entry.get("dependsOn") or () if name in spans]
        for name in depends:
            drawing.edge(spans[name][1], start, Relation("DYNAMIC"))
        if not depends:
            drawing.edge(head, start, Relation("DYNAMIC"))
        if entry["task"]["id"] not in needed:
            drawing.edge(leave, end)


_INSIDE = {
    f"{_FLOW}.Sequential": _sequence,
    f"{_FLOW}.AllowFailure": _sequence,
    f"{_FLOW}.WorkingDirectory": _sequence,
    f"{_FLOW}.Loop": _sequence,
    f"{_FLOW}.LoopUntil": _sequence,
    f"{_FLOW}.Pause": _sequence,
    f"{_FLOW}.Parallel": _side_by_side,
    f"{_FLOW}.EachParallel": _side_by_side,
    f"{_FLOW}.EachSequential": _dynamic,
    f"{_FLOW}.ForEach": _dynamic,
    f"{_FLOW}.ForEachItem": _sequence,
    f"{_FLOW}.If": _if,
    f"{_FLOW}.Switch": _switch,
    f"{_FLOW}.Dag": _dag,
}
