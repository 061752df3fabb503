"""Flows of core tasks as tables: what tasks write and put out, told in a few lines each.

Types are written without `io.kestra.plugin.core.`: `{id: s, type: kv.Set, key: k, value: x}`.
"""

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from batuta.store.query import Filter, Op, Query
from batuta.store.rows import MetricRow
from batuta.testing.conformance.flows import SURROUNDINGS
from batuta.testing.conformance.record import record_of
from batuta.testing.system import System, is_over

_SHORT = re.compile(
    r"\btype: ((?:condition|debug|execution|flow|http|kv|log|metric|namespace|output|state|storage|templating|trigger)\.\w+)"
)
_ID = re.compile(r"""(execution=["]|Execution ')\w+""")
_TIME = re.compile(r"\b\d\d:\d\d:\d\d\.\d{3}\b")
_URI = re.compile(r"kestra://[^\s\"']*")
AT_ONCE = 16
QUIET = frozenset({"TRACE", "DEBUG"})
NAMESPACE = "company.team"


@dataclass(frozen=True)
class Case:
    """`tasks` in YAML, and what is to come of them.

    `outputs` are those of some tasks by id, URIs as `<uri>`; `says` all that tasks wrote from INFO upward, in the
    order of time. `head` are further properties of the flow, `others` whole flows, `files` namespace files.
    """

    tasks: str
    outputs: Mapping[str, Any] = field(default_factory=dict)
    says: Sequence[str] = ()
    state: str = "SUCCESS"
    head: str = ""
    others: Sequence[str] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    inputs: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Sequence[tuple[Any, ...]]] | None = None
    """By task: kind, name, value and tags, in the order they were first emitted."""


@dataclass(frozen=True)
class Done:
    """What came of a case."""

    state: str = ""
    outputs: Mapping[str, Any] = field(default_factory=dict)
    says: Sequence[str] = ()
    problem: str | None = None
    record: Mapping[str, Any] = field(default_factory=dict)
    metrics: Sequence[MetricRow] = ()


def core(source: str) -> str:
    """With whole type names."""
    return _SHORT.sub(r"type: io.kestra.plugin.core.\1", source)


def wanted(case: Case) -> Mapping[str, Any]:
    """To be compared with `seen`."""
    metrics = {} if case.metrics is None else {"metrics": dict(case.metrics)}
    return {
        "state": case.state,
        "says": list(case.says),
        "outputs": dict(case.outputs),
        **metrics,
    }


def seen(case: Case, done: Done) -> Mapping[str, Any]:
    if done.problem is not None:
        return {"problem": done.problem}
    outputs = {name: done.outputs.get(name) for name in case.outputs}
    found = {"state": done.state, "says": list(done.says), "outputs": outputs}
    if case.metrics is not None:
        found["metrics"] = {name: _emitted(done, name) for name in case.metrics}
    return found


def _emitted(done: Done, task_id: str) -> list[tuple[Any, ...]]:
    return [
        (row.type, row.name, row.value, dict(row.tags or {}))
        for row in done.metrics
        if row.task_id == task_id
    ]


def run_all(cases: Mapping[str, Case]) -> Mapping[str, Done]:
    """Each in an installation of its own, many side by side."""
    return asyncio.run(_run_all(cases))


async def _run_all(cases: Mapping[str, Case]) -> Mapping[str, Done]:
    places = asyncio.Semaphore(AT_ONCE)

    async def one(case: Case) -> Done:
        async with places:
            try:
                return await _run(case)
            except Exception as error:
                return Done(problem=f"{type(error).__name__}: {error}")

    async with asyncio.TaskGroup() as group:
        running = {name: group.create_task(one(case)) for name, case in cases.items()}
    return {name: task.result() for name, task in running.items()}


async def _run(case: Case) -> Done:
    async with System.open(SURROUNDINGS) as system:
        for path, content in case.files.items():
            await system.put_namespace_file(NAMESPACE, path, content.encode())
        for source in case.others:
            await system.save_flow(core(source))
        source = f"id: f\nnamespace: {NAMESPACE}\n{case.head}\ntasks:\n{case.tasks}"
        key = await system.save_flow(core(source))
        execution_id = await system.start(key, inputs=case.inputs)
        view = await system.until(execution_id, is_over, seconds=20)
        record = await record_of(system.services, view)
        query = Query(filters=[Filter("execution_id", Op.EQUALS, execution_id)], size=1000)
        metrics = (await system.services.store.journal.metrics(query)).rows
    return Done(
        state=record["state"],
        outputs={
            run["taskId"]: _without_uris(run["outputs"])
            for run in record["taskRuns"]
            if "outputs" in run
        },
        says=[_shown(log["message"]) for log in record["logs"] if log["level"] not in QUIET],
        record=record,
        metrics=metrics,
    )


def _without_uris(value: Any) -> Any:
    if isinstance(value, str):
        return _URI.sub("<uri>", value)
    if isinstance(value, list):
        return [_without_uris(item) for item in value]
    if isinstance(value, dict):
        return {key: _without_uris(item) for key, item in value.items()}
    return value


def _shown(message: str) -> str:
    message = _TIME.sub("<time>", message)
    return _ID.sub(r"\1<id>", _URI.sub("<uri>", message))
