"""Random flows as YAML, small enough to be read: a child that others start, and one or two more."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from batuta.testing.simulate.dice import Dice

NAMESPACE = "sim"
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
        flow["tasks"] = self._tasks(0, 4)
        for name, percent in (("errors", 25), ("finally", 20), ("afterExecution", 15)):
            if dice.chance(percent):
                flow[name] = self._tasks(1, 2)
        triggers = list(self._triggers())
        if triggers:
            flow["triggers"] = triggers
        return "\n".join(_lines(flow, "")) + "\n"

    def _triggers(self) -> Iterator[Task]:
        dice = self._dice
        if self._name == "child":
            return
        if dice.chance(30):
            yield {
                "id": "clock",
                "type": f"{_CORE}.trigger.Schedule",
                "cron": dice.pick(("0 * * * * *", "0 */2 * * * *", "*/20 * * * * *")),
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
            task["runIf"] = dice.pick(("{{ false }}", "{{ randomPort() > 0 }}", "{{ nothing }}"))
        return task

    def _leaves(self) -> tuple[Any, ...]:
        leaves = (self._work,) * 5 + (self._log, self._log, self._fail, self._pause, self._pause)
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
        return task

    def _log(self, _: int) -> Task:
        message = self._dice.pick(("here", "{{ execution.id }}", "{{ randomPort() > 0 }}"))
        return {"type": f"{_CORE}.log.Log", "message": message}

    def _fail(self, _: int) -> Task:
        return {"type": f"{_CORE}.execution.Fail"}

    def _pause(self, _: int) -> Task:
        task: Task = {"type": f"{_CORE}.flow.Pause"}
        if self._dice.chance(75):
            task["pauseDuration"] = self._dice.pick(("PT1S", "PT15S"))
        if self._dice.chance(30):
            task["behavior"] = self._dice.pick(("RESUME", "WARN", "FAIL", "CANCEL"))
        return task

    def _subflow(self, _: int) -> Task:
        dice = self._dice
        return {
            "type": f"{_CORE}.flow.Subflow",
            "namespace": NAMESPACE,
            "flowId": "child",
            "wait": dice.chance(80),
            "transmitFailed": dice.chance(60),
        }

    def _sequential(self, depth: int) -> Task:
        task: Task = {"type": f"{_CORE}.flow.Sequential", "tasks": self._tasks(depth + 1, 2)}
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
            "values": ["a", "b", "c"][: 1 + self._dice.below(3)],
            "concurrencyLimit": self._dice.below(3),
            "tasks": self._tasks(depth + 1, 2),
        }

    def _loop(self, depth: int) -> Task:
        dice = self._dice
        task: Task = {
            "type": f"{_CORE}.flow.Loop",
            "values": ["a", "b", "c", "d"][: 1 + dice.below(4)],
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
        condition = self._dice.pick(("{{ true }}", "{{ randomPort() > 0 }}", "{{ false }}"))
        task = {"type": f"{_CORE}.flow.If", "condition": condition}
        return task | {"then": self._tasks(depth + 1, 2), "else": self._tasks(depth + 1, 1)}

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


def _lines(value: Mapping[str, Any], indent: str) -> Iterator[str]:
    for key, each in value.items():
        if isinstance(each, list) and each and isinstance(each[0], dict):
            yield f"{indent}{key}:"
            for item in each:
                first, *rest = _lines(item, f"{indent}    ")
                yield f"{indent}  - {first.strip()}"
                yield from rest
        elif isinstance(each, dict):
            yield f"{indent}{key}:"
            yield from _lines(each, f"{indent}  ")
        else:
            plain = isinstance(each, str) and each.replace(".", "").replace("_", "").isalnum()
            yield f"{indent}{key}: {each if plain else json.dumps(each)}"
