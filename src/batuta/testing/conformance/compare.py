"""Whether an execution went as recorded (`conformance/flows`, its README says what the keys mean).

Both sides are plain data of one shape. Only what the record has is compared, but surplus task runs, children, other
executions, messages from INFO upward, outputs and labels are differences. Of an error the place counts, not the wording.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from batuta.testing.conformance.text import ANYTHING, differences, is_same, is_same_text, shown

Record = Mapping[str, Any]

VALUES = (
    "state",
    "histories",
    "inputs",
    "outputs",
    "variables",
    "labels",
    "systemLabels",
    "trigger",
    "attemptNumber",
    "flowRevision",
    "hasParentId",
)
RUN_VALUES = ("state", "attempts", "attemptStates", "histories", "outputs")
NOT_EXPECTED = ("outputs", "labels")
"""Absent from a record because there were none."""
OPERATIONS = ("afterRestart", "afterReplay", "afterMark")
SURPLUS_LEVELS = frozenset({"INFO", "WARN", "ERROR"})


class Rules(msgspec.Struct, frozen=True):
    """What counts in one case. `approximate` names lists whose members differed between recordings.

    `wordings`: tasks whose messages are the author's own words. Of an ERROR message of any other task only the place
    counts, as of every error; None compares all messages word by word.
    """

    wordings: frozenset[str] | None = None
    approximate: frozenset[str] = frozenset()


def compare(
    expected: Record, actual: Record, *, wordings: frozenset[str] | None = None
) -> list[str]:
    """The differences between a recorded case and ours; empty when it went the same way."""
    rules = Rules(wordings, frozenset(expected.get("approximate") or ()))
    return list(_case(expected, actual, rules))


def _case(expected: Record, actual: Record, rules: Rules) -> Iterator[str]:
    if expected.get("validation") and "validation" in actual:
        yield from differences(expected["validation"], actual["validation"], "validation")
    yield from _execution(expected, actual, path="", rules=rules)
    for name, record in (expected.get("others") or {}).items():
        other = (actual.get("others") or {}).get(name)
        if other is None:
            yield f"others.{name}: missing"
        else:
            yield from _execution(record, other, path=f"{name} ", rules=rules)
    for key in OPERATIONS:
        if expected.get(key) and key in actual:
            given_back = {**expected[key], "logs": None}
            yield from _execution(given_back, actual[key], path=f"{key} ", rules=rules)
    refused = [step["step"] for step in expected.get("stepErrors") or ()]
    yield from differences(
        refused, [step["step"] for step in actual.get("stepErrors") or ()], "stepErrors"
    )


def _execution(expected: Record, actual: Record, *, path: str, rules: Rules) -> Iterator[str]:
    yield from _errors(expected, actual, path)
    ran = "state" in expected
    for key in VALUES:
        if key in expected and key not in rules.approximate:
            yield from differences(expected[key], actual.get(key), f"{path}{key}")
        elif key not in expected and key in NOT_EXPECTED and ran and actual.get(key):
            yield f"{path}{key}: none expected, got {shown(actual[key])}"
    if expected.get("taskRuns") is not None:
        yield from _pair(
            expected["taskRuns"],
            actual.get("taskRuns") or (),
            difference=_run_difference,
            path=f"{path}taskRuns ",
            surplus="taskRuns" not in rules.approximate,
        )
    order, made = expected.get("order"), actual.get("order")
    if order is not None and made is not None and not is_same(order, made):
        yield f"{path}order: expected {shown(order)}, got {shown(made)}"
    yield from _logs(expected, actual, path=path, rules=rules)
    yield from _children(expected, actual, path=path, rules=rules)


def _errors(expected: Record, actual: Record, path: str) -> Iterator[str]:
    wanted, given = expected.get("error"), actual.get("error")
    if wanted is None and given:
        yield f"{path}error: none expected, got {shown(given)}"
    elif wanted is not None and not given:
        yield f"{path}error: expected {shown(wanted)}, got none"
    elif wanted is not None:
        yield from differences(expected.get("errorOn"), actual.get("errorOn"), f"{path}errorOn")


def _run_difference(expected: Record, actual: Record) -> list[str] | None:
    """None when they are not the same task run at all."""
    if expected["taskId"] != actual.get("taskId"):
        return None
    for key in ("value", "iteration", "parent"):
        if not _is_same_place(expected.get(key), actual.get(key), loose=key == "iteration"):
            return None
    found: list[str] = []
    for key in RUN_VALUES:
        if key in expected:
            found += differences(expected[key], actual.get(key), key)
        elif key == "outputs" and actual.get(key):
            found.append(f"outputs: not expected, got {shown(actual[key])}")
    return found


def _is_same_place(expected: Any, actual: Any, *, loose: bool) -> bool:
    """`loose`: a record without the key says nothing about it."""
    if expected == ANYTHING or (loose and expected is None):
        return True
    if expected is None or actual is None:
        return expected is actual
    return is_same_text(str(expected), str(actual))


def _logs(expected: Record, actual: Record, *, path: str, rules: Rules) -> Iterator[str]:
    is_main = "state" in expected and "flowId" not in expected and "logs" not in expected
    messages = [] if is_main else expected.get("logs")
    if messages is None:
        return
    left = list(actual.get("logs") or ())
    for message in messages:
        found = _same_message(message, left, rules)
        if found is None:
            yield f"{path}logs: missing {_message_name(message)}"
        else:
            left.remove(found)
    if "logs" not in rules.approximate:
        for other in left:
            if other.get("level") in SURPLUS_LEVELS:
                yield f"{path}logs: not expected: {_message_name(other)}"


def _same_message(message: Record, others: Sequence[Record], rules: Rules) -> Record | None:
    """The one that says the same; of an error, else the one at the same place."""
    same = next((other for other in others if _is_same_message(message, other)), None)
    if same is not None or rules.wordings is None or message.get("level") != "ERROR":
        return same
    if message.get("taskId") in rules.wordings:
        return None
    placed = {**message, "message": ANYTHING}
    return next((other for other in others if _is_same_message(placed, other)), None)


def _is_same_message(expected: Record, actual: Record) -> bool:
    for key in ("level", "taskId", "value", "iteration", "parent"):
        if key in expected and not _is_same_place(expected[key], actual.get(key), loose=False):
            return False
    return is_same_text(str(expected.get("message")), str(actual.get("message")))


def _message_name(message: Record) -> str:
    place = name_of(message) if message.get("taskId") else "-"
    return f"{message.get('level')} {place} {shown(message.get('message'))}"


def _children(expected: Record, actual: Record, *, path: str, rules: Rules) -> Iterator[str]:
    is_main = "state" in expected and "flowId" not in expected
    wanted: Sequence[Record] | None = expected.get("children")
    if wanted is None and not is_main:
        return

    def difference(left: Record, right: Record) -> list[str] | None:
        if left.get("flowId") != right.get("flowId"):
            return None
        return list(_execution(left, right, path="", rules=rules))

    yield from _pair(
        wanted or (),
        actual.get("children") or (),
        difference=difference,
        path=f"{path}child ",
        surplus="children" not in rules.approximate,
    )


def _pair(
    expected: Sequence[Record],
    actual: Sequence[Record],
    *,
    difference: Callable[[Record, Record], list[str] | None],
    path: str,
    surplus: bool,
) -> Iterator[str]:
    """Members of two lists without a fixed order: each goes with the one that differs least."""
    left = list(actual)
    for record in expected:
        pairs = [(difference(record, other), index) for index, other in enumerate(left)]
        fitting = [(found, index) for found, index in pairs if found is not None]
        if not fitting:
            yield f"{path}{name_of(record)}: missing"
            continue
        found, index = min(fitting, key=lambda pair: len(pair[0]))
        left.pop(index)
        yield from (f"{path}{name_of(record)} {line}" for line in found)
    if surplus:
        for other in left:
            yield f"{path}{name_of(other)}: not expected ({other.get('state')})"


def name_of(record: Record) -> str:
    """The path of a task run, its value or iteration in brackets; of a child, its flow."""
    name = str(record.get("taskId") or record.get("flowId"))
    if record.get("value") is not None:
        name += f"[{record['value']}]"
    elif record.get("iteration") is not None:
        name += f"[#{record['iteration']}]"
    return f"{record['parent']}/{name}" if record.get("parent") else name
