"""What was done in a recorded run, done again: starting, waiting, ordering, and reading what came out."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from batuta.model.duration import parse_duration
from batuta.model.ids import ExecutionId
from batuta.model.instant import SECOND
from batuta.model.state import State
from batuta.operations.errors import OperationError
from batuta.operations.executions import ExecutionView
from batuta.testing.conformance.record import record_of
from batuta.testing.system import System, is_over

CASE_SECONDS = 30.0
SETTLE_MILLIS = 700
AWAIT_SECONDS = 30.0
MAIN = "main"
GIVEN_BACK = ("state", "histories", "systemLabels", "order")
"""What is recorded of an execution that an order gives back, beside its task runs."""
LABELS_OF_ORDERS = {"afterReplay": "system.replayed", "afterMark": "system.restarted"}
"""The API sets these labels; cases were recorded one layer below it."""

Arguments = Mapping[str, Any]


class Session:
    """One case in progress. `run` gives what happened, in the shape of `expect`."""

    def __init__(self, system: System, case: Mapping[str, Any]) -> None:
        self._system = system
        self._case = case
        self._how: Mapping[str, Any] = case.get("run") or {}
        self._started: dict[str, ExecutionId] = {}
        self._last = MAIN
        self._refused: list[dict[str, str]] = []
        self._given_back: dict[str, Any] = {}

    async def run(self) -> dict[str, Any]:
        try:
            await self._save_flows()
        except OperationError as error:
            return {"error": str(error), "errorOn": "flow"}
        steps = self._how.get("steps")
        try:
            if steps is None:
                await self._start({})
        except OperationError as error:
            return {"error": str(error), "errorOn": "start"}
        if steps is None:
            await self._system.until(self._started[MAIN], is_over, seconds=self._seconds)
        for step in steps or ():
            await self._step(step)
        await self._settle()
        return await self._result()

    async def _save_flows(self) -> None:
        for source in self._case["flows"]:
            await self._system.save_flow(source)
        for path, content in (self._how.get("namespaceFiles") or {}).items():
            namespace = self._system.flow_keys[0].namespace
            await self._system.put_namespace_file(namespace, path, content.encode())

    @property
    def _seconds(self) -> float:
        return float(self._how.get("timeout", CASE_SECONDS))

    async def _step(self, step: Arguments) -> None:
        ((name, arguments),) = step.items()
        action = getattr(self, f"_{_snake(name)}")
        try:
            await action({} if arguments is None else arguments)
        except OperationError as error:
            self._refused.append({"step": name, "message": str(error)})

    # -- steps ---------------------------------------------------------------------------------------------

    async def _start(self, how: Arguments) -> None:
        plain = {} if self._how.get("steps") else self._how
        name = how.get("as", MAIN)
        self._started[name] = await self._system.start(
            self._system.find_flow(how.get("flow"), how.get("namespace")),
            inputs=how.get("inputs") or plain.get("inputs") or {},
            files=how.get("files") or plain.get("files") or {},
            labels=how.get("labels") or plain.get("labels") or {},
            revision=how.get("revision"),
            after=_micros(how.get("scheduleIn")),
            breakpoints=how.get("breakpoints"),
        )
        self._last = name

    async def _await(self, how: Arguments) -> None:
        seconds = _seconds(how.get("timeout"), AWAIT_SECONDS)
        await self._system.until(self._of(how), _condition(how), seconds=seconds)

    async def _sleep(self, how: Any) -> None:
        await asyncio.sleep(_seconds(how, 0))

    async def _resume(self, how: Arguments) -> None:
        await self._system.resume(self._of(how), inputs=how.get("inputs") or {})

    async def _kill(self, how: Arguments) -> None:
        await self._system.kill(self._of(how), cascade=how.get("cascade", True))

    async def _pause(self, how: Arguments) -> None:
        await self._system.pause(self._of(how))

    async def _force_run(self, how: Arguments) -> None:
        await self._system.force_run(self._of(how))

    async def _unqueue(self, how: Arguments) -> None:
        state = how.get("state")
        await self._system.unqueue(self._of(how), state=State(state) if state else State.RUNNING)

    async def _change_status(self, how: Arguments) -> None:
        await self._system.change_status(self._of(how), State(how["state"]))

    async def _restart(self, how: Arguments) -> None:
        view = await self._system.restart(self._of(how), revision=how.get("revision"))
        await self._keep(view, "afterRestart", how.get("as"))

    async def _replay(self, how: Arguments) -> None:
        view = await self._system.replay(
            self._of(how),
            task_id=how.get("taskId"),
            value=how.get("value"),
            revision=how.get("revision"),
        )
        await self._keep(view, "afterReplay", how.get("as", "replay"))

    async def _mark(self, how: Arguments) -> None:
        view = await self._system.mark(
            self._of(how), task_id=how["taskId"], value=how.get("value"), state=State(how["state"])
        )
        await self._keep(view, "afterMark", None)

    async def _update_flow(self, how: Any) -> None:
        await self._system.save_flow(how["source"])

    def _of(self, how: Arguments) -> ExecutionId:
        return self._started[how.get("of", self._last)]

    async def _keep(self, view: ExecutionView, key: str, name: str | None) -> None:
        """Note what an order gave back; under `name` when that is an execution of its own."""
        record = await record_of(self._system.services, view)
        runs = [{**run, "outputs": None} for run in record["taskRuns"]]
        kept = {key: record[key] for key in GIVEN_BACK}
        self._given_back[key] = {**kept, "taskRuns": runs}
        if name is not None:
            self._started[name] = view.row.execution.id
            self._last = name

    # -- the end -------------------------------------------------------------------------------------------

    async def _settle(self) -> None:
        """Until nothing has changed for a while, and all that the case did not start by name has ended."""
        settle = self._how.get("settle", SETTLE_MILLIS) / 1000
        least = self._how.get("children", 0)

        async def done() -> bool:
            views = await self._unnamed()
            return len(views) >= least and all(is_over(view) for view in views)

        await self._system.quiet(settle, done, seconds=self._seconds)

    async def _unnamed(self) -> list[ExecutionView]:
        named = set(self._started.values())
        views = await self._system.executions()
        return [view for view in views if view.row.execution.id not in named]

    async def _result(self) -> dict[str, Any]:
        services = self._system.services
        records = {
            name: await record_of(services, await self._system.view(execution_id))
            for name, execution_id in self._started.items()
        }
        result = records.pop(MAIN, {})
        children = [await record_of(services, view) for view in await self._unnamed()]
        for key in LABELS_OF_ORDERS.keys() & self._given_back.keys():
            for record in (result, self._given_back[key]):
                record["systemLabels"].pop(LABELS_OF_ORDERS[key], None)
        return {
            **result,
            **self._given_back,
            "children": children,
            "others": records,
            "stepErrors": self._refused,
        }


def _condition(how: Arguments) -> Callable[[ExecutionView], bool]:
    wanted = how.get("state")
    if how.get("end"):
        return is_over
    if "taskId" not in how:
        return lambda view: view.row.execution.state == wanted

    def reached(view: ExecutionView) -> bool:
        runs = [row.run for row in view.runs if row.run.task_id == how["taskId"]]
        return any(
            (wanted is None or run.state == wanted)
            and ("value" not in how or run.value == str(how["value"]))
            for run in runs
        )

    return reached


def _seconds(text: str | None, default: float) -> float:
    return default if text is None else parse_duration(text) / SECOND


def _micros(text: str | None) -> int | None:
    return None if text is None else parse_duration(text)


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)
