"""Plans in a few words, and a driver that answers the engine's commands the way the executor does."""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from batuta.engine import commands as c
from batuta.engine import events as e
from batuta.engine.execution import Execution, TaskRun
from batuta.engine.plan import (
    AnyNode,
    Choice,
    Control,
    Each,
    EachItem,
    Leaf,
    Plan,
    Retry,
    Subflow,
)
from batuta.engine.step import step
from batuta.model import codec
from batuta.model.ids import ExecutionId, FlowKey, TaskId, TaskRunId
from batuta.model.instant import Instant
from batuta.model.state import History, State

KEY = FlowKey("main", "company.team", "flow")
SECOND = 1_000_000
START = Instant(0)


def leaf(name: str, **fields: Any) -> Leaf:
    fields.setdefault("inline", True)
    return Leaf(id=TaskId(name), type="test.Leaf", **fields)


def retry(**fields: Any) -> Retry:
    fields.setdefault("kind", "constant")
    fields.setdefault("interval", SECOND)
    return Retry(**fields)


class Build:
    """Collects nodes: `build(Sequence, "s", tasks=[...])`."""

    def __init__(self) -> None:
        self.nodes: dict[TaskId, AnyNode] = {}
        self.parents: dict[TaskId, TaskId] = {}

    def ids(self, nodes: Iterable[AnyNode], parent: str | None = None) -> tuple[TaskId, ...]:
        found = []
        for node in nodes:
            self.nodes[node.id] = node
            if parent is not None:
                self.parents[node.id] = TaskId(parent)
            found.append(node.id)
        return tuple(found)

    def control(self, kind: type[Control], name: str, **fields: Any) -> Any:
        for key in ("tasks", "errors", "finally_", "defaults"):
            if fields.get(key) is not None:
                fields[key] = self.ids(fields[key], name)
        if "cases" in fields:
            fields["cases"] = {k: self.ids(v, name) for k, v in fields["cases"].items()}
        if fields.get("on_pause") is not None:
            (fields["on_pause"],) = self.ids([fields["on_pause"]], name)
        return kind(id=TaskId(name), type=f"test.{kind.__name__}", **fields)

    def condition(
        self,
        name: str,
        value: Any,
        then: list[AnyNode],
        other: list[AnyNode] | None = None,
        **fields: Any,
    ) -> Choice:
        cases = {"true": then} | ({} if other is None else {"false": other})
        node: Choice = self.control(
            Choice, name, value=value, is_condition=True, cases=cases, **fields
        )
        return node

    def each_item(self, name: str, call: Subflow, **fields: Any) -> EachItem:
        for key in ("errors", "finally_"):
            if fields.get(key):
                fields[key] = self.ids(fields[key], name)
        parts = [leaf(f"{name}_split"), leaf(f"{name}_merge")]
        split, merge = self.ids(parts, name)
        self.parents[TaskId(f"{name}_items")] = TaskId(name)
        return EachItem(
            id=TaskId(name),
            type="test.EachItem",
            split=split,
            items=TaskId(f"{name}_items"),
            merge=merge,
            call=call,
            **fields,
        )

    def plan(self, *tasks: AnyNode, **fields: Any) -> Plan:
        for key in ("errors", "finally_", "after"):
            if key in fields:
                fields[key] = self.ids(fields[key])
        return Plan(
            flow=KEY,
            revision=1,
            nodes=self.nodes,
            tasks=self.ids(tasks),
            parents=self.parents,
            **fields,
        )


Result = State | Mapping[str, Any] | e.TaskFinished | None


@dataclass
class Drive:
    """Runs one execution. `work(run, attempt)` gives a result for a task, or None to leave it running."""

    plan: Plan
    work: Callable[[TaskRun, int], Result] = lambda _run, _attempt: State.SUCCESS
    render: Callable[[c.Render], Mapping[str, Any] | str] = lambda render: dict(render.values)
    slot: Callable[[Any], e.AnyEvent | None] = lambda drive: e.SlotGranted(at=drive.now)
    child: Callable[[c.StartChild], str | None] = lambda command: (
        f"child-{command.task_run.id}-{command.index}"
    )
    now: Instant = START
    execution: Execution = field(init=False)
    rows: dict[TaskRunId, TaskRun] = field(default_factory=dict)
    outputs: dict[TaskRunId, dict[str, Any]] = field(default_factory=dict)
    logs: list[tuple[str, str]] = field(default_factory=list)
    timers: dict[str, Instant] = field(default_factory=dict)
    commands: list[c.AnyCommand] = field(default_factory=list)
    header: dict[str, Any] = field(default_factory=dict)
    reload: bool = False
    answering: bool = True
    """Whether `Render` is answered."""
    answering_only: str | None = None
    """The only value that is answered when it is asked for."""
    starting: bool = True
    """Whether `StartChild` is answered."""

    def __post_init__(self) -> None:
        self.execution = Execution(
            id=ExecutionId("exec"),
            flow=KEY,
            revision=1,
            histories=(History(State.CREATED, self.now),),
            **self.header,
        )

    def start(self) -> "Drive":
        return self.send(e.Created(at=self.now))

    def send(self, *events: e.AnyEvent) -> "Drive":
        queue = deque(events)
        while queue:
            event = queue.popleft()
            if self.reload:
                self.execution = reloaded(self.execution, self.rows)
            result = step(self.plan, self.execution, event)
            again = step(self.plan, result.execution, event)
            assert again.execution is result.execution, f"{event} counts twice"
            assert not again.commands
            assert not again.changes
            self.execution = result.execution
            self._save(result.changes)
            self.commands += result.commands
            answers = [
                (k, answer)
                for k, command in enumerate(result.commands)
                for answer in self._answer(command)
            ]
            order = sorted(answers, key=lambda pair: (isinstance(pair[1], e.Rendered), pair[0]))
            queue.extend(e.together([answer for _, answer in order]))
        return self

    def fire(self, limit: int = 100) -> "Drive":
        """Let time pass until no timer is left or the execution has ended."""
        for _ in range(limit):
            if not self.timers or self.ended:
                break
            timer_id = min(self.timers, key=lambda name: self.timers[name])
            self.now = max(self.now, self.timers.pop(timer_id))
            self.send(e.TimerFired(at=self.now, timer_id=timer_id))
        return self

    @property
    def ended(self) -> bool:
        return any(isinstance(command, c.End) for command in self.commands)

    def _save(self, changes: Iterable[c.Change]) -> None:
        for change in changes:
            match change:
                case c.RunSaved(task_run=run):
                    self.rows[run.id] = run
                case c.RunsRemoved(task_run_ids=gone):
                    self._remove(gone)
                case c.OutputsSaved(task_run=run, outputs=outputs):
                    self.outputs[run.id] = {**self.outputs.get(run.id, {}), **outputs}
                case c.Logged():
                    self.logs.append((change.level, change.message))

    def _remove(self, gone: Iterable[TaskRunId]) -> None:
        for run_id in gone:
            self.rows.pop(run_id)
            self.outputs.pop(run_id, None)
            self._remove([run.id for run in list(self.rows.values()) if run.parent_id == run_id])

    def _answer(self, command: c.AnyCommand) -> Iterable[e.AnyEvent]:
        match command:
            case c.Render() if self.answering and self.answering_only in {None, *command.values}:
                answer = self.render(command)
                problem = answer if isinstance(answer, str) else None
                values = {} if isinstance(answer, str) else answer
                yield e.Rendered(
                    at=self.now, request_id=command.request_id, values=values, problem=problem
                )
            case c.RunTask(task_run=run, attempt=attempt):
                yield from self._run(run, attempt)
            case c.RequestSlot():
                event = self.slot(self)
                if event is not None:
                    yield event
            case c.StartChild(task_run=run, attempt=attempt, index=index) if self.starting:
                name = self.child(command)
                yield e.ChildStarted(
                    at=self.now,
                    task_run_id=run.id,
                    attempt=attempt,
                    index=index,
                    execution_id=None if name is None else ExecutionId(name),
                )
            case c.SetTimer(timer_id=timer_id, due=due):
                self.timers[timer_id] = due
            case c.ClearTimer(timer_id=timer_id):
                self.timers.pop(timer_id, None)

    def _run(self, run: TaskRun, attempt: int) -> Iterable[e.AnyEvent]:
        result = self.work(run, attempt)
        node = self.plan.nodes[run.task_id]
        if not getattr(node, "inline", False):
            yield e.TaskStarted(at=self.now, task_run_id=run.id, attempt=attempt)
        if isinstance(result, e.TaskFinished):
            yield msgspec.structs.replace(result, at=self.now, task_run_id=run.id, attempt=attempt)
        elif result is not None:
            state, outputs = (
                (result, None) if isinstance(result, State) else (State.SUCCESS, result)
            )
            yield e.TaskFinished(
                at=self.now, task_run_id=run.id, attempt=attempt, state=state, outputs=outputs
            )

    def state_is(self, state: State) -> bool:
        return self.execution.state is state

    # -- what came of it ----------------------------------------------------------------------------------

    @property
    def history(self) -> str:
        return words(self.execution.histories)

    @property
    def order(self) -> list[str]:
        return [self.path(run) for run in sorted(self.rows.values(), key=lambda run: run.ordinal)]

    def path(self, run: TaskRun) -> str:
        name = run.task_id if run.value is None else f"{run.task_id}[{run.value}]"
        if run.value is None and run.iteration is not None:
            name = f"{run.task_id}#{run.iteration}"
        return name if run.parent_id is None else f"{self.path(self.rows[run.parent_id])}/{name}"

    @property
    def runs(self) -> dict[str, str]:
        return {self.path(run): words(run.histories) for run in self.rows.values()}

    @property
    def attempts(self) -> dict[str, str]:
        return {
            self.path(run): " ".join(attempt.state for attempt in run.attempts or ())
            for run in self.rows.values()
        }

    def run(self, path: str) -> TaskRun:
        return next(run for run in self.rows.values() if self.path(run) == path)

    def output(self, path: str) -> dict[str, Any]:
        return self.outputs.get(self.run(path).id, {})

    def finish(self, path: str, state: State = State.SUCCESS, **fields: Any) -> "Drive":
        run = self.run(path)
        attempt = run.progress.attempt if run.progress is not None else 0
        event = e.TaskFinished(
            at=self.now, task_run_id=run.id, attempt=attempt, state=state, **fields
        )
        return self.send(event)

    def told(self, kind: type[c.Command]) -> list[Any]:
        """The commands of one kind, in order."""
        return [command for command in self.commands if isinstance(command, kind)]


def words(histories: Iterable[History]) -> str:
    return " ".join(history.state for history in histories)


def reloaded(execution: Execution, rows: Mapping[TaskRunId, TaskRun]) -> Execution:
    """The execution as it is read back from its rows: JSON there and back, live task runs only."""
    live = {run_id: run for run_id, run in rows.items() if not run.state.is_terminal}
    whole = msgspec.structs.replace(execution, runs=live)
    return codec.decode_as(Execution, codec.encode(whole))


__all__ = ["Build", "Drive", "Each", "leaf", "reloaded", "retry", "words"]
