"""Random flows over all kinds of task, small enough to be read when one of them fails."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from batuta.engine.plan import (
    AnyNode,
    Choice,
    Concurrency,
    Dag,
    Each,
    EachItem,
    FlowOutput,
    Iterations,
    Leaf,
    Loop,
    Parallel,
    Pause,
    Plan,
    Retry,
    Sequence,
    Sla,
    Subflow,
    WorkDir,
    WorkerGroup,
)
from batuta.model.ids import FlowKey, TaskId
from batuta.model.instant import SECOND
from batuta.model.label import Label
from batuta.testing.simulate.dice import Dice

FLOW = FlowKey("main", "sim", "flow")
TEMPLATE = "{{ x }}"
"""Every template of a simulated flow; the world decides what it renders to."""

DATE = "2030-01-01T00:00:00Z"
_MOST_NODES = 14
_DEEPEST = 3

Tasks = tuple[TaskId, ...]


def random_plan(dice: Dice) -> Plan:
    return _Maker(dice).plan()


def without(plan: Plan, task_id: TaskId) -> Plan:
    """The next revision: one of the flow's own tasks, and what is inside it, is gone."""
    gone = {task_id}
    while more := {task for task, parent in plan.parents.items() if parent in gone} - gone:
        gone |= more
    nodes = {name: node for name, node in plan.nodes.items() if name not in gone}
    tasks = tuple(task for task in plan.tasks if task != task_id)
    return msgspec.structs.replace(plan, revision=plan.revision + 1, tasks=tasks, nodes=nodes)


class _Maker:
    def __init__(self, dice: Dice) -> None:
        self._dice = dice
        self._nodes: dict[TaskId, AnyNode] = {}
        self._parents: dict[TaskId, TaskId] = {}
        self._made = 0

    def plan(self) -> Plan:
        dice = self._dice
        tasks = self._tasks(None, depth=0, most=3) if dice.chance(98) else ()
        outputs = tuple(
            FlowOutput(id=f"o{n}", type="STRING", value=TEMPLATE, required=dice.chance(50))
            for n in range(dice.below(3) if dice.chance(20) else 0)
        )
        return Plan(
            flow=FLOW,
            revision=1,
            tasks=tasks,
            errors=self._some(None, 25, 1),
            finally_=self._some(None, 20, 1),
            after=self._some(None, 20, 1),
            concurrency=Concurrency(limit=1) if dice.chance(15) else None,
            outputs=outputs,
            sla=self._sla() if dice.chance(12) else (),
            nodes=self._nodes,
            parents=self._parents,
        )

    def _sla(self) -> tuple[Sla, ...]:
        dice = self._dice
        behavior = dice.pick(("FAIL", "CANCEL", "NONE"))
        labels = (Label("sla", "missed"),) if dice.chance(50) else ()
        if dice.chance(50):
            return (Sla(id="max", behavior=behavior, duration=5 * SECOND, labels=labels),)
        return (Sla(id="assert", behavior=behavior, assertion=TEMPLATE, labels=labels),)

    def _tasks(self, parent: TaskId | None, *, depth: int, most: int) -> Tasks:
        return tuple(self._node(parent, depth) for _ in range(1 + self._dice.below(most)))

    def _some(self, parent: TaskId | None, percent: int, depth: int) -> Tasks:
        if not self._dice.chance(percent) or self._made >= _MOST_NODES:
            return ()
        return self._tasks(parent, depth=depth + 1, most=2)

    def _name(self, parent: TaskId | None, kind: str) -> TaskId:
        self._made += 1
        name = TaskId(f"{kind}{self._made}")
        if parent is not None:
            self._parents[name] = parent
        return name

    def _node(self, parent: TaskId | None, depth: int) -> TaskId:
        dice = self._dice
        if depth >= _DEEPEST or self._made >= _MOST_NODES or dice.chance(45):
            return self._subflow(parent) if dice.chance(12) else self._leaf(parent)
        make = dice.pick(
            (
                self._sequence,
                self._parallel,
                self._dag,
                self._if,
                self._switch,
                self._each,
                self._each,
                self._loop,
                self._iterations,
                self._pause,
                self._each_item,
                self._workdir,
            )
        )
        return make(parent, depth)

    def _keep(self, node: AnyNode) -> TaskId:
        self._nodes[node.id] = node
        return node.id

    def _base(self, parent: TaskId | None, kind: str) -> dict[str, Any]:
        dice = self._dice
        return {
            "id": self._name(parent, kind),
            "type": f"sim.{kind}",
            "run_if": dice.pick((TEMPLATE, "true", "false")) if dice.chance(8) else None,
            "retry": self._retry() if dice.chance(15) else None,
            "allow_failure": dice.chance(10),
            "allow_warning": dice.chance(10),
        }

    def _retry(self) -> Retry:
        dice = self._dice
        return Retry(
            kind=dice.pick(("constant", "exponential", "random")),
            interval=SECOND,
            max_interval=4 * SECOND,
            max_attempts=2 + dice.below(2),
            max_duration=9 * SECOND if dice.chance(30) else None,
            warning_on_retry=dice.chance(30),
            new_execution=dice.chance(12),
            own=dice.chance(70),
        )

    def _lists(self, name: TaskId, depth: int) -> dict[str, Tasks]:
        return {"errors": self._some(name, 15, depth), "finally_": self._some(name, 12, depth)}

    def _group(self) -> WorkerGroup:
        return WorkerGroup(key="far", fallback=self._dice.pick(("FAIL", "CANCEL")))

    def _leaf(self, parent: TaskId | None, *, may_choose: bool = True) -> TaskId:
        """`may_choose`: which workers it runs on."""
        inline = self._dice.chance(35)
        grouped = may_choose and not inline and self._dice.chance(6)
        return self._keep(
            Leaf(
                **self._base(parent, "leaf"),
                inline=inline,
                updates_execution=inline and self._dice.chance(40),
                timeout=self._dice.pick((TEMPLATE, "PT5S")) if self._dice.chance(10) else None,
                worker_group=self._group() if grouped else None,
            )
        )

    def _control(
        self,
        parent: TaskId | None,
        depth: int,
        *,
        kind: Callable[..., AnyNode],
        name: str,
        more: Callable[[TaskId], Mapping[str, Any]],
    ) -> TaskId:
        base = self._base(parent, name)
        own: TaskId = base["id"]
        return self._keep(kind(**base, **more(own), **self._lists(own, depth)))

    def _sequence(self, parent: TaskId | None, depth: int) -> TaskId:
        def more(own: TaskId) -> Mapping[str, Any]:
            if self._dice.chance(4):
                return {"has_disabled": True}
            tasks = self._tasks(own, depth=depth + 1, most=3)
            return {"tasks": tasks, "failure_is_warning": self._dice.chance(20)}

        return self._control(parent, depth, kind=Sequence, name="seq", more=more)

    def _parallel(self, parent: TaskId | None, depth: int) -> TaskId:
        def more(own: TaskId) -> Mapping[str, Any]:
            tasks = self._tasks(own, depth=depth + 1, most=4)
            return {"tasks": tasks, "concurrent": self._dice.below(3)}

        return self._control(parent, depth, kind=Parallel, name="par", more=more)

    def _dag(self, parent: TaskId | None, depth: int) -> TaskId:
        def more(own: TaskId) -> Mapping[str, Any]:
            tasks = self._tasks(own, depth=depth + 1, most=4)
            needs = {
                task: tuple(other for other in tasks[:number] if self._dice.chance(40))
                for number, task in enumerate(tasks)
            }
            return {"tasks": tasks, "depends_on": needs, "concurrent": self._dice.below(3)}

        return self._control(parent, depth, kind=Dag, name="dag", more=more)

    def _if(self, parent: TaskId | None, depth: int) -> TaskId:
        def more(own: TaskId) -> Mapping[str, Any]:
            cases = {"true": self._tasks(own, depth=depth + 1, most=2)}
            if self._dice.chance(50):
                cases["false"] = self._tasks(own, depth=depth + 1, most=2)
            value = self._dice.pick((TEMPLATE, "true", "0"))
            return {"value": value, "is_condition": True, "cases": cases}

        return self._control(parent, depth, kind=Choice, name="if", more=more)

    def _switch(self, parent: TaskId | None, depth: int) -> TaskId:
        def more(own: TaskId) -> Mapping[str, Any]:
            cases = {name: self._tasks(own, depth=depth + 1, most=2) for name in ("true", "b")}
            has_defaults = self._dice.chance(50)
            defaults = self._tasks(own, depth=depth + 1, most=2) if has_defaults else None
            return {"value": TEMPLATE, "cases": cases, "defaults": defaults}

        return self._control(parent, depth, kind=Choice, name="switch", more=more)

    def _each(self, parent: TaskId | None, depth: int) -> TaskId:
        def more(own: TaskId) -> Mapping[str, Any]:
            dice = self._dice
            return {
                "values": dice.pick((TEMPLATE, ["a", "b", 3], '["x", "y", "z", "x"]')),
                "tasks": self._tasks(own, depth=depth + 1, most=2),
                "concurrency": dice.below(4),
                "ordered": dice.chance(80),
            }

        return self._control(parent, depth, kind=Each, name="each", more=more)

    def _loop(self, parent: TaskId | None, depth: int) -> TaskId:
        def more(own: TaskId) -> Mapping[str, Any]:
            dice = self._dice
            return {
                "condition": TEMPLATE,
                "tasks": self._tasks(own, depth=depth + 1, most=2),
                "interval": dice.pick(("PT1S", TEMPLATE)),
                "max_iterations": 1 + dice.below(3),
                "max_duration": "PT4S" if dice.chance(20) else None,
                "fail_on_max_reached": dice.chance(50),
            }

        return self._control(parent, depth, kind=Loop, name="loop", more=more)

    def _iterations(self, parent: TaskId | None, depth: int) -> TaskId:
        def more(own: TaskId) -> Mapping[str, Any]:
            dice = self._dice
            output = FlowOutput(id="o", type="STRING", value=TEMPLATE)
            return {
                "values": dice.pick((TEMPLATE, ["a", "b", 3, "a"], {"k": 1}, "kestra:///rows")),
                "tasks": (self._leaf(own),),
                "concurrency": dice.below(4),
                "transmit_failed": dice.chance(70),
                "outputs": (output,) if dice.chance(50) else (),
                "fetch": dice.pick(("AUTO", "FETCH", "STORE")),
                "break_when": dice.pick((TEMPLATE, "false")) if dice.chance(30) else None,
            }

        return self._control(parent, depth, kind=Iterations, name="iter", more=more)

    def _pause(self, parent: TaskId | None, depth: int) -> TaskId:
        def more(own: TaskId) -> Mapping[str, Any]:
            dice = self._dice
            return {
                "duration": dice.pick(("PT1S", TEMPLATE)) if dice.chance(50) else None,
                "timeout": "PT2S" if dice.chance(40) else None,
                "behavior": dice.pick(("RESUME", "WARN", "FAIL", "CANCEL")),
                "tasks": self._tasks(own, depth=depth + 1, most=2) if dice.chance(30) else (),
                "on_pause": self._leaf(own) if dice.chance(20) else None,
            }

        return self._control(parent, depth, kind=Pause, name="pause", more=more)

    def _workdir(self, parent: TaskId | None, depth: int) -> TaskId:
        def more(own: TaskId) -> Mapping[str, Any]:
            tasks = tuple(self._leaf(own, may_choose=False) for _ in range(1 + self._dice.below(3)))
            group = self._group() if self._dice.chance(6) else None
            return {"tasks": tasks, "worker_group": group}

        return self._control(parent, depth, kind=WorkDir, name="dir", more=more)

    def _subflow(self, parent: TaskId | None) -> TaskId:
        return self._keep(self._call(self._base(parent, "sub")))

    def _call(self, base: Mapping[str, Any]) -> Subflow:
        dice = self._dice
        return Subflow(
            **base,
            namespace="sim",
            flow_id=dice.pick((TEMPLATE, "child")),
            inputs={"a": TEMPLATE} if dice.chance(50) else None,
            labels={"k": 1} if dice.chance(30) else None,
            inherit_labels=dice.pick((False, False, True, TEMPLATE)),
            schedule_date=dice.pick((TEMPLATE, DATE)) if dice.chance(15) else None,
            revision=1 if dice.chance(10) else None,
            wait=dice.chance(75),
            transmit_failed=dice.chance(75),
            restart_failed=dice.chance(50),
        )

    def _each_item(self, parent: TaskId | None, depth: int) -> TaskId:
        base = self._base(parent, "items")
        own: TaskId = base["id"]
        split = self._keep(Leaf(id=TaskId(f"{own}_split"), type="sim.split"))
        merge = self._keep(Leaf(id=TaskId(f"{own}_merge"), type="sim.merge"))
        items = TaskId(f"{own}_items")
        self._parents.update({split: own, merge: own, items: own})
        call = self._call({"id": items, "type": "sim.call"})
        errors, finally_ = self._lists(own, depth).values()
        node = EachItem(
            **base,
            split=split,
            items=items,
            merge=merge,
            call=call,
            errors=errors,
            finally_=finally_,
        )
        return self._keep(node)
