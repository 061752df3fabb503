"""Graphs of flows and of executions, and dependencies, as the API shows them (03 §6.10, §6.11)."""

from collections.abc import Mapping, Sequence
from typing import Any

from batuta.engine.execution import Execution, TaskRun
from batuta.flow.compile import nested_tasks
from batuta.model.ids import FlowKey
from batuta.model.instant import Instant
from batuta.operations.executions import ExecutionView
from batuta.operations.flows.topology import FlowGraph, Topology
from batuta.web.wire.execution import task_run_wire
from batuta.web.wire.reduced import task_wire
from batuta.web.wire.trigger import trigger_wire


def graph_wire(drawn: FlowGraph) -> dict[str, Any]:
    wire = drawn.graph.to_json()
    states = {row.key.id: row for row in drawn.triggers}
    for node in wire["nodes"]:
        declared = node.get("triggerDeclaration")
        row = None if declared is None else states.get(declared["id"])
        if row is not None:
            node["trigger"] = trigger_wire(row)
    return wire


def execution_graph_wire(drawn: FlowGraph, view: ExecutionView, *, now: Instant) -> dict[str, Any]:
    """Tasks are reduced (03 §6.3); a task in a loop has one node, with its values and its newest task run."""
    wire = graph_wire(drawn)
    runs: dict[str, list[TaskRun]] = {}
    for row in view.runs:
        runs.setdefault(row.run.task_id, []).append(row.run)
    reduced = _reduced(drawn)
    execution = view.row.execution
    for node in _task_nodes(wire):
        _fill(node, reduced, runs, execution=execution, now=now)
    return wire


def topology_wire(topology: Topology) -> dict[str, Any]:
    return {
        "nodes": [
            {
                "uid": _uid(key),
                "tenantId": key.tenant,
                "namespace": key.namespace,
                "id": key.id,
            }
            for key in topology.nodes
        ],
        "edges": [
            {
                "source": _uid(edge.source),
                "target": _uid(edge.target),
                "relation": edge.relation,
            }
            for edge in topology.edges
        ],
    }


def _uid(key: FlowKey) -> str:
    return f"{key.tenant}_{key.namespace}_{key.id}"


def _task_nodes(wire: Mapping[str, Any]) -> Sequence[dict[str, Any]]:
    inside = [cluster["cluster"].get("taskNode") for cluster in wire["clusters"]]
    return [node for node in (*wire["nodes"], *inside) if node is not None and "task" in node]


def _reduced(drawn: FlowGraph) -> dict[str, dict[str, Any]]:
    flow = drawn.flow
    sections = (flow.tasks, flow.errors, flow.finally_, flow.after_execution)
    return {task.id: task_wire(task) for section in sections for task in nested_tasks(section)}


def _fill(
    node: dict[str, Any],
    reduced: Mapping[str, dict[str, Any]],
    runs: Mapping[str, list[TaskRun]],
    *,
    execution: Execution,
    now: Instant,
) -> None:
    task = node["task"]
    node["task"] = reduced.get(task["id"], {"id": task["id"], "type": task["type"]})
    of_task = runs.get(task["id"]) or ()
    values = [run.value for run in of_task if run.value is not None]
    if values:
        node["values"] = values
    if of_task:
        node["taskRun"] = task_run_wire(of_task[-1], execution, outputs={}, now=now)
