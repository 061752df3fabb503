"""The topology of a flow, and its links to others."""

from batuta.flow.dependency import Link, links_of
from batuta.flow.graph import flow_graph, to_mermaid
from tests.unit.flow.sources import flow, log, tasks
from tests.unit.flow.test_compile import CONTROL, FLOW


def test_a_linear_flow_of_three_tasks_has_five_nodes_four_edges_and_no_cluster() -> None:
    graph = flow_graph(flow(tasks(log("a"), log("b"), log("c"))))
    assert (len(graph.nodes), len(graph.edges), len(graph.clusters)) == (5, 4, 0)
    assert [node.uid for node in graph.nodes[2:]] == ["root.a", "root.b", "root.c"]
    assert graph.nodes[0].uid.startswith("root.root-")


def test_the_same_flow_gives_the_same_graph() -> None:
    assert flow_graph(flow(CONTROL)) == flow_graph(flow(CONTROL))


def test_each_control_task_is_a_cluster_with_its_frame() -> None:
    graph = flow_graph(flow(CONTROL))
    uids = {cluster.cluster["uid"] for cluster in graph.clusters}
    assert {"cluster_root.if", "cluster_root.dag", "cluster_root.dir"} <= uids
    cluster = next(each for each in graph.clusters if each.cluster["uid"] == "cluster_root.if")
    assert cluster.cluster["taskNode"]["uid"] == "root.if"
    assert {"root.if", "root.if.good", "root.if.bad"} <= set(cluster.nodes)
    assert cluster.start in cluster.nodes


def test_edges_say_which_branch_they_are() -> None:
    graph = flow_graph(flow(CONTROL))
    relations = {edge.target: edge.relation for edge in graph.edges}
    assert (relations["root.if.bad"].relation_type, relations["root.if.bad"].value) == (
        "CHOICE",
        "else",
    )
    assert relations["root.switch.one"].value == "1"
    assert relations["root.each.item"].relation_type == "DYNAMIC"
    sources = {edge.source for edge in graph.edges if edge.target == "root.dag.second"}
    assert sources == {"root.dag.first"}


def test_every_node_can_be_reached_and_left() -> None:
    graph = flow_graph(flow(CONTROL))
    known = {node.uid for node in graph.nodes}
    assert {edge.source for edge in graph.edges} | {edge.target for edge in graph.edges} <= known
    sources = {edge.source for edge in graph.edges}
    assert [uid for uid in known if uid not in sources] == [
        node.uid for node in graph.nodes if node.uid.startswith("root.end-")
    ]


def test_triggers_stand_in_a_cluster_of_their_own() -> None:
    body = tasks(log()) + (
        "triggers:\n  - {id: hook, type: io.kestra.plugin.core.trigger.Webhook, key: k}\n"
    )
    json = flow_graph(flow(body)).to_json()
    assert json["clusters"][0]["cluster"]["uid"] == "cluster_root.Triggers"
    trigger = next(node for node in json["nodes"] if node["uid"] == "root.Triggers.hook")
    assert trigger["triggerDeclaration"]["key"] == "k"


def test_mermaid_text_names_the_tasks() -> None:
    text = to_mermaid(flow_graph(flow(CONTROL)))
    assert text.startswith("flowchart TD\n")
    assert '["switch"]' in text
    assert "choice else" in text


def test_links_to_other_flows_are_found() -> None:
    body = f"""
tasks:
  - {{id: a, type: {FLOW}.Subflow, namespace: n, flowId: f}}
  - {{id: b, type: {FLOW}.Subflow, namespace: n, flowId: "{{{{ inputs.f }}}}"}}
triggers:
  - id: t
    type: io.kestra.plugin.core.trigger.Flow
    preconditions: {{id: p, flows: [{{namespace: up, flowId: x}}, {{namespace: up}}]}}
"""
    assert links_of(flow(body)) == (
        Link("FLOW_TASK", "n", "f"),
        Link("FLOW_TRIGGER", "up", "x"),
        Link("FLOW_TRIGGER", "up", None),
    )


def test_a_loop_is_a_chain_of_its_tasks() -> None:
    inside = f"[{log('a')[2:]}, {log('b')[2:]}]"
    errors = f"[{log('e')[2:]}]"
    body = tasks(
        f"- {{id: loop, type: {FLOW}.Loop, values: [1], tasks: {inside}, errors: {errors}}}"
    )
    graph = flow_graph(flow(body))
    relations = {edge.target: edge.relation.relation_type for edge in graph.edges}
    assert relations["root.loop.a"] is None
    assert relations["root.loop.b"] == "SEQUENTIAL"
    assert relations["root.loop.e"] == "ERROR"
    assert [each.cluster["uid"] for each in graph.clusters] == ["cluster_root.loop"]
