"""Reading executions, their task runs and outputs; deleting them."""

from batuta.engine.events import Created
from batuta.engine.execution import Execution, Progress
from batuta.model.ids import ExecutionId, FlowKey, TaskId, TaskRunId
from batuta.model.instant import Instant
from batuta.model.label import Label
from batuta.model.state import State
from batuta.store.contract import Store
from batuta.store.errors import QueryError
from batuta.store.query import Filter, FilterValue, Op, Query, Sort
from batuta.store.rows import (
    Committed,
    ExecutionRow,
    JobRow,
    Mail,
    MetricRow,
    OutputRow,
    ParentLink,
    SlotRequest,
    TimerRow,
    Turn,
)
from batuta.testing.suites.expect import equal, raises
from batuta.testing.suites.samples import FLOW, execution, log, of, output, starts, task_run

EVERY = range(64)
TEAM, CHILD, NEXT = "company.team", "company.team.sub", "company.teams"

_FOUND: list[tuple[str, Op, FilterValue, str]] = [
    ("id", Op.EQUALS, "e2", "2"),
    ("id", Op.GREATER_THAN, "e2", "34"),
    ("namespace", Op.EQUALS, TEAM, "12"),
    ("namespace", Op.NOT_EQUALS, TEAM, "34"),
    ("namespace", Op.PREFIX, TEAM, "123"),
    ("namespace", Op.PREFIX, "company", "1234"),
    ("namespace", Op.PREFIX, "comp", ""),
    ("namespace", Op.STARTS_WITH, TEAM, "1234"),
    ("namespace", Op.STARTS_WITH, "", "1234"),
    ("namespace", Op.ENDS_WITH, "sub", "3"),
    ("namespace", Op.CONTAINS, "teams", "4"),
    ("namespace", Op.CONTAINS, "TEAM", ""),
    ("namespace", Op.REGEX, r"^company\.team(s|\.sub)$", "34"),
    ("namespace", Op.IN, (TEAM, NEXT), "124"),
    ("namespace", Op.NOT_IN, (TEAM, NEXT), "3"),
    ("flow_id", Op.EQUALS, "weekly", "2"),
    ("state", Op.IN, ("SUCCESS", "FAILED"), "23"),
    ("state", Op.NOT_IN, ("SUCCESS", "FAILED"), "14"),
    ("start", Op.GREATER_THAN, 200, "34"),
    ("start", Op.GREATER_THAN_OR_EQUAL_TO, 200, "234"),
    ("start", Op.LESS_THAN, 200, "1"),
    ("start", Op.LESS_THAN_OR_EQUAL_TO, 200, "12"),
    ("end", Op.LESS_THAN, 400, "23"),
    ("end", Op.GREATER_THAN, 400, "4"),
    ("end", Op.NOT_EQUALS, 202, "134"),
    ("duration", Op.GREATER_THAN, 1, "2"),
    ("updated", Op.EQUALS, 100, "1"),
    ("revision", Op.EQUALS, 7, "4"),
    ("kind", Op.EQUALS, "TEST", "3"),
    ("kind", Op.NOT_EQUALS, "TEST", "124"),
    ("kind", Op.NOT_IN, ("TEST", "PLAYGROUND"), "124"),
    ("labels", Op.EQUALS, (("env", "prod"),), "12"),
    ("labels", Op.EQUALS, (("env", "prod"), ("a:b", 'quo"te')), "1"),
    ("labels", Op.EQUALS, (("env", "pro"),), ""),
    ("labels", Op.IN, (("env", "dev"), ("a:b", 'quo"te')), "13"),
    ("labels", Op.NOT_EQUALS, (("env", "prod"),), "34"),
    ("labels", Op.NOT_IN, (("env", "prod"), ("env", "dev")), "4"),
    ("labels", Op.CONTAINS, (("env", "ro"),), "12"),
    ("labels", Op.CONTAINS, (("e", "prod"),), ""),
    ("trigger_id", Op.EQUALS, "hourly", "2"),
    ("trigger_execution_id", Op.EQUALS, "e1", "2"),
    ("child", Op.EQUALS, True, "4"),
    ("child", Op.EQUALS, False, "123"),
    ("child", Op.NOT_EQUALS, True, "123"),
    ("parent_id", Op.EQUALS, "e9", "3"),
    ("q", Op.EQUALS, "WEEK", "2"),
    ("q", Op.EQUALS, "team daily", "134"),
    ("q", Op.EQUALS, "  ", "1234"),
    ("q", Op.EQUALS, "100%", ""),
    ("q", Op.EQUALS, "prod", "12"),
    ("q", Op.EQUALS, "value", ""),
    ("q", Op.NOT_EQUALS, "week", "134"),
]
"""Field, operator, value, and the last characters of the ids that are found."""


def _executions() -> list[ExecutionRow]:
    prod = Label("env", "prod")
    link = ParentLink(execution_id=ExecutionId("e1"), task_run_id=TaskRunId("r"))
    weekly = FlowKey("main", TEAM, "weekly")
    trigger = {"id": "hourly", "variables": {"executionId": "e1"}}
    rows = [
        execution("e1", at=100, labels=(prod, Label("a:b", 'quo"te'))),
        execution(
            "e2",
            State.CREATED,
            State.RUNNING,
            State.SUCCESS,
            at=200,
            flow=weekly,
            labels=(prod,),
            trigger=trigger,
        ),
        execution(
            "e3",
            State.CREATED,
            State.FAILED,
            at=300,
            flow=FlowKey("main", CHILD, "daily"),
            labels=(Label("env", "dev"),),
            kind="TEST",
            parent_id=ExecutionId("e9"),
        ),
        execution(
            "e4",
            State.CREATED,
            State.PAUSED,
            at=400,
            flow=FlowKey("main", NEXT, "daily"),
            revision=7,
        ),
    ]
    return [ExecutionRow(execution=each, link=link if each.id == "e4" else None) for each in rows]


async def filters_choose_executions(store: Store) -> None:
    await store.commit(Turn(created=_executions()))
    for field, operator, value, expected in _FOUND:
        condition = Filter(field, operator, value)
        page = await store.executions.search(Query(filters=[condition], sort=[Sort("id")]))
        found = "".join(row.execution.id[-1] for row in page.rows)
        equal((condition, found, page.total), (condition, expected, len(expected)))


async def all_filters_must_hold(store: Store) -> None:
    await store.commit(Turn(created=_executions()))
    filters = [
        Filter("namespace", Op.PREFIX, TEAM),
        Filter("start", Op.GREATER_THAN, 100),
        Filter("start", Op.LESS_THAN, 300),
        Filter("tenant", Op.EQUALS, "main"),
    ]
    page = await store.executions.search(Query(filters=filters))
    equal([row.execution.id for row in page.rows], ["e2"])
    other = [Filter("tenant", Op.EQUALS, "other")]
    equal((await store.executions.search(Query(filters=other))).total, 0)


async def executions_are_sorted_and_paged(store: Store) -> None:
    await store.commit(Turn(created=_executions()))

    async def ids(query: Query) -> str:
        page = await store.executions.search(query)
        return "".join(row.execution.id[-1] for row in page.rows)

    equal(await ids(Query()), "4321")
    equal(await ids(Query(size=3)), "432")
    equal(await ids(Query(size=3, page=2)), "1")
    equal(await ids(Query(size=3, page=9)), "")
    equal(await ids(Query(sort=[Sort("start")])), "1234")
    equal(await ids(Query(sort=[Sort("flow_id"), Sort("start", descending=True)])), "4312")
    equal(await ids(Query(sort=[Sort("end")])), "1234")
    equal(await ids(Query(sort=[Sort("duration", descending=True)])), "2431")
    equal(await ids(Query(sort=[Sort("tenant", descending=True)])), "4321")
    page = await store.executions.search(Query(size=1, total=False))
    equal((len(page.rows), page.total), (1, 1))
    page = await store.executions.search(Query(size=1, page=4))
    equal((len(page.rows), page.total), (1, 4))


async def unknown_fields_and_operators_are_refused(store: Store) -> None:
    for condition in (
        Filter("nonsense", Op.EQUALS, "x"),
        Filter("start", Op.CONTAINS, "x"),
        Filter("labels", Op.REGEX, "x"),
        Filter("id; DROP TABLE execution", Op.EQUALS, "x"),
    ):
        query = Query(filters=[condition])
        error = await raises(QueryError, store.executions.search(query))
        equal(error.field, condition.field)
    for field in ("nonsense", "labels", "q"):
        await raises(QueryError, store.executions.search(Query(sort=[Sort(field)])))


async def patterns_that_are_wrong_or_slow_are_refused(store: Store) -> None:
    long = "a" * 5000 + "b"
    await store.commit(starts(execution("e", kind=long)))
    for pattern in ("(", "(a|a)*$|(a*)*c"):
        query = Query(filters=[Filter("kind", Op.REGEX, pattern)])
        await raises(QueryError, store.executions.search(query))
    equal((await store.executions.search(Query())).total, 1)


async def values_are_never_read_as_sql(store: Store) -> None:
    await store.commit(starts(execution("a")))
    evil = "x' OR '1'='1"
    for field in ("namespace", "id", "q"):
        query = Query(filters=[Filter(field, Op.EQUALS, evil)])
        equal((await store.executions.search(query)).total, 0)
    query = Query(filters=[Filter("labels", Op.CONTAINS, (("k", "%"), (evil, evil)))])
    equal((await store.executions.search(query)).total, 0)


async def children_are_found_by_their_parent(store: Store) -> None:
    link = ParentLink(execution_id=ExecutionId("p"), task_run_id=TaskRunId("r"))
    rows = [
        ExecutionRow(execution=execution(name, at=at), link=link)
        for name, at in (("b", 200), ("c", 100), ("a", 200))
    ]
    await store.commit(Turn(created=[*rows, ExecutionRow(execution=execution("p"))]))
    found = await store.executions.children(ExecutionId("p"))
    equal([row.execution.id for row in found], ["c", "a", "b"])
    equal(found[0].link, link)
    ids = [ExecutionId("a"), ExecutionId("x"), ExecutionId("b")]
    many = await store.executions.get_many(ids)
    equal(sorted(row.execution.id for row in many), ["a", "b"])
    equal(await store.executions.get_many([]), [])


def _tree(owner: Execution) -> Turn:
    done = (State.CREATED, State.RUNNING, State.SUCCESS)
    runs = [
        task_run("loop", 0, task_id=TaskId("loop"), progress=Progress(items=("x", "y"))),
        task_run("x", 1, *done, task_id=TaskId("in"), parent_id=TaskRunId("loop"), path=("x",)),
        task_run("y", 2, task_id=TaskId("in"), parent_id=TaskRunId("loop"), path=("y",)),
        task_run("deep", 3, State.PAUSED, task_id=TaskId("deep"), parent_id=TaskRunId("y")),
        task_run("bad", 4, State.RUNNING, State.FAILED, task_id=TaskId("bad")),
    ]
    outputs = [output(owner, run, f'{{"v":{run.ordinal}}}'.encode()) for run in reversed(runs[1:3])]
    return Turn(task_runs=of(owner, *runs), outputs=outputs)


async def task_runs_are_chosen_in_order(store: Store) -> None:
    owner = execution("a")
    await store.commit(starts(owner, execution("b")))
    await store.commit(_tree(owner))
    read = store.executions.task_runs

    def ids(rows: object) -> str:
        return " ".join(row.run.id for row in rows)  # type: ignore[attr-defined]

    equal(ids(await read(owner.id)), "loop x y deep bad")
    equal(ids(await read(owner.id, task_id=TaskId("in"))), "x y")
    equal(ids(await read(owner.id, states=[State.SUCCESS, State.FAILED])), "x bad")
    equal(ids(await read(owner.id, ids=[TaskRunId("bad"), TaskRunId("y")])), "y bad")
    equal(ids(await read(owner.id, after=1, limit=2)), "y deep")
    equal(ids(await read(owner.id, ids=[])), "")
    equal(ids(await read(owner.id, states=[])), "")
    many = [TaskRunId(f"n{number}") for number in range(40_000)]
    equal(ids(await read(owner.id, ids=[TaskRunId("y"), *many, TaskRunId("x")])), "x y")
    equal(ids(await read(ExecutionId("b"))), "")
    live = await store.executions.get(owner.id, live=True)
    equal(sorted(live.execution.runs) if live else None, ["deep", "loop", "y"])
    above = await store.executions.ancestors(owner.id, TaskRunId("deep"))
    equal(ids(above), "deep y loop")
    equal(above[-1].run.progress, Progress())
    equal(await store.executions.ancestors(owner.id, TaskRunId("unknown")), [])


async def outputs_are_read_by_task_and_by_run(store: Store) -> None:
    owner = execution("a")
    await store.commit(starts(owner))
    await store.commit(_tree(owner))
    rows = await store.executions.outputs(owner.id, task_id=TaskId("in"))
    equal([(row.path, row.data) for row in rows], [(("x",), b'{"v":1}'), (("y",), b'{"v":2}')])
    by_run = await store.executions.outputs(owner.id, task_run_ids=[TaskRunId("y")])
    equal(by_run, rows[1:])
    equal(await store.executions.outputs(owner.id, task_run_ids=[]), [])
    moved = OutputRow(
        execution_id=owner.id,
        ordinal=2,
        task_id=TaskId("in"),
        task_run_id=TaskRunId("y"),
        path=("y",),
        uri="kestra:///big.json",
    )
    await store.commit(Turn(outputs=[moved]))
    equal(await store.executions.outputs(owner.id), [rows[0], moved])
    equal(await store.executions.outputs(owner.id, task_id=TaskId("loop")), [])


async def a_deleted_execution_leaves_nothing(store: Store) -> None:
    owner, other = execution("a"), execution("b")
    await store.commit(starts(owner, other))
    await store.commit(_tree(owner))
    slot = SlotRequest(flow=FLOW, execution_id=owner.id, limit=0, behavior="QUEUE", at=Instant(1))
    metric = MetricRow(
        at=Instant(1), type="counter", name="n", value=1, flow=FLOW, execution_id=owner.id
    )
    job = JobRow(execution_id=owner.id, task_run_id=TaskRunId("y"), attempt=1, payload=b"{}")
    await store.commit(
        Turn(
            logs=[log("of a", execution_id=owner.id), log("of b", execution_id=other.id)],
            metrics=[metric],
            timers=[TimerRow(owner.id, "t", Instant(1))],
            jobs=[job],
            slots=[slot],
            inbox=[Mail(owner.id, Created(at=Instant(1)))],
        )
    )
    equal(await store.executions.delete([owner.id, ExecutionId("x")], logs=False), 1)
    equal(await store.executions.get(owner.id), None)
    equal(await store.executions.task_runs(owner.id), [])
    equal(await store.executions.outputs(owner.id), [])
    equal(await store.queues.jobs(), [])
    equal(await store.queues.timers(EVERY, until=Instant(9)), [])
    equal({row.execution_id for row in await store.queues.inbox(EVERY)}, {other.id})
    equal((await store.journal.logs(Query())).total, 2)
    equal((await store.journal.metrics(Query())).total, 0)
    equal(await store.executions.delete([other.id]), 1)
    equal((await store.journal.logs(Query())).total, 1)


async def only_those_that_are_idle_are_deleted_on_request(store: Store) -> None:
    names = ["running", "working", "holding", "expecting", "idle"]
    for name in names:
        last = State.RUNNING if name == "running" else State.SUCCESS
        row = execution(name, State.CREATED, last, holds_slot=name == "holding")
        await store.commit(Turn(created=[ExecutionRow(execution=row)]))
    working = execution("working")
    await store.commit(Turn(task_runs=of(working, task_run("r", 0))))
    await store.commit(Turn(inbox=[Mail(ExecutionId("expecting"), Created(at=Instant(1)))]))
    ids = [ExecutionId(name) for name in [*names, "gone"]]
    heard: list[Committed] = []
    stop = store.changes(heard.append)
    equal(await store.executions.delete(ids, idle=True), 1)
    stop()
    equal(list(heard[-1].deleted), [ExecutionId("idle")])
    left = {row.execution.id for row in await store.executions.get_many(ids)}
    equal(left, {*names} - {"idle"})
