"""The loop of the scheduler: it sleeps until the next date of a trigger, or until flows change."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import structlog
from msgspec.structs import replace

from batuta.engine.events import Created
from batuta.expr import ExpressionError
from batuta.expr.host import Settings as ExprSettings
from batuta.model.ids import FlowKey
from batuta.model.instant import DAY, SECOND, Instant
from batuta.model.label import Label, Labels
from batuta.operations import start
from batuta.operations.caller import SYSTEM
from batuta.operations.errors import OperationError
from batuta.operations.order import is_over
from batuta.operations.plans import Compiled
from batuta.operations.services import Services
from batuta.plugins.core.trigger.schedule import Holds, Occurrence, RecoverMissedSchedules, Schedule
from batuta.sdk.context import RunInfo
from batuta.sdk.errors import PluginError
from batuta.server.context.variables import Surroundings
from batuta.server.listening.listeners import MEMORY_PREFIX, trigger_labels
from batuta.server.lock import MISSED, released_row
from batuta.server.protocol import Job
from batuta.server.scheduler.role import WORD
from batuta.server.scheduler.schedule import (
    Decision,
    Setting,
    advanced,
    decide,
    edited_row,
    is_edited,
    new_row,
    recovered_row,
    schedules_of,
)
from batuta.server.sources import flows_that_say
from batuta.server.worker.host import LookUpHost
from batuta.server.worker.render import JobRenderer
from batuta.server.worker.workplace import Workplace
from batuta.store.errors import ConflictError, StoreError
from batuta.store.rows import Committed, Fire, LogRow, Mail, TriggerKey, TriggerRow, Turn

BLOCKED_SECONDS = 5.0
"""How often triggers are looked at that are due but wait for their execution."""
RETRY_SECONDS = 1.0
FIRES_KEPT = 30 * DAY
"""How long fire times are remembered, so that nobody fires at one of them again (09 §7)."""
EVALUATION_ERRORS = (
    ExpressionError,
    PluginError,
    OperationError,
    ValueError,
    LookupError,
    TypeError,
)
"""What conditions, templates and inputs of a trigger can do wrong."""

log = structlog.get_logger()


class Scheduler:
    """`run` until cancelled."""

    def __init__(
        self,
        services: Services,
        *,
        surroundings: Surroundings,
        settings: ExprSettings,
        place: Workplace,
    ) -> None:
        self._services = services
        self._surroundings = surroundings
        self._settings = settings
        self._place = place
        self._wake = asyncio.Event()
        self._edited: set[FlowKey] = set()
        self._purge_due = Instant(0)

    async def run(self) -> None:
        stop = self._services.store.changes(self._on_commit)
        try:
            is_synchronised = False
            while True:
                try:
                    if not is_synchronised:
                        await self._synchronise(await self._flows(), recover=True)
                        is_synchronised = True
                    await self._turn()
                except StoreError as error:
                    log.error("scheduler.failed", error=str(error))  # noqa: TRY400 - it says all there is
                    await asyncio.sleep(RETRY_SECONDS)
        finally:
            stop()

    async def _turn(self) -> None:
        self._wake.clear()
        edited, self._edited = self._edited, set()
        try:
            await self._synchronise(edited, recover=False)
        except StoreError:
            self._edited |= edited
            raise
        blocked = await self._fire_due()
        await self._purge_fires()
        await self._sleep(blocked=blocked)

    async def _purge_fires(self) -> None:
        """Once a day: the table would grow for ever."""
        now = self._services.clock.now()
        if now >= self._purge_due:
            await self._services.store.triggers.purge_fires(before=Instant(now - FIRES_KEPT))
            self._purge_due = Instant(now + DAY)

    async def _sleep(self, *, blocked: bool) -> None:
        timeout: float | None = BLOCKED_SECONDS
        if not blocked:
            due = await self._services.store.triggers.next_date()
            timeout = None
            if due is not None:
                timeout = max(due - self._services.clock.now(), 0) / SECOND
        try:
            async with asyncio.timeout(timeout):
                await self._wake.wait()
        except TimeoutError:
            return

    def _on_commit(self, committed: Committed) -> None:
        if committed.flows:
            self._edited.update(committed.flows)
        if committed.flows or committed.triggers:
            self._wake.set()

    # -- keeping rows and flows together -------------------------------------------------------------------

    async def _flows(self) -> Sequence[FlowKey]:
        flows = self._services.store.flows
        return [row.key async for row in flows_that_say(flows, WORD)]

    async def _synchronise(self, flows: Iterable[FlowKey], *, recover: bool) -> None:
        """Give every schedule a row, and take away those of triggers that are gone (04 §6.1)."""
        for key in flows:
            compiled = await self._services.plans.latest(key)
            rows = {row.key.id: row for row in await self._services.store.triggers.of_flow(key)}
            declared = {}
            if compiled is not None:
                triggers = compiled.flow.triggers or ()
                declared = {each.id: each for each in triggers if isinstance(each, Schedule)}
            gone = [
                row.key
                for name, row in rows.items()
                if name not in declared and not name.startswith(MEMORY_PREFIX)
            ]
            if gone:
                await self._services.store.triggers.delete(gone)
            changed = []
            for name, schedule in declared.items():
                row = await self._kept(
                    key, schedule, rows.get(name), compiled=compiled, recover=recover
                )
                if row is not rows.get(name):
                    changed.append(row)
            if changed:
                await self._services.store.commit(Turn(triggers=changed))

    async def _kept(
        self,
        key: FlowKey,
        schedule: Schedule,
        row: TriggerRow | None,
        *,
        compiled: Compiled | None,
        recover: bool,
    ) -> TriggerRow:
        setting = self._setting()
        if row is None:
            return new_row(key, schedule, setting)
        if is_edited(row, schedule):
            return edited_row(row, schedule, setting)
        if not recover or compiled is None:
            return row
        holds = self._holds(compiled, schedule)
        try:
            return await asyncio.to_thread(
                partial(recovered_row, row, schedule, setting, holds=holds)
            )
        except EVALUATION_ERRORS:
            return row

    # -- firing --------------------------------------------------------------------------------------------

    async def _fire_due(self) -> bool:
        """Fire what is due; whether triggers are due that have to wait for their execution."""
        blocked = False
        for row in await self._services.store.triggers.due(until=self._services.clock.now()):
            compiled = await self._services.plans.latest(row.key.flow)
            schedule = _find(compiled, row.key)
            if compiled is None or not _declares(compiled, row.key):
                await self._services.store.triggers.delete([row.key])
            elif schedule is None:
                blocked = True
            elif row.execution_id is not None:
                blocked = not await self._heal(row) or blocked
            else:
                await self._fire(row, schedule, compiled)
        return blocked

    async def _heal(self, row: TriggerRow) -> bool:
        """Free a row whose execution is gone or over; whether it is free now."""
        if row.execution_id is None:
            return True
        found = await self._services.store.executions.get(row.execution_id, live=True)
        if found is not None and not is_over(found.execution):
            return False
        now = self._services.clock.now()
        free = replace(row, execution_id=None, worker_id=None, updated=now)
        if found is not None:
            free = released_row(row, found.execution, now=now)
        await self._services.store.commit(Turn(triggers=[free]))
        return True

    async def _fire(self, row: TriggerRow, schedule: Schedule, compiled: Compiled) -> None:
        setting = self._setting()
        if (row.memory or {}).get(MISSED) and not await self._recover(row, schedule, compiled):
            return
        after = advanced(row, schedule, setting, base=setting.now)
        turn = Turn(triggers=[after])
        try:
            holds = self._holds(compiled, schedule)
            decision = await asyncio.to_thread(partial(decide, row, schedule, setting, holds=holds))
            after = decision.row
            turn = Turn(triggers=[after])
            if decision.fires is not None:
                turn = await self._firing(decision, decision.fires, schedule, compiled=compiled)
        except EVALUATION_ERRORS as error:
            turn = Turn(triggers=[after], logs=[_warning(row.key, str(error), setting.now)])
        try:
            await self._services.store.commit(turn)
        except (
            ConflictError
        ):  # used before: by another server, or by a schedule that was taken away and came back
            known = await self._services.store.triggers.get(row.key)
            if known is not None and known.next_date == row.next_date:
                await self._services.store.commit(Turn(triggers=[after]))

    async def _recover(self, row: TriggerRow, schedule: Schedule, compiled: Compiled) -> bool:
        """Apply the policy for occurrences that passed while the execution ran; whether the row is still due."""
        setting = self._setting()
        holds = self._holds(compiled, schedule)
        kept = await asyncio.to_thread(partial(recovered_row, row, schedule, setting, holds=holds))
        if kept.next_date == row.next_date:
            return True
        await self._services.store.commit(Turn(triggers=[kept]))
        return False

    async def _firing(
        self, decision: Decision, occurrence: Occurrence, schedule: Schedule, *, compiled: Compiled
    ) -> Turn:
        """The execution, the row that waits for it, and the fire time that no one else can use again."""
        variables = occurrence.variables(schedule.zone(self._settings.zone))
        inputs, labels = await asyncio.to_thread(
            self._rendered, compiled, schedule, variables=variables
        )
        row = await start.prepare(
            SYSTEM,
            self._services,
            compiled,
            wanted=start.Wanted(
                inputs=inputs,
                labels=labels,
                trigger={"id": schedule.id, "type": schedule.TYPE, "variables": variables},
            ),
        )
        execution_id = row.execution.id
        now = self._services.clock.now()
        blocking = None if schedule.allow_concurrent else execution_id
        held = replace(decision.row, execution_id=blocking, updated=now)
        fire = Fire(key=held.key, time=occurrence.date, execution_id=execution_id)
        return Turn(
            created=[row],
            inbox=[Mail(execution_id, Created(at=now))],
            triggers=[held],
            fires=[fire],
        )

    # -- rendering -----------------------------------------------------------------------------------------

    def _setting(self) -> Setting:
        return Setting(
            now=self._services.clock.now(),
            zone=self._settings.zone,
            recover=_recover(self._services.settings.plugin_configurations),
        )

    def _holds(self, compiled: Compiled, schedule: Schedule) -> Holds | None:
        """For use on a thread: conditions may look something up."""
        conditions = schedule.conditions
        if not conditions:
            return None
        facts = {"flow": {"id": compiled.flow.id, "namespace": compiled.flow.namespace}}

        def holds(variables: Mapping[str, str]) -> bool:
            renderer = self._renderer(compiled, schedule, variables)
            known = {**facts, "trigger": variables}
            return all(each.test(known, renderer.render) for each in conditions)

        return holds

    def _rendered(
        self, compiled: Compiled, schedule: Schedule, *, variables: Mapping[str, str]
    ) -> tuple[Mapping[str, Any], Labels]:
        renderer = self._renderer(compiled, schedule, variables)
        inputs = renderer.render(schedule.inputs) if schedule.inputs else {}
        labels = []
        for label in trigger_labels(schedule.labels):
            value = renderer.render(label.value)
            if value:
                labels.append(Label(label.key, str(value)))
        return inputs, tuple(labels)

    def _renderer(
        self, compiled: Compiled, schedule: Schedule, variables: Mapping[str, str]
    ) -> JobRenderer:
        key = compiled.row.key
        info = RunInfo(
            tenant=key.tenant,
            namespace=key.namespace,
            flow_id=key.id,
            flow_revision=compiled.row.revision,
            execution_id="",
            task_id=schedule.id,
            task_type=schedule.TYPE,
            task_run_id="",
            attempt=1,
        )
        host = LookUpHost(Job(info=info, spec={}, variables={}), self._place, mask=_ignore)
        known = {
            **self._surroundings.constants,
            "flow": {
                "id": key.id,
                "namespace": key.namespace,
                "revision": compiled.row.revision,
                "tenantId": key.tenant,
            },
            "labels": start.nested_labels(compiled.flow.label_list),
            "vars": compiled.flow.variables or {},
            "trigger": {"id": schedule.id, "type": schedule.TYPE, **variables},
            "schedule": variables,
        }
        return JobRenderer(known, host, lazy_variables=self._services.settings.lazy_variables)


def _find(compiled: Compiled | None, key: TriggerKey) -> Schedule | None:
    if compiled is None:
        return None
    return next((each for each in schedules_of(compiled.flow) if each.id == key.id), None)


def _declares(compiled: Compiled, key: TriggerKey) -> bool:
    return any(each.id == key.id for each in compiled.flow.triggers or ())


def _recover(configurations: Sequence[Mapping[str, Any]]) -> RecoverMissedSchedules:
    """The server's policy for missed occurrences (04 §7.7)."""
    for each in configurations:
        if each.get("type") == Schedule.TYPE:
            value = (each.get("values") or {}).get("recoverMissedSchedules")
            if value is not None:
                return RecoverMissedSchedules(value)
    return RecoverMissedSchedules.ALL


def _warning(key: TriggerKey, message: str, now: Instant) -> LogRow:
    return LogRow(at=now, level="WARN", message=message, flow=key.flow, trigger_id=key.id)


def _ignore(_: str) -> None:
    """Triggers log no rendered text."""
