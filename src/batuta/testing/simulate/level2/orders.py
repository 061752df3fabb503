"""What people order, sensible or not."""

from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any

from batuta.model.ids import ExecutionId, FlowKey
from batuta.model.instant import SECOND, Instant
from batuta.model.label import Label
from batuta.model.state import State
from batuta.operations import control, executions, flows, keyvalues, repeat, start
from batuta.operations.caller import Caller
from batuta.operations.errors import OperationError
from batuta.operations.purge import ExecutionPurge, purge_executions
from batuta.operations.services import Services
from batuta.sdk.context import KeyValue
from batuta.store.errors import StoreError
from batuta.store.rows import ExecutionRow
from batuta.testing.simulate.level2.flows import NAMESPACE, without_triggers
from batuta.testing.simulate.level2.watch import Watch

USER = Caller(user="user")
FITTING = {"unqueue": State.QUEUED, "go-on": State.BREAKPOINT}
"""Orders that make sense in this state only."""
STARTS = ("start", "begin-at-breakpoint", "begin-later")
CROWD = 3
"""Executions of one flow that are started one after another."""
ENTRY = KeyValue(key="k", value="v")
FILES = {
    "items.txt": "1\n2\n3\n",
    "values.json": '["x", "y"]',
    "splits.txt": f"kestra:///{NAMESPACE}/_files/items.txt\n" * 3,
}
"""Of the namespace; `splits.txt` stands for what every ForEachItem splits."""
KINDS = (
    "start",
    "save",
    "kill",
    "restart",
    "replay",
    "pause",
    "resume",
    "force",
    "unqueue",
    "status",
    "labels",
    "delete",
    "mark",
    "purge",
    "replay-from",
    "begin-at-breakpoint",
    "begin-later",
    "go-on",
    "copy",
    "switch-off",
    "crowd",
)
STATES = (State.SUCCESS, State.FAILED, State.WARNING, State.RUNNING)
"""That a task run is given by hand."""


class Orders:
    def __init__(self, services: Services, watch: Watch, sources: Sequence[str]) -> None:
        self._services = services
        self._watch = watch
        self._sources = sources
        self.keys: list[FlowKey] = []
        self.accepted: Counter[str] = Counter()
        self._treatments: Mapping[str, Callable[[ExecutionRow, int], Awaitable[object]]] = {
            "kill": self._kill,
            "restart": self._restart,
            "replay": self._replay,
            "pause": lambda row, _: control.pause(USER, services, row.execution.id),
            "resume": lambda row, _: self._resume(row.execution.id),
            "force": self._force,
            "unqueue": self._unqueue,
            "status": self._change_status,
            "labels": self._label,
            "delete": self._delete,
            "mark": self._mark,
            "purge": self._purge,
            "replay-from": self._replay_from,
            "go-on": lambda row, _: self._go_on(row.execution.id),
            "copy": self._copy,
        }

    def share(self, other: "Orders") -> None:
        """The flows that the other has saved."""
        self.keys = other.keys

    async def prepare(self) -> None:
        """Save the flows, and what their templates look up."""
        await keyvalues.put(USER, self._services, NAMESPACE, entry=ENTRY)
        for name, text in FILES.items():
            await self._services.storage.put(
                USER.tenant, f"kestra:///{NAMESPACE}/_files/{name}", text.encode()
            )
        for source in self._sources:
            row = await flows.create(USER, self._services, source)
            self.keys.append(row.key)
            self._watch.plans[row.key] = self._services.plans.compiled(row).plan

    async def give(self, kind: str, number: int, rows: Sequence[ExecutionRow]) -> None:
        """What is refused is refused. `number` chooses the flow, or the execution among `rows`."""
        if kind == "crowd":
            for _ in range(CROWD):
                await self._ask(kind, self._start(self.keys[number % len(self.keys)], kind, number))
        elif kind in STARTS:
            await self._ask(kind, self._start(self.keys[number % len(self.keys)], kind, number))
        elif kind == "switch-off":
            key = self.keys[number % len(self.keys)]
            await self._ask(
                kind, flows.set_disabled(USER, self._services, key, disabled=number // 8 % 2 == 0)
            )
        elif kind == "save":
            source = self._sources[number % len(self._sources)]
            await self._ask(kind, flows.upsert(USER, self._services, source))
        elif rows := [row for row in rows if row.execution.state is FITTING.get(kind)] or rows:
            row = rows[number % len(rows)]
            await self._ask(kind, self._treatments[kind](row, number))

    async def calm(self) -> None:
        """Nothing starts by itself any more."""
        for source in self._sources:
            if (bare := without_triggers(source)) != source:
                await flows.upsert(USER, self._services, bare)

    async def help(self, rows: Sequence[ExecutionRow]) -> None:
        """Let go on what waits for a person."""
        for row in rows:
            match row.execution.state:
                case State.PAUSED:
                    await self._ask("resume", self._resume(row.execution.id))
                case State.BREAKPOINT:
                    await self._ask("go-on", self._go_on(row.execution.id))
                case _:
                    pass

    async def _ask(self, kind: str, order: Awaitable[object]) -> None:
        try:
            await order
        except (OperationError, StoreError):
            return
        self.accepted[kind] += 1

    async def _start(self, key: FlowKey, kind: str, number: int) -> None:
        wanted = start.Wanted()
        if kind == "begin-at-breakpoint":
            breakpoints = ((f"t{1 + number // 4 % 6}", None),)
            wanted = start.Wanted(breakpoints=breakpoints)
        elif kind == "begin-later":
            date = Instant(self._services.clock.now() + number // 4 % 60 * SECOND)
            wanted = start.Wanted(schedule_date=date)
        execution = await start.start(USER, self._services, key, wanted=wanted)
        self._watch.acknowledged.add(execution.id)

    def _kill(self, row: ExecutionRow, number: int) -> Coroutine[Any, Any, None]:
        return control.kill(USER, self._services, row.execution.id, cascade=number % 3 > 0)

    async def _restart(self, row: ExecutionRow, _: int) -> None:
        self._watch.edited.add(row.execution.id)
        await repeat.restart(USER, self._services, row.execution.id)

    async def _mark(self, row: ExecutionRow, number: int) -> None:
        id_ = row.execution.id
        runs = await self._services.store.executions.task_runs(id_)
        if not runs:
            return
        run, state = runs[number % len(runs)].run, STATES[number // 16 % len(STATES)]
        self._watch.edited.add(id_)
        await repeat.mark(USER, self._services, id_, task_run_id=run.id, state=state)

    async def _purge(self, row: ExecutionRow, _: int) -> None:
        """All of the flow, in whatever state."""
        flow = row.execution.flow
        for each in await self._services.store.executions.get_many(list(self._watch.known(flow))):
            self._watch.deleted.add(each.execution.id)
        wanted = ExecutionPurge(
            end=self._services.clock.now(),
            namespace=flow.namespace,
            flow_id=flow.id,
            states=tuple(State),
        )
        await purge_executions(USER, self._services, wanted)

    async def _replay(self, row: ExecutionRow, _: int) -> None:
        made = await repeat.replay(USER, self._services, row.execution.id)
        self._watch.acknowledged.add(made.id)

    async def _replay_from(self, row: ExecutionRow, number: int) -> None:
        runs = await self._services.store.executions.task_runs(row.execution.id)
        if not runs:
            return
        run = runs[number % len(runs)].run
        made = await repeat.replay(USER, self._services, row.execution.id, task_run_id=run.id)
        self._watch.acknowledged.add(made.id)
        self._watch.edited.add(made.id)

    async def _copy(self, row: ExecutionRow, _: int) -> None:
        """A restart as a new execution."""
        made = await repeat.restart(USER, self._services, row.execution.id, revision=1)
        self._watch.acknowledged.add(made.id)
        self._watch.edited.add(made.id)

    def _go_on(self, id_: ExecutionId) -> Coroutine[Any, Any, None]:
        return control.resume_from_breakpoint(USER, self._services, id_)

    def _resume(self, id_: ExecutionId) -> Coroutine[Any, Any, None]:
        return control.resume(USER, self._services, id_, inputs={})

    async def _force(self, row: ExecutionRow, _: int) -> None:
        self._watch.forced.add(row.execution.id)
        await control.force_run(USER, self._services, row.execution.id)

    async def _unqueue(self, row: ExecutionRow, number: int) -> None:
        self._watch.forced.add(row.execution.id)
        state = (State.RUNNING, State.CANCELLED)[number % 2]
        await control.unqueue(USER, self._services, row.execution.id, state=state)

    async def _change_status(self, row: ExecutionRow, _: int) -> None:
        self._watch.forced.add(row.execution.id)
        await control.change_status(USER, self._services, row.execution.id, status=State.WARNING)

    def _label(self, row: ExecutionRow, number: int) -> Coroutine[Any, Any, None]:
        labels = [Label("number", str(number))]
        return control.set_labels(USER, self._services, row.execution.id, labels=labels)

    async def _delete(self, row: ExecutionRow, _: int) -> None:
        self._watch.deleted.add(row.execution.id)
        await executions.delete(USER, self._services, row.execution.id)
