"""Restarting, replaying and marking in a few words."""

from typing import Any

from batuta.engine import events as e
from batuta.engine.plan import (
    Each,
    Parallel,
    Plan,
    Sequence,
)
from batuta.engine.surgery import Edited, mark, replay, restart
from batuta.model.ids import ExecutionId
from batuta.model.instant import Instant
from batuta.model.state import State
from tests.unit.engine.driving import Build, Drive, leaf

S = State
NEW = ExecutionId("new")
AT = Instant(7)


def fails(*paths: str) -> Any:
    """These fail at their first attempt; a name may carry a value: `t[a]`."""

    def work(run: Any, attempt: int) -> State:
        names = {run.task_id, f"{run.task_id}[{run.value}]"}
        return S.FAILED if names & set(paths) and attempt == 1 else S.SUCCESS

    return work


def edit(drive: Drive, edited: Edited) -> Drive:
    """The execution goes on with the edited rows."""
    after = drive
    if edited.execution.id != drive.execution.id:
        after = Drive(
            drive.plan, work=drive.work, render=drive.render, child=drive.child, reload=True
        )
    for run_id in edited.removed:
        after.rows.pop(run_id)
    after.rows.update({run.id: run for run in edited.saved})
    after.execution = edited.execution
    after.commands.clear()
    return after


def go(drive: Drive, edited: Edited) -> Drive:
    after = edit(drive, edited)
    first = after.execution.state is S.CREATED
    return after.send(e.Created(at=AT) if first else e.Restarted(at=AT))


def again(drive: Drive) -> Edited:
    return restart(drive.plan, drive.execution, tuple(drive.rows.values()), at=AT)


def from_task(drive: Drive, path: str | None) -> Edited:
    run_id = None if path is None else drive.run(path).id
    rows = tuple(drive.rows.values())
    return replay(drive.plan, drive.execution, rows, at=AT, new_id=NEW, task_run_id=run_id)


def marked(drive: Drive, path: str, state: State) -> Edited:
    rows = tuple(drive.rows.values())
    return mark(
        drive.plan, drive.execution, rows, task_run_id=drive.run(path).id, state=state, at=AT
    )


def ran(plan: Plan, *bad: str) -> Drive:
    return Drive(plan, work=fails(*bad), reload=True).start()


def tree(kind: str) -> Plan:
    """The nested flows of 01 §11.10, 115."""
    b = Build()
    if kind == "parallel":
        inner = b.control(Parallel, "132", tasks=[leaf("1321"), leaf("1322")])
        middle = b.control(Parallel, "13", tasks=[leaf("131"), inner, leaf("133")])
        return b.plan(
            b.control(Parallel, "1", tasks=[leaf("11"), leaf("12"), middle, leaf("14")]), leaf("2")
        )
    if kind == "each":
        inner = b.control(Each, "12", values=["a", "b"], tasks=[leaf("121"), leaf("122")])
        outer = b.control(
            Each, "1", values=["s1", "s2", "s3"], tasks=[leaf("11"), inner, leaf("13")]
        )
        return b.plan(outer, leaf("2"))
    sequence = b.control(Sequence, "21", tasks=[leaf("t1"), leaf("t2")])
    outer = b.control(
        Each, "1", values=["1", "2", "3"], concurrency=0, ordered=False, tasks=[sequence]
    )
    return b.plan(outer, leaf("2"))
