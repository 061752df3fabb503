"""What must be true of the rows after every commit, and when the world is quiet (09 §9). A breach raises `BreachError`."""

from collections import Counter
from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from batuta.engine.execution import Execution
from batuta.engine.plan import Dag, Parallel, Plan
from batuta.model.ids import ExecutionId, FlowKey, TaskRunId
from batuta.model.state import State
from batuta.operations.order import is_over
from batuta.server.protocol import Job
from batuta.store.memory.tables import Tables
from batuta.store.rows import Committed, ExecutionRow, TaskRunRow
from batuta.testing.simulate.check import BreachError
from batuta.testing.simulate.level2.ends import wrong_ends
from batuta.testing.simulate.level2.store import SimulatedStore
from batuta.testing.simulate.transitions import told, wrong_execution, wrong_run


class Watch:
    """Hears every commit. `forced` and `edited` are told to it by whoever gives such orders."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self.plans: dict[FlowKey, Plan] = {}
        self.breaches: list[str] = []
        self.acknowledged: set[ExecutionId] = set()
        """Starts that somebody was told of."""
        self.deleted: set[ExecutionId] = set()
        """An order to delete them was given."""
        self.forced: set[ExecutionId] = set()
        """Run or ended by an order that heeds no limit and no state."""
        self.edited: set[ExecutionId] = set()
        """Restarted by hand."""
        self._executions: dict[ExecutionId, Execution] = {}
        self._runs: dict[TaskRunId, TaskRunRow] = {}
        self._live: dict[TaskRunId | None, set[TaskRunId]] = {}
        """Task runs that have not ended, by their parent."""
        self._jobs: set[tuple[TaskRunId, int]] = set()
        self._handed_out: set[tuple[str, str]] = set()
        self._fires: Counter[tuple[FlowKey, str, str]] = Counter()
        self.commits = 0

    def listen(self, store: SimulatedStore) -> None:
        store.changes(self.heard)
        store.on_doubt = self.heard

    def heard(self, committed: Committed) -> None:
        self.commits += 1
        try:
            self._check(committed)
        except BreachError as breach:
            self.breaches.append(str(breach))

    def handed_out(self, life: str, job: Job) -> None:
        """A worker was given an attempt. Another life of a server does not know what has begun unseen."""
        key = (life, job.id)
        if key in self._handed_out:
            self.breaches.append(f"{job.info.task_id}/{job.info.attempt} was handed out twice")
        self._handed_out.add(key)

    def _check(self, committed: Committed) -> None:
        for row in committed.created:
            self._executions[row.execution.id] = row.execution
            self._count_fire(row)
        for execution in committed.executions:
            self._check_header(execution)
            self._executions[execution.id] = execution
        for task_run in committed.task_runs:
            self._check_run(task_run)
            self._runs[task_run.run.id] = task_run
            self._count_live(task_run)
        for task_run in committed.task_runs:
            self._check_room(task_run)
        for job in committed.jobs:
            key = (job.task_run_id, job.attempt)
            _require(job.attempt < 0 or key not in self._jobs, f"a second job for {key}")
            self._jobs.add(key)
        if committed.executions:
            self._check_limits()

    def _count_fire(self, row: ExecutionRow) -> None:
        execution = row.execution
        trigger = execution.trigger or {}
        if trigger.get("id") != "clock" or execution.parent_id is not None:
            return
        place = (execution.flow, "clock", str(trigger["variables"]["date"]))
        self._fires[place] += 1
        _require(self._fires[place] == 1, f"{execution.flow.id} was started twice for {place[2]}")

    def require_fire(self, flow_id: str, date: str) -> None:
        if not any(flow.id == flow_id and date == fired for flow, _, fired in self._fires):
            self.breaches.append(f"nothing was started for {date} of {flow_id}")

    def _check_header(self, execution: Execution) -> None:
        former = self._executions.get(execution.id)
        if former is None:
            return
        forced = execution.id in self.forced

        def may(before: State, after: State) -> bool:
            return forced or (after is State.RESTARTED and before is not State.KILLING)

        for wrong in wrong_execution(former.histories, execution.histories, may=may):
            raise BreachError(f"{execution.flow.id}: {wrong}")
        if not former.state.is_terminal and execution.state in (State.SUCCESS, State.WARNING):
            self._check_children(execution)

    def _check_children(self, execution: Execution) -> None:
        """A parent that ended well waited for those it had to wait for."""
        for row in self._tables.executions.values():
            link = row.link
            if link is None or link.execution_id != execution.id or not link.wait:
                continue
            run = self._runs.get(link.task_run_id)
            if run is not None and run.run.state in (State.SUCCESS, State.WARNING):
                child = row.execution
                _require(
                    child.state.is_terminal or not self.edited.isdisjoint((child.id, execution.id)),
                    f"{execution.flow.id} ended before its child",
                )

    def _check_run(self, row: TaskRunRow) -> None:
        former = self._runs.get(row.run.id)
        for wrong in wrong_run(
            () if former is None else former.run.histories, row.run.histories, ordered=True
        ):
            raise BreachError(f"{row.run.task_id}: {wrong}")
        if former is None or not former.run.state.is_terminal or row.run.state is former.run.state:
            return
        execution = self._executions.get(row.execution_id)
        again = execution is not None and any(
            each.state is State.RESTARTED for each in execution.histories
        )
        plan = self._plan(execution)
        asserted = plan is not None and any(sla.assertion is not None for sla in plan.sla)
        _require(
            again or asserted or row.execution_id in self.edited,
            f"{row.run.task_id} went from {former.run.state} to {row.run.state}",
        )

    def _plan(self, execution: Execution | None) -> Plan | None:
        return None if execution is None else self.plans.get(execution.flow)

    def _count_live(self, row: TaskRunRow) -> None:
        live = self._live.setdefault(row.run.parent_id, set())
        if row.run.state.is_terminal:
            live.discard(row.run.id)
        else:
            live.add(row.run.id)

    def _check_room(self, row: TaskRunRow) -> None:
        """01 §6.2: never more children of a Parallel run than it allows."""
        parent = self._runs.get(row.run.parent_id) if row.run.parent_id is not None else None
        execution = self._executions.get(row.execution_id)
        plan = self._plan(execution)
        # 01 §8.1: a restart or replay opens task runs again that stand beside each other.
        opened = execution is not None and execution.original_id is not None
        if parent is None or plan is None or opened or row.execution_id in self.edited:
            return
        node = plan.nodes.get(parent.run.task_id)
        if isinstance(node, Parallel | Dag) and node.concurrent:
            below = (self._runs[run_id].run for run_id in self._live.get(row.run.parent_id, ()))
            live = sum(run.task_id in node.tasks for run in below)
            _require(live <= node.concurrent, f"{live} of {node.id} run, {node.concurrent} may")

    def _check_limits(self) -> None:
        held = Counter(
            execution.flow
            for execution in self._executions.values()
            if execution.holds_slot
            and execution.id not in self.forced
            and execution.id not in self.deleted
        )
        for flow, plan in self.plans.items():
            if plan.concurrency is not None:
                limit = plan.concurrency.limit
                _require(held[flow] <= limit, f"{held[flow]} of {flow.id} run, {limit} may")

    # -- when it is quiet ----------------------------------------------------------------------------------

    def known(self, flow: FlowKey) -> Iterator[ExecutionId]:
        """All executions of the flow that there ever were."""
        return (id_ for id_, each in self._executions.items() if each.flow == flow)

    def live(self) -> Sequence[ExecutionRow]:
        """All executions, oldest first, with their live task runs."""
        found = []
        for id_, row in self._tables.executions.items():
            runs = self._tables.runs.get(id_, {}).values()
            live = {run.id: run for run in runs if not run.state.is_terminal}
            found.append(replace(row, execution=replace(row.execution, runs=live)))
        return sorted(found, key=lambda row: (row.execution.histories[0].at, row.execution.id))

    def left(self) -> str | None:
        """What is still there although nothing may be; None when the world is quiet."""
        for problem in [*self._queues(), *self._unfinished()]:
            return problem
        return None

    def _queues(self) -> Iterator[str]:
        tables = self._tables
        for name, rows in (
            ("inbox", tables.inbox),
            ("jobs", tables.jobs),
            ("timers", tables.timers),
            ("queue", tables.queue),
        ):
            if rows:
                yield f"left in {name}: {next(iter(rows.values()))}"
        for flow, running in tables.slots.items():
            if running:
                yield f"{running} slots of {flow.id} were not given back"

    def _unfinished(self) -> Sequence[str]:
        rows = self.live()
        found = [
            f"{row.execution.flow.id} {row.execution.id} is stuck: {told(row.execution.histories)}"
            for row in rows
            if not is_over(row.execution)
        ]
        there = {row.execution.id for row in rows}
        if not found:
            found.extend(wrong_ends(self._tables, self.plans, led=self.forced | self.edited))
        lost = self.acknowledged - there - self.deleted
        return [*found, *(f"the start of {each} was lost" for each in sorted(lost))]


def _require(holds: bool, breach: str) -> None:
    if not holds:
        raise BreachError(breach)
