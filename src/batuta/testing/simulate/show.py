"""A simulated flow as YAML that `batuta run` runs, and what happened to it, for people.

Nobody but the world knows what its templates are rendered to and how its tasks end; in the YAML they are variables,
and tasks that go well.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from batuta.engine import plan as p
from batuta.flow.yaml.emit import block
from batuta.model.duration import format_duration
from batuta.model.ids import TaskId, derived_id
from batuta.testing.simulate.generate import DATE, TEMPLATE
from batuta.testing.simulate.happening import Happening

_CORE = "io.kestra.plugin.core"
_MOST_RUNS = 500
_VARIABLES = {"x": "true", "values": '["p", "q"]', "time": "PT1S", "child": "child", "date": DATE}
_SAY = {"id": "a", "type": f"{_CORE}.log.Log", "message": "here"}
_CHILD = {"id": "child", "namespace": "sim", "tasks": [_SAY]}

Yaml = dict[str, Any]


def flow_text(plan: p.Plan) -> str:
    """The flow, and the one that its Subflow tasks call as a second document."""
    return f"{block(_flow(plan), 0)}\n---\n{block(_CHILD, 0)}"


def _flow(plan: p.Plan) -> Yaml:
    found: Yaml = {"id": plan.flow.id, "namespace": plan.flow.namespace, "variables": _VARIABLES}
    if plan.concurrency is not None:
        limit = plan.concurrency
        found["concurrency"] = {"limit": limit.limit, "behavior": limit.behavior}
    if plan.sla:
        found["sla"] = [_sla(sla) for sla in plan.sla]
    if plan.outputs:
        found["outputs"] = [
            {
                "id": each.id,
                "type": each.type,
                "value": _said(each.value),
                "required": each.required,
            }
            for each in plan.outputs
        ]
    found["tasks"] = _tasks(plan, plan.tasks) or _nothing("flow")
    lists = {"errors": plan.errors, "finally": plan.finally_, "afterExecution": plan.after}
    return found | {name: _tasks(plan, tasks) for name, tasks in lists.items() if tasks}


def _sla(sla: p.Sla) -> Yaml:
    found: Yaml = {"id": sla.id, "behavior": sla.behavior}
    if sla.duration is not None:
        found |= {"type": "MAX_DURATION", "duration": format_duration(sla.duration)}
    else:
        found |= {"type": "EXECUTION_ASSERTION", "assert": _said(sla.assertion)}
    return found | {"labels": {label.key: label.value for label in sla.labels}}


def _tasks(plan: p.Plan, tasks: Sequence[TaskId]) -> list[Yaml]:
    return [_task(plan, plan.nodes[task]) for task in tasks]


def _nothing(name: str) -> list[Yaml]:
    """Tasks that are all disabled."""
    return [{"id": f"{name}_off", "type": f"{_CORE}.log.Log", "message": "-", "disabled": True}]


def _task(plan: p.Plan, node: p.AnyNode) -> Yaml:
    found: Yaml = {"id": node.id, **_kind(plan, node)}
    if node.run_if is not None:
        found["runIf"] = _said(node.run_if)
    if node.retry is not None:
        found["retry"] = _retry(node.retry)
    if node.allow_failure:
        found["allowFailure"] = True
    if node.allow_warning:
        found["allowWarning"] = True
    lists = {"errors": getattr(node, "errors", ()), "finally": getattr(node, "finally_", ())}
    return found | {name: _tasks(plan, tasks) for name, tasks in lists.items() if tasks}


def _retry(retry: p.Retry) -> Yaml:
    least = "minInterval" if retry.kind == "random" else "interval"
    found: Yaml = {"type": retry.kind, least: format_duration(retry.interval)}
    if retry.max_interval is not None and retry.kind != "constant":
        found["maxInterval"] = format_duration(retry.max_interval)
    if retry.max_attempts is not None:
        found["maxAttempts"] = retry.max_attempts
    if retry.max_duration is not None:
        found["maxDuration"] = format_duration(retry.max_duration)
    if retry.new_execution:
        found["behavior"] = "CREATE_NEW_EXECUTION"
    return found | ({"warningOnRetry": True} if retry.warning_on_retry else {})


def _kind(plan: p.Plan, node: p.AnyNode) -> Yaml:
    """Type and properties of the kind of task."""
    match node:
        case p.Leaf():
            return _leaf(plan, node)
        case p.Choice() | p.Each() | p.Loop() | p.Pause():
            return _repeating(plan, node)
        case p.Subflow() | p.EachItem():
            return _calling(node)
        case p.Iterations():
            return _iterating(plan, node)
        case _:
            return _holding(plan, node)


def _calling(node: p.Subflow | p.EachItem) -> Yaml:
    match node:
        case p.Subflow():
            return {"type": f"{_CORE}.flow.Subflow", **_call(node)}
        case _:
            call = _call(node.call)
            call["inheritLabels"] = node.call.inherit_labels is True
            return {"type": f"{_CORE}.flow.ForEachItem", "items": "{{ vars.x }}", **call}


def _holding(plan: p.Plan, node: p.AnyNode) -> Yaml:
    match node:
        case p.Dag():
            tasks = [
                {"task": task, "dependsOn": list(node.depends_on.get(TaskId(task["id"]), ()))}
                for task in _tasks(plan, node.tasks)
            ]
            return {"type": f"{_CORE}.flow.Dag", "concurrent": node.concurrent, "tasks": tasks}
        case p.Parallel():
            tasks = _tasks(plan, node.tasks)
            return {"type": f"{_CORE}.flow.Parallel", "concurrent": node.concurrent, "tasks": tasks}
        case p.WorkDir():
            found = {"type": f"{_CORE}.flow.WorkingDirectory", "tasks": _tasks(plan, node.tasks)}
            return found | _group(node)
        case p.Sequence():
            name = "AllowFailure" if node.failure_is_warning else "Sequential"
            tasks = _tasks(plan, node.tasks) or _nothing(node.id)
            return {"type": f"{_CORE}.flow.{name}", "tasks": tasks}
        case _:
            return {"type": node.type}


def _leaf(plan: p.Plan, node: p.Leaf) -> Yaml:
    inside = isinstance(plan.nodes.get(plan.parents.get(node.id, TaskId(""))), p.WorkDir)
    if node.updates_execution and not inside:
        found: Yaml = {"type": f"{_CORE}.execution.Labels", "labels": {"k": "1"}}
    elif node.inline and not inside:
        found = {"type": f"{_CORE}.log.Log", "message": "here"}
    else:
        found = {"type": f"{_CORE}.flow.Sleep", "duration": "PT0.1S"}
    found |= {} if node.timeout is None else {"timeout": _said(node.timeout, "time")}
    return found | _group(node)


def _group(node: p.Leaf | p.WorkDir) -> Yaml:
    group = node.worker_group
    return {} if group is None else {"workerGroup": {"key": group.key, "fallback": group.fallback}}


def _repeating(plan: p.Plan, node: p.Choice | p.Each | p.Loop | p.Pause) -> Yaml:
    match node:
        case p.Choice(is_condition=True):
            found: Yaml = {"type": f"{_CORE}.flow.If", "condition": _said(node.value)}
            found["then"] = _tasks(plan, node.cases["true"])
            other = node.cases.get("false")
            return found | ({"else": _tasks(plan, other)} if other else {})
        case p.Choice():
            cases = {name: _tasks(plan, tasks) for name, tasks in node.cases.items()}
            found = {"type": f"{_CORE}.flow.Switch", "value": _said(node.value), "cases": cases}
            return found | ({"defaults": _tasks(plan, node.defaults)} if node.defaults else {})
        case p.Each():
            return _each(node, _tasks(plan, node.tasks))
        case p.Loop():
            checks = {
                "interval": _said(node.interval, "time"),
                "maxIterations": node.max_iterations,
                "maxDuration": node.max_duration,
            }
            return {
                "type": f"{_CORE}.flow.LoopUntil",
                "condition": _said(node.condition),
                "failOnMaxReached": node.fail_on_max_reached,
                "checkFrequency": _without_none(checks),
                "tasks": _tasks(plan, node.tasks),
            }
        case _:
            return _pause(plan, node)


def _iterating(plan: p.Plan, node: p.Iterations) -> Yaml:
    found = {
        "type": f"{_CORE}.flow.Loop",
        "values": _said(node.values, "values"),
        "concurrencyLimit": node.concurrency,
        "transmitFailed": node.transmit_failed,
        "fetchType": node.fetch,
        "breakWhen": None if node.break_when is None else _said(node.break_when),
        "outputs": [
            {"id": one.id, "type": one.type, "value": _said(one.value)} for one in node.outputs
        ]
        or None,
        "tasks": _tasks(plan, node.tasks),
    }
    return _without_none(found)


def _pause(plan: p.Plan, node: p.Pause) -> Yaml:
    found = {
        "type": f"{_CORE}.flow.Pause",
        "pauseDuration": _said(node.duration, "time"),
        "timeout": _said(node.timeout, "time"),
        "behavior": node.behavior,
        "tasks": _tasks(plan, node.tasks) or None,
        "onPause": None if node.on_pause is None else _task(plan, plan.nodes[node.on_pause]),
    }
    return _without_none(found)


def _each(node: p.Each, tasks: list[Yaml]) -> Yaml:
    values = _said(node.values, "values")
    if node.ordered:
        limit = {"values": values, "concurrencyLimit": node.concurrency}
        return {"type": f"{_CORE}.flow.ForEach", **limit, "tasks": tasks}
    limit = {"value": values, "concurrent": node.concurrency}
    return {"type": f"{_CORE}.flow.EachParallel", **limit, "tasks": tasks}


def _call(node: p.Subflow) -> Yaml:
    found = {
        "namespace": _said(node.namespace),
        "flowId": _said(node.flow_id, "child"),
        "revision": node.revision,
        "inputs": None
        if node.inputs is None
        else {key: _said(v) for key, v in node.inputs.items()},
        "labels": node.labels,
        "inheritLabels": _said(node.inherit_labels),
        "wait": node.wait,
        "transmitFailed": node.transmit_failed,
        "scheduleDate": _said(node.schedule_date, "date"),
        "restartBehavior": "RETRY_FAILED" if node.restart_failed else "NEW_EXECUTION",
    }
    return _without_none(found)


def _said(value: Any, name: str = "x") -> Any:
    return f"{{{{ vars.{name} }}}}" if value == TEMPLATE else value


def _without_none(values: Mapping[str, Any]) -> Yaml:
    return {name: value for name, value in values.items() if value is not None}


def events_text(execution_id: str, happened: Sequence[Happening]) -> str:
    """One line each: time since the start, what, and about which task run (by its ordinal)."""
    names = {derived_id(execution_id, number): f"#{number}" for number in range(_MOST_RUNS)}
    start = happened[0].at if happened else 0
    return "\n".join(_line(happening, names, start=start) for happening in happened)


def _line(happening: Happening, names: dict[Any, str], *, start: int) -> str:
    parts = [f"# {format_duration(happening.at - start):>12} {type(happening).__name__}"]
    parts += _fields(happening, names)
    return " ".join(parts)


def _fields(happening: Happening, names: Mapping[Any, str]) -> Iterator[str]:
    for name in happening.__struct_fields__:
        value = getattr(happening, name)
        if name != "at" and value not in (None, (), {}):
            text = msgspec.json.encode(value).decode()
            for run_id, shown in names.items():
                text = text.replace(run_id, shown)
            yield f"{name}={text}"
