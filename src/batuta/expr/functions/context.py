"""Functions about the template itself and about the execution it runs in."""

from collections.abc import Mapping

from batuta.expr.compiler.state import State
from batuta.expr.errors import (
    EvaluationError,
    ExpressionError,
    LimitError,
    NestedError,
    RenderRecursionError,
    RuntimeFaultError,
)
from batuta.expr.format.text import java_text
from batuta.expr.registry import FUNCTIONS
from batuta.expr.values import LeafMap, Value, is_map


@FUNCTIONS(
    "block",
    "name",
    with_state=True,
    template="{% block b %}B{% endblock %}{{ block('b') }}",
    result="BB",
)
def block(s: State, name: Value) -> str:
    """Prints a block of the template again."""
    pieces: list[str] = []
    s.meter.enter()
    for statement in s.blocks.get(name, ()) if isinstance(name, str) else ():
        statement(s, pieces.append)
    s.meter.leave()
    s.meter.charge(sum(map(len, pieces)))
    return "".join(pieces)


@FUNCTIONS(
    "parent",
    template="{{ 1 is odd ? 'no inheritance' : parent() }}",
    result="no inheritance",
)
def parent() -> Value:
    """Fails: templates do not inherit from each other."""
    raise EvaluationError(
        "Can not use parent function if template does not extend another template."
    )


@FUNCTIONS(
    "i18n",
    "bundle",
    "key",
    "params",
    template="{{ 1 is odd ? 'no bundles' : i18n('b', 'k') }}",
    result="no bundles",
)
def i18n(bundle: Value, _key: Value, _params: Value) -> Value:
    """Fails: there are no bundles of translations."""
    raise RuntimeFaultError(f"Can't find bundle for base name {java_text(bundle)}")


# Rendering


@FUNCTIONS(
    "render",
    "toRender",
    "recursive",
    required=("toRender",),
    with_state=True,
    template="{% set t = '{' ~ '{ 1 + 1 }' ~ '}' %}{{ render(t) }}",
    result="2",
)
def render(s: State, to_render: Value, recursive: Value) -> Value:
    """Renders a text, or the texts of a map or list, until nothing changes."""
    if recursive is None:
        recursive = True
    if not isinstance(recursive, bool):
        raise EvaluationError("The 'recursive' argument of 'render' must be a boolean.")
    return _rendered(s, to_render, recursive=recursive, name="render")


@FUNCTIONS(
    "renderOnce",
    "toRender",
    required=("toRender",),
    with_state=True,
    template="{% set t = '{' ~ '{ 1 + 1 }' ~ '}' %}{{ renderOnce(t) }}",
    result="2",
)
def render_once(s: State, to_render: Value) -> Value:
    """Renders a text, or the texts of a map or list, one time."""
    return _rendered(s, to_render, recursive=False, name="renderOnce")


def _rendered(s: State, value: Value, *, recursive: bool, name: str) -> Value:
    from batuta.expr.context import Context
    from batuta.expr.template import compile_template, strip_raw

    outer = s.outer
    context = Context(outer.visible_map(), outer.host)

    def one_pass(item: Value) -> Value:
        if not isinstance(item, str) or "{" not in item:
            return item
        return strip_raw(compile_template(item).render_once(context, s.meter))

    def leaf(item: Value) -> Value:
        if not recursive or not isinstance(item, str) or "{" not in item:
            return one_pass(item)
        return strip_raw(compile_template(item).render_stable(context, s.meter))

    s.meter.enter()
    try:
        return LeafMap(leaf, one_pass).apply(value)
    except (LimitError, RenderRecursionError):
        raise
    except ExpressionError as problem:
        raise NestedError(problem.message) from problem
    finally:
        s.meter.leave()


@FUNCTIONS("printContext", with_state=True, template="{{ printContext() }}", result="{}")
def print_context(s: State) -> Value:
    """A map of all variables."""
    return s.outer.visible()


@FUNCTIONS("fetchContext", with_state=True, template="{{ fetchContext() is map }}", result="true")
def fetch_context(s: State) -> Value:
    """A map of all variables."""
    return s.outer.visible()


# The execution


def variable(s: State, name: str) -> Value:
    """A variable of the context, null if there is none."""
    try:
        return s.outer.local[name] if name in s.outer.local else s.outer.variables[name]
    except KeyError:
        return None


@FUNCTIONS(
    "currentEachOutput",
    "outputs",
    with_state=True,
    template="{{ currentEachOutput({'a': 1}) }}",
    result='{"a":1}',
)
def current_each_output(s: State, outputs: Value) -> Value:
    """The part of a task's outputs that belongs to the current turn of the loops around."""
    if not is_map(outputs):
        raise EvaluationError(
            "The 'currentEachOutput' function expects an argument 'outputs' with type map."
        )
    return _walk(outputs, _turn_values(s))


def _turn_values(s: State) -> list[str]:
    """Values of the loops around, outermost first, then the own one (02 §5)."""
    parents = variable(s, "parents") or []
    values = [_value_of(parent) for parent in reversed(parents)]
    values.append(_value_of({"taskrun": variable(s, "taskrun")}))
    return [value for value in values if value is not None]


def _value_of(parent: Value) -> str | None:
    taskrun = parent.get("taskrun") if isinstance(parent, Mapping) else None
    value = taskrun.get("value") if isinstance(taskrun, Mapping) else None
    return None if value is None else java_text(value)


def _walk(outputs: Value, values: list[str]) -> Value:
    """Goes down one level for each value; where a level is missing the values of deeper tasks end."""
    current = outputs
    for value in values:
        if not isinstance(current, Mapping) or value not in current:
            break
        current = current[value]
    return current


@FUNCTIONS(
    "iterationOutput",
    "taskId",
    with_state=True,
    template="{{ iterationOutput('make') ?? 'no such task' }}",
    result="no such task",
)
def iteration_output(s: State, task_id: Value) -> Value:
    """The outputs of a task in the current turn of the loops around; null if it has none."""
    if not isinstance(task_id, str):
        raise EvaluationError("The 'iterationOutput' function expects an argument 'taskId'.")
    outputs = variable(s, "outputs")
    if not isinstance(outputs, Mapping) or task_id not in outputs:
        return None
    return _walk(outputs[task_id], _turn_values(s))


@FUNCTIONS(
    "loopOutputs",
    "outputs",
    "id",
    template="{{ loopOutputs([{'outputs': {'a': 1}}, {'outputs': {'a': 2}}], 'a') }}",
    result="[1,2]",
)
def loop_outputs(outputs: Value, name: Value) -> Value:
    """One output of all iterations of a Loop, from its list `outputs`; iterations without it are left out."""
    if not isinstance(outputs, list) or not isinstance(name, str):
        raise EvaluationError(
            "The 'loopOutputs' function expects the outputs of a Loop and the id of one of them."
        )
    found = (each.get("outputs") if isinstance(each, Mapping) else None for each in outputs)
    return [one[name] for one in found if isinstance(one, Mapping) and name in one]


@FUNCTIONS(
    "tasksWithState",
    "state",
    with_state=True,
    template="{{ tasksWithState('FAILED') }}",
    result="[]",
)
def tasks_with_state(s: State, state: Value) -> Value:
    """The tasks of the execution that are in a state."""
    if state is None:
        raise EvaluationError("The 'tasksWithState' function expects an argument 'state'.")
    wanted = java_text(state).lower()
    tasks = variable(s, "tasks")
    result: list[Value] = []
    for task_id, entry in tasks.items() if isinstance(tasks, Mapping) else ():
        for value, own in _runs_of(entry):
            if java_text(own).lower() == wanted:
                loop = {} if value is None else {"value": value}
                result.append({"taskId": task_id, **loop, "state": java_text(own)})
    return result


def _runs_of(entry: Value) -> list[tuple[Value, Value]]:
    """Loop value, or `None`, and state of the runs of one task."""
    if not isinstance(entry, Mapping):
        return []
    if isinstance(entry.get("state"), str):
        return [(None, entry["state"])]
    return [
        (value, run["state"])
        for value, run in entry.items()
        if isinstance(run, Mapping) and isinstance(run.get("state"), str)
    ]


@FUNCTIONS(
    "errorLogs",
    with_state=True,
    template="{{ 1 is odd ? 'on workers' : errorLogs() }}",
    result="on workers",
)
def error_logs(s: State) -> Value:
    """The error log entries of the execution."""
    return s.host.error_logs()


@FUNCTIONS(
    "appLink",
    "appId",
    "baseUrl",
    with_state=True,
    template="{{ appLink('my-app', baseUrl='https://host') }}",
    result="https://host/ui/main/apps/my-app",
)
def app_link(s: State, app_id: Value, base_url: Value) -> Value:
    """The address of an app, or of the execution if none is named, in the user interface."""
    base = base_url if isinstance(base_url, str) else s.host.settings.url
    if not base:
        raise EvaluationError(
            "The 'appLink' function needs the setting `kestra.url` or an argument 'baseUrl'."
        )
    flow, execution = variable(s, "flow") or {}, variable(s, "execution") or {}
    tenant = flow.get("tenantId") or "main"
    root = f"{str(base).rstrip('/')}/ui/{tenant}"
    if app_id is not None:
        return f"{root}/apps/{java_text(app_id)}"
    return f"{root}/executions/{flow.get('namespace')}/{flow.get('id')}/{execution.get('id')}"
