"""From a `Flow` to the frozen `Plan` that the engine walks (09 §4)."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from batuta.engine import plan
from batuta.flow.definition import UPDATES_EXECUTION, Concurrency, Flow, Sla
from batuta.flow.labels import label_pairs
from batuta.flow.reads import Reads, reads_of
from batuta.flow.rule_task import TEMPLATE, WORKING_DIRECTORY
from batuta.model.duration import parse_duration
from batuta.model.ids import FlowKey, TaskId
from batuta.model.label import Label
from batuta.sdk.definition import ControlTask, Placement, Retry, Task, TaskBase, WorkerGroup
from batuta.sdk.input import Output

Templates = Mapping[tuple[str, str], Flow]
"""By namespace and id: `tasks` and `errors` of each count."""
_FAIL = "io.kestra.plugin.core.execution.Fail"


def compile_flow(
    flow: Flow, *, key: FlowKey, revision: int, templates: Templates | None = None
) -> plan.Plan:
    """The plan of a flow that was read without errors. Disabled tasks are left out."""
    build = _Builder(flow, templates or {})
    tasks = build.branch(flow.tasks)
    return plan.Plan(
        flow=key,
        revision=revision,
        tasks=tasks,
        errors=build.branch(flow.errors),
        finally_=build.branch(flow.finally_),
        after=(*build.branch(_listening(flow)), *build.branch(flow.after_execution)),
        nodes=build.nodes,
        parents=build.parents,
        concurrency=_concurrency(flow.concurrency),
        outputs=tuple(_output(each) for each in flow.outputs or ()),
        sla=tuple(_sla(each) for each in flow.sla or ()),
        variables=flow.variables or {},
    )


def _listening(flow: Flow) -> list[TaskBase]:
    """Tasks of listeners run before those of afterExecution; listeners with conditions are left out."""
    return [task for each in flow.listeners or () if not each.conditions for task in each.tasks]


def compile_retry(retry: Retry | None, *, own: bool) -> plan.Retry | None:
    if retry is None:
        return None
    first = retry.min_interval if retry.type == "random" else retry.interval
    return plan.Retry(
        kind=retry.type,
        interval=parse_duration(first or "PT0S"),
        max_interval=_micros(retry.max_interval),
        delay_factor=2.0 if retry.delay_factor is None else retry.delay_factor,
        max_attempts=retry.max_attempts,
        max_duration=_micros(retry.max_duration),
        warning_on_retry=retry.warning_on_retry,
        new_execution=retry.behavior == "CREATE_NEW_EXECUTION",
        own=own,
    )


def _group(group: WorkerGroup | None) -> plan.WorkerGroup | None:
    if group is None or group.key is None:
        return None
    return plan.WorkerGroup(group.key, group.fallback or "WAIT")


def _micros(text: str | None) -> int | None:
    return None if text is None else parse_duration(text)


def _concurrency(concurrency: Concurrency | None) -> plan.Concurrency | None:
    if concurrency is None:
        return None
    return plan.Concurrency(concurrency.limit, concurrency.behavior)


def _output(output: Output) -> plan.FlowOutput:
    return plan.FlowOutput(
        id=output.id, type=output.type.value, value=output.value, required=output.required
    )


def _sla(sla: Sla) -> plan.Sla:
    return plan.Sla(
        id=sla.id,
        behavior=sla.behavior,
        duration=_micros(sla.duration),
        assertion=sla.assert_,
        labels=tuple(Label(key, value) for key, value in label_pairs(sla.labels)),
    )


class _Builder:
    """The `NodeBuilder` of control tasks: compiles what is inside them, depth first."""

    def __init__(self, flow: Flow, templates: Templates) -> None:
        self._templates = templates
        self._open: list[tuple[str, str]] = []
        self._ids = {task.id for tasks in _lists(flow) for task in nested_tasks(tasks)}
        self.nodes: dict[TaskId, plan.AnyNode] = {}
        self.parents: dict[TaskId, TaskId] = {}
        self._around: list[TaskId] = []
        self._retries = [compile_retry(flow.retry, own=False)]
        self._group = _group(flow.worker_group)
        self._variables: Mapping[str, Any] = flow.variables or {}
        self._variable_reads: Reads | None = None

    def branch(self, tasks: Sequence[TaskBase] | None) -> tuple[TaskId, ...]:
        enabled = [task for task in tasks or () if not task.disabled]
        for task in enabled:
            self._compile(task)
        return tuple(TaskId(task.id) for task in enabled)

    def detached(self, task: TaskBase) -> TaskId | None:
        """A task that runs without a parent (01 §6.12, `onPause`)."""
        if task.disabled:
            return None
        around, self._around = self._around, []
        self._compile(task)
        self._around = around
        return TaskId(task.id)

    def common(self, task: TaskBase) -> dict[str, Any]:
        own = compile_retry(task.retry, own=True)
        return {
            "id": TaskId(task.id),
            "type": task.type,
            "run_if": _condition(task.run_if),
            "retry": own if own is not None else self._inherited(),
            "allow_failure": task.allow_failure,
            "allow_warning": task.allow_warning,
            "log_level": task.log_level,
        }

    def control(self, task: TaskBase, main: Sequence[TaskBase] | None) -> dict[str, Any]:
        return {
            **self.common(task),
            "errors": self.branch(getattr(task, "errors", None)),
            "finally_": self.branch(getattr(task, "finally_", None)),
            "has_disabled": bool(main) and all(each.disabled for each in main or ()),
        }

    def spec(self, task: TaskBase, *, without: Sequence[str] = ()) -> dict[str, Any]:
        return {name: value for name, value in task.spec.items() if name not in without}

    def outputs_read(self, task: TaskBase, *, without: Sequence[str] = ()) -> frozenset[str] | None:
        reads = reads_of(self.spec(task, without=without))
        if reads.variables:
            if self._variable_reads is None:
                self._variable_reads = reads_of(self._variables)
            reads = reads.merged(self._variable_reads)
        return reads.outputs

    def worker_group(self, task: TaskBase) -> plan.WorkerGroup | None:
        return _group(task.worker_group) or self._group

    def whole_number(self, value: Any) -> int | str:
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        text = str(value).strip()
        return int(text) if text.lstrip("+-").isdecimal() else text

    def template(
        self, task: TaskBase, *, namespace: str, template_id: str, args: Any
    ) -> plan.AnyNode:
        place = (namespace, template_id)
        problem = self._obstacle(place)
        if problem is not None:
            spec = {"id": task.id, "type": _FAIL, "errorMessage": problem}
            return plan.Leaf(**{**self.common(task), "type": _FAIL}, inline=True, spec=spec)
        found = self._templates[place]
        self._ids.update(each.id for each in _of_template(found))
        self._open.append(place)
        errors = found.errors or getattr(task, "errors", None)
        node = plan.Sequence(
            **self.common(task),
            tasks=self.branch(found.tasks),
            errors=self.branch(errors),
            finally_=self.branch(getattr(task, "finally_", None)),
            args=args,
        )
        self._open.pop()
        return node

    def _obstacle(self, place: tuple[str, str]) -> str | None:
        """Why the template cannot be run here."""
        name = ".".join(place)
        found = self._templates.get(place)
        if place in self._open:
            return f"The template {name} holds itself"
        if found is None:
            return f"Unable to find the template {name}"
        clashing = sorted({each.id for each in _of_template(found)} & self._ids)
        if clashing:
            return f"The template {name} has tasks whose ids are in use: {', '.join(clashing)}"
        return None

    def leaf(self, task_id: str, type_name: str, spec: dict[str, Any]) -> TaskId:
        name = TaskId(task_id)
        full = {"id": task_id, "type": type_name, **spec}
        self._place(name)
        self.nodes[name] = plan.Leaf(
            id=name,
            type=type_name,
            spec=full,
            outputs_read=reads_of(full).outputs,
            worker_group=self._group,
        )
        return name

    def _compile(self, task: TaskBase) -> None:
        name = TaskId(task.id)
        self._place(name)
        if not isinstance(task, ControlTask):
            self.nodes[name] = self._leaf(task)
            return
        self._around.append(name)
        own = compile_retry(task.retry, own=False)
        self._retries.append(own if own is not None else self._inherited())
        group = self._group
        if type(task).TYPE == WORKING_DIRECTORY:
            self._group = self.worker_group(task)
        node = task.compile(self)
        self._group = group
        self._retries.pop()
        self._around.pop()
        self.nodes[name] = node
        if isinstance(node, plan.EachItem):
            self.parents[node.items] = name
            self.nodes[node.items] = node.call

    def _inherited(self) -> plan.Retry | None:
        return self._retries[-1]

    def _place(self, name: TaskId) -> None:
        if self._around:
            self.parents[name] = self._around[-1]

    def _leaf(self, task: TaskBase) -> plan.Leaf:
        placement = task.PLACEMENT if isinstance(task, Task) else Placement.WORKER
        updates = type(task).TYPE in UPDATES_EXECUTION
        if placement is Placement.INLINE and not updates and (task.log_to_file or task.task_cache):
            # Both end in a file, and whoever runs inline has none.
            placement = Placement.SERVER
        common = self.common(task)
        return plan.Leaf(
            **common,
            inline=placement is Placement.INLINE,
            updates_execution=updates,
            placement=placement.value,
            timeout=task.timeout,
            spec=dict(task.spec),
            outputs_read=self.outputs_read(task),
            worker_group=None if updates else self.worker_group(task),
        )


def _condition(run_if: str | None) -> str | None:
    """None where the task always runs."""
    return None if run_if is None or run_if == "true" else run_if


def templates_of(flow: Flow) -> list[tuple[str, str]]:
    """Namespaces and ids of the templates that its tasks name."""
    return [
        (str(each.spec["namespace"]), str(each.spec["templateId"]))
        for tasks in _lists(flow)
        for each in nested_tasks(tasks)
        if type(each).TYPE == TEMPLATE
    ]


def _lists(flow: Flow) -> Iterator[Sequence[TaskBase]]:
    for tasks in (flow.tasks, flow.errors, flow.finally_, _listening(flow), flow.after_execution):
        yield tasks or ()


def _of_template(template: Flow) -> Iterator[TaskBase]:
    yield from nested_tasks(template.tasks)
    yield from nested_tasks(template.errors)


def nested_tasks(tasks: Sequence[TaskBase] | None) -> Iterator[TaskBase]:
    """All tasks of a list and inside them, the outer before the inner, disabled ones included."""
    for task in tasks or ():
        yield task
        for name in type(task).model_fields:
            yield from _inside(getattr(task, name))


def _inside(value: Any) -> Iterator[TaskBase]:
    if isinstance(value, TaskBase):
        yield from nested_tasks([value])
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _inside(item)
    elif isinstance(value, list):
        for item in value:
            yield from _inside(item)
    elif hasattr(value, "task") and isinstance(value.task, TaskBase):
        yield from nested_tasks([value.task])
