"""Random flows as YAML, small enough to be read: a child that others start, and one or two more."""

from collections.abc import Iterator
from typing import Any

from batuta.flow.yaml.emit import block
from batuta.testing.simulate.dice import Dice
from batuta.testing.simulate.level2.edges import ADDRESS

NAMESPACE = "sim"
TEXTS = (
    "{{ execution.id }}",
    "{{ kv('k') }}",
    "{{ kv('none', errorOnMissing=false) ?? 'true' }}",
    "{{ secret('KNOWN') }}",
    "{{ secret('UNKNOWN') }}",
    "{{ read('items.txt') }}",
    f"{{{{ http('{ADDRESS}') }}}}",
    "{{ nothing }}",
)
"""Some look something up, which takes a while or fails."""
CONDITIONS = (
    "{{ true }}",
    "{{ false }}",
    "{{ kv('k') == 'v' }}",
    "{{ nothing }}",
    "{{ http('x') }}",
)
EVERY = {"0 * * * * *": 60, "0 */2 * * * *": 120, "*/20 * * * * *": 20}
"""Schedules, and the seconds between their times."""
EXITS = ("SUCCESS", "WARNING", "FAILED", "KILLED", "CANCELLED")
_CORE = "io.kestra.plugin.core"
_DEEPEST = 2
_MOST_TASKS = 9

Task = dict[str, Any]


def random_flows(dice: Dice) -> tuple[str, ...]:
    return tuple(
        _Maker(dice, name).source() for name in ("child", "main", "other")[: 2 + dice.below(2)]
    )


def without_triggers(source: str) -> str:
    """The flow at the end of the world: nothing starts it any more."""
    return source.partition("\ntriggers:\n")[0].rstrip("\n") + "\n"


class _Maker:
    def __init__(self, dice: Dice, name: str) -> None:
        self._dice = dice
        self._name = name
        self._made = 0

    def source(self) -> str:
        dice = self._dice
        flow: Task = {"id": self._name, "namespace": NAMESPACE}
        if dice.chance(35):
            behavior = dice.pick(("QUEUE", "QUEUE", "CANCEL", "FAIL"))
            flow["concurrency"] = {"limit": 1 + dice.below(2), "behavior": behavior}
        if dice.chance(10):
            flow["retry"] = {
                "type": "constant",
                "interval": "PT2S",
                "maxAttempts": 2,
                "behavior": dice.pick(("CREATE_NEW_EXECUTION", "RETRY_FAILED_TASK")),
            }
        if dice.chance(10):
            flow["sla"] = [
                {
                    "id": "most",
                    "type": "MAX_DURATION",
                    "duration": "PT20S",
                    "behavior": dice.pick(("FAIL", "CANCEL", "NONE")),
                }
            ]
        elif dice.chance(8):
            flow["sla"] = [
                {
                    "id": "sure",
                    "type": "EXECUTION_ASSERTION",
                    "assert": dice.pick(
                        ("{{ true }}", "{{ kv('k') == 'v' }}", "{{ vars.v != 1 }}")
                    ),
                    "behavior": dice.pick(("FAIL", "CANCEL", "NONE")),
                    "labels": {"sure": "no"},
                }
            ]
        if dice.chance(25):
            flow["outputs"] = [
                {
                    "id": "o",
                    "type": "STRING",
                    "value": dice.pick(TEXTS),
                    "required": dice.chance(50),
                }
            ]
        flow["variables"] = {"v": 1}
        flow["tasks"] = self._tasks(0, 4)
        for name, percent in (("errors", 25), ("finally", 20), ("afterExecution", 15)):
            if dice.chance(percent):
                flow[name] = self._tasks(1, 2)
        triggers = list(self._triggers())
        if triggers:
            flow["triggers"] = triggers
        return block(flow, 0) + "\n"

    def _triggers(self) -> Iterator[Task]:
        dice = self._dice
        if self._name == "child":
            return
        if dice.chance(30):
            yield {
                "id": "clock",
                "type": f"{_CORE}.trigger.Schedule",
                "cron": dice.pick(tuple(EVERY)),
                "withSeconds": True,
                "recoverMissedSchedules": dice.pick(("ALL", "LAST", "NONE")),
                "allowConcurrent": dice.chance(40),
            }
        if self._name == "other" and dice.chance(40):
            yield {
                "id": "heard",
                "type": f"{_CORE}.trigger.Flow",
                "preconditions": {
                    "id": "main",
                    "flows": [{"namespace": NAMESPACE, "flowId": "main"}],
                },
            }

    def _tasks(self, depth: int, most: int) -> list[Task]:
        return [self._task(depth) for _ in range(1 + self._dice.below(most))]

    def _task(self, depth: int) -> Task:
        dice = self._dice
        self._made += 1
        task: Task = {"id": f"t{self._made}"}
        full = depth >= _DEEPEST or self._made >= _MOST_TASKS
        make = dice.pick(self._leaves() if full or dice.chance(55) else self._groups())
        task |= make(depth)
        if dice.chance(8):
            task["allowFailure"] = True
        if dice.chance(5):
            task["runIf"] = dice.pick(("{{ false }}", *CONDITIONS))
        return task

    def _leaves(self) -> tuple[Any, ...]:
        pairs = (self._log, self._pause, self._small) * 2
        leaves = ((self._work,) * 5) + (*pairs, self._fail)
        return leaves if self._name == "child" else (*leaves, self._subflow, self._subflow)

    def _groups(self) -> tuple[Any, ...]:
        return (
            self._sequential,
            self._parallel,
            self._each,
            self._loop,
            self._if,
            self._directory,
            self._until,
            self._dag,
            self._switch,
            self._items if self._name != "child" else self._sequential,
        )

    def _work(self, _: int) -> Task:
        dice = self._dice
        task: Task = {"type": f"{_CORE}.http.Request", "uri": "http://localhost"}
        if dice.chance(35):
            task["retry"] = {
                "type": "constant",
                "interval": dice.pick(("PT1S", "PT10S")),
                "maxAttempts": 2 + dice.below(2),
            }
        if dice.chance(20):
            task["timeout"] = "PT30S"
        if dice.chance(10):
            task["taskCache"] = {"enabled": True, "ttl": "PT1H"}
        if dice.chance(10):
            task["logToFile"] = True
        return task

    def _log(self, _: int) -> Task:
        dice = self._dice
        task: Task = {"type": f"{_CORE}.log.Log", "message": dice.pick(("here", *TEXTS))}
        if dice.chance(10):  # then it does not run inline
            task["logToFile"] = True
        if dice.chance(10):
            task["taskCache"] = {"enabled": True, "ttl": "PT1M"}
        return task

    def _small(self, _: int) -> Task:
        """Tasks of the server itself, and tasks that change the execution."""
        dice = self._dice
        tasks: tuple[tuple[str, Task], ...] = (
            ("flow.Sleep", {"duration": dice.pick(("PT0.1S", "PT3S", "PT20S"))}),
            ("kv.Set", {"key": "k", "value": "{{ execution.id }}"}),
            ("kv.Get", {"key": dice.pick(("k", "none")), "errorOnMissing": True}),
            ("execution.Labels", {"labels": {"k": dice.pick(TEXTS)}}),
            ("execution.SetVariables", {"variables": {"v": 2}, "overwrite": dice.chance(80)}),
            ("execution.UnsetVariables", {"variables": ["v"], "ignoreMissing": True}),
            ("execution.Exit", {"state": dice.pick(EXITS)}),
            ("log.Fetch", {}),
        )
        name, properties = dice.pick(tasks)
        return {"type": f"{_CORE}.{name}"} | properties

    def _fail(self, _: int) -> Task:
        return {"type": f"{_CORE}.execution.Fail"}

    def _pause(self, _: int) -> Task:
        task: Task = {"type": f"{_CORE}.flow.Pause"}
        if self._dice.chance(75):
            task["pauseDuration"] = self._dice.pick(("PT1S", "PT15S"))
        if self._dice.chance(30):
            task["behavior"] = self._dice.pick(("RESUME", "WARN", "FAIL", "CANCEL"))
        if self._dice.chance(15):
            task["timeout"] = "PT20S"
        if self._dice.chance(15):
            self._made += 1
            task["onPause"] = {"id": f"t{self._made}"} | self._work(0)
        return task

    def _subflow(self, _: int) -> Task:
        dice = self._dice
        return {
            "type": f"{_CORE}.flow.Subflow",
            "namespace": NAMESPACE,
            "flowId": "child",
            "wait": dice.chance(80),
            "transmitFailed": dice.chance(60),
            "restartBehavior": dice.pick(("RETRY_FAILED", "NEW_EXECUTION")),
            "labels": {"told": dice.pick(("here", *TEXTS))},
            "inheritLabels": dice.chance(30),
        }

    def _sequential(self, depth: int) -> Task:
        kind = self._dice.pick(("Sequential", "Sequential", "AllowFailure"))
        task: Task = {"type": f"{_CORE}.flow.{kind}", "tasks": self._tasks(depth + 1, 2)}
        if self._dice.chance(25):
            task["errors"] = self._tasks(depth + 1, 1)
        if self._dice.chance(20):
            task["finally"] = self._tasks(depth + 1, 1)
        return task

    def _parallel(self, depth: int) -> Task:
        concurrent = self._dice.below(3)
        tasks = self._tasks(depth + 1, 3)
        return {"type": f"{_CORE}.flow.Parallel", "concurrent": concurrent, "tasks": tasks}

    def _each(self, depth: int) -> Task:
        return {
            "type": f"{_CORE}.flow.ForEach",
            "values": self._values(),
            "concurrencyLimit": self._dice.below(3),
            "tasks": self._tasks(depth + 1, 2),
        }

    def _loop(self, depth: int) -> Task:
        dice = self._dice
        task: Task = {
            "type": f"{_CORE}.flow.Loop",
            "values": self._values() if dice.chance(70) else "{{ fileURI('items.txt') }}",
            "concurrencyLimit": dice.below(3),
            "transmitFailed": dice.chance(60),
            "tasks": self._tasks(depth + 1, 2),
        }
        if dice.chance(40):
            task["outputs"] = [{"id": "i", "type": "INT", "value": "{{ item.index }}"}]
            task["fetchType"] = dice.pick(("FETCH", "STORE"))
        if dice.chance(25):
            task["breakWhen"] = dice.pick(
                ("{{ item.index == 1 }}", "{{ iteration.state == 'WARNING' }}")
            )
        return task

    def _if(self, depth: int) -> Task:
        task = {"type": f"{_CORE}.flow.If", "condition": self._dice.pick(CONDITIONS)}
        return task | {"then": self._tasks(depth + 1, 2), "else": self._tasks(depth + 1, 1)}

    def _values(self) -> Any:
        if self._dice.chance(20):
            return self._dice.pick(("{{ [1, kv('k')] }}", "{{ read('values.json') }}"))
        return ["a", "b", "c"][: 1 + self._dice.below(3)]

    def _switch(self, depth: int) -> Task:
        task = {"type": f"{_CORE}.flow.Switch", "value": self._dice.pick(("b", *TEXTS))}
        cases = {name: self._tasks(depth + 1, 1) for name in ("true", "b", "v")}
        other = {"defaults": self._tasks(depth + 1, 1)} if self._dice.chance(60) else {}
        return {**task, "cases": cases, **other}

    def _dag(self, depth: int) -> Task:
        tasks = self._tasks(depth + 1, 3)
        nodes = [
            {
                "task": task,
                "dependsOn": [other["id"] for other in tasks[:number] if self._dice.chance(40)],
            }
            for number, task in enumerate(tasks)
        ]
        kind = {"type": f"{_CORE}.flow.Dag", "concurrent": self._dice.below(3)}
        return kind | {"tasks": nodes}

    def _items(self, _: int) -> Task:
        dice = self._dice
        task: Task = {
            "type": f"{_CORE}.flow.ForEachItem",
            "items": "{{ fileURI('items.txt') }}",
            "namespace": NAMESPACE,
            "flowId": "child",
            "wait": dice.chance(80),
            "transmitFailed": dice.chance(60),
            "restartBehavior": dice.pick(("RETRY_FAILED", "NEW_EXECUTION")),
        }
        if dice.chance(30):
            task["labels"] = {"told": dice.pick(TEXTS)}
        return task

    def _directory(self, depth: int) -> Task:
        tasks = []
        for _ in range(1 + self._dice.below(2)):
            self._made += 1
            tasks.append({"id": f"t{self._made}"} | self._work(depth))
        return {"type": f"{_CORE}.flow.WorkingDirectory", "tasks": tasks}

    def _until(self, depth: int) -> Task:
        return {
            "type": f"{_CORE}.flow.LoopUntil",
            "condition": self._dice.pick(("{{ true }}", "{{ false }}")),
            "checkFrequency": {"interval": "PT2S", "maxIterations": 2},
            "tasks": self._tasks(depth + 1, 1),
        }
