"""What inputs must be beyond their shape (01 §1.7, §2.3)."""

from collections import deque
from collections.abc import Mapping
from typing import Any

from batuta.expr.errors import ExpressionError
from batuta.expr.regex import compile_java
from batuta.flow.input_value import ValueProblem, check_value, read_value
from batuta.flow.literal import is_expression
from batuta.flow.problems import Problems, nearest
from batuta.flow.yaml import Path
from batuta.sdk.input import Input, InputType

_CHOICES = frozenset({"SELECT", "MULTISELECT"})
_LISTS = frozenset({"ARRAY", "MULTISELECT"})
_FILE_SCHEMES = ("nsfile://", "file://", "kestra://")
MAX_SHOWN = 20
"""Names of a cycle in a message."""
_COLLECTIONS = frozenset({"ARRAY", "MULTISELECT", "JSON", "YAML"})


def check_inputs(inputs: Any, path: Path, problems: Problems) -> None:
    """`inputs` as they were read, or None."""
    if not isinstance(inputs, list):
        return
    for index, entry in enumerate(inputs):
        place = (*path, index)
        for check in (_pattern, _defaults, _choices, _item_type, _default_value):
            check(entry, place, problems)
    _dependencies(inputs, path, problems)


def _pattern(entry: Mapping[str, Any], path: Path, problems: Problems) -> None:
    pattern = entry.get("validator")
    if not isinstance(pattern, str):
        return
    try:
        compile_java(pattern)
    except ExpressionError:
        problems.error("pattern", f"invalid pattern [{pattern}]", (*path, "validator"))


def _defaults(entry: Mapping[str, Any], path: Path, problems: Problems) -> None:
    if entry.get("defaults") is None:
        return
    if entry.get("prefill") is not None:
        problems.error(
            "prefill", "Inputs with a default value cannot also have a prefill.", (*path, "prefill")
        )
    if entry.get("required") is False:
        problems.warning(
            "required-default",
            "Inputs with a default value must be required, since the default is always applied.",
            (*path, "required"),
        )


def _choices(entry: Mapping[str, Any], path: Path, problems: Problems) -> None:
    if entry.get("type") not in _CHOICES:
        return
    has_values = entry.get("values") is not None or entry.get("options") is not None
    has_expression = entry.get("expression") is not None
    if has_values and has_expression:
        problems.warning(
            "choices",
            "both `values` and `expression` are set; the expression is used",
            (*path, "expression"),
        )
    if not has_values and not has_expression:
        problems.error("choices", "either `values` or `expression` must be set", path)


def _item_type(entry: Mapping[str, Any], path: Path, problems: Problems) -> None:
    kind, item = entry.get("type"), entry.get("itemType")
    if kind in _LISTS and item in (_LISTS if kind == "MULTISELECT" else {"ARRAY"}):
        problems.error("item-type", f"`itemType` cannot be `{item}`", (*path, "itemType"))


def _default_value(entry: Mapping[str, Any], path: Path, problems: Problems) -> None:
    value = entry.get("defaults")
    if value is None or is_expression(value):
        return
    place = (*path, "defaults")
    if entry.get("type") == "FILE":
        if not str(value).startswith(_FILE_SCHEMES):
            problems.error(
                "file-default",
                "inputs of type 'FILE' only support `defaults` with expression that can be rendered immediately",
                place,
            )
        return
    reason = _misfit(entry, value)
    if reason is not None:
        problems.warning("default", f"the default does not fit: {reason}", place)


def _misfit(entry: Mapping[str, Any], value: Any) -> str | None:
    try:
        declared = Input.model_validate({**entry, "validator": None})
    except ValueError:
        return None
    if declared.type not in _COLLECTIONS and isinstance(value, Mapping | list):
        return f"a `{declared.type.value}` is no list or map"
    if declared.type in {InputType.BOOL, InputType.BOOLEAN} and not _is_boolean(value):
        return f"expected `true` or `false`, but received `{value}`"
    try:
        read = read_value(declared.type, value, item_type=declared.item_type)
        check_value(declared, read, choices=declared.choices if not declared.expression else None)
    except ValueProblem as problem:
        return str(problem)
    except (TypeError, ValueError):
        return None
    return None


def _is_boolean(value: Any) -> bool:
    return isinstance(value, bool) or str(value).lower() in {"true", "false"}


def _dependencies(inputs: list[Any], path: Path, problems: Problems) -> None:
    names = {entry.get("id"): index for index, entry in enumerate(inputs)}
    edges: dict[Any, list[Any]] = {}
    for entry in inputs:
        depends = entry.get("dependsOn")
        edges[entry.get("id")] = list((depends or {}).get("inputs") or ())
    for name, others in edges.items():
        for position, other in enumerate(others):
            if other not in names:
                problems.error(
                    "depends-on",
                    f"Input with id '{name}' depends on a non-existent input '{other}'.",
                    (*path, names[name], "dependsOn", "inputs", position),
                    suggestion=nearest(str(other), names),
                )
        cycle = _reach(name, edges)
        if name in cycle:
            shown = [*cycle][:MAX_SHOWN]
            more = ", …" if len(cycle) > MAX_SHOWN else ""
            problems.error(
                "cycle",
                f"Cycle dependency detected for input with id '{name}': [{', '.join(shown)}{more}]",
                (*path, names[name], "dependsOn"),
            )


def _reach(start: Any, edges: Mapping[Any, list[Any]]) -> dict[str, None]:
    """Everything that an input waits for, in the order of discovery."""
    found: dict[str, None] = {}
    waiting = deque(edges.get(start, ()))
    while waiting:
        name = waiting.popleft()
        if name not in found:
            found[name] = None
            waiting.extend(edges.get(name, ()))
    return found
