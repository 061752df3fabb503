"""Attributes, subscripts and methods (02 §1.4): keys of maps, indices of lists, and named members of scalars.

Nothing here asks a Python object for an attribute by a name from a template: members are tables of functions.
"""

import re
from collections.abc import Mapping

from batuta.expr.errors import EvaluationError, MissingVariableError, RuntimeFaultError
from batuta.expr.format.text import java_text
from batuta.expr.limits import Limits
from batuta.expr.members import Member, find_member, members_of
from batuta.expr.syntax.nodes import At
from batuta.expr.values import Array, Value, class_name, is_list, is_number

_INTEGER = re.compile(r"[+-]?[0-9]{1,10}", re.ASCII)
_REFUSED = frozenset(("class", "getclass", "wait", "notify", "notifyall"))


def attribute(target: Value, key: Value, *, at: At, root: str | None) -> Value:
    """`target[key]`, also `target.key`. `root` is the variable's name if `target` is a bare variable."""
    if target is None:
        raise MissingVariableError(root if root is not None else java_text(key), at)
    if isinstance(target, Mapping):
        return _entry(target, key, at)
    if is_list(target) or isinstance(target, Array):
        index = _index(key)
        if index is not None:
            if 0 <= index < len(target):
                return target[index]
            raise MissingVariableError(java_text(key), at)
    return _member(target, java_text(key), at)


def call_method(
    target: Value, name: str, arguments: list[Value], *, at: At, root: str | None, limits: Limits
) -> Value:
    """`target.name(arguments)`; only methods, never keys."""
    if target is None:
        raise MissingVariableError(root if root is not None else name, at)
    _refuse(target, name, at)
    member = find_member(target, name, arguments)
    if member is None:
        raise MissingVariableError(name, at, known=members_of(target))
    if member.grows:
        arguments = [*arguments, limits.text_chars]
    return _run(member, target, arguments, at=at)


def _entry(target: Mapping[Value, Value], key: Value, at: At) -> Value:
    if is_number(key):
        key = _cast_key(target, key, at)
    elif key is None:
        raise RuntimeFaultError("null cannot be the key of a map", at)
    try:
        return target[key]
    except KeyError:
        raise MissingVariableError(java_text(key), at, known=target) from None
    except TypeError:
        raise MissingVariableError(java_text(key), at) from None


def _cast_key(target: Mapping[Value, Value], key: Value, at: At) -> Value:
    """A number looks for keys of the kind of the map's first key."""
    first = next(iter(target), None)
    if first is None:
        raise RuntimeFaultError("a number cannot be the key of an empty map", at)
    if not is_number(first):
        raise EvaluationError(
            f"type {class_name(first)} not supported for key {java_text(key)}", at
        )
    return int(key) if isinstance(first, int) else float(key)


def _index(key: Value) -> int | None:
    if isinstance(key, int) and not isinstance(key, bool):
        return key
    if isinstance(key, str) and _INTEGER.fullmatch(key) is not None:
        return int(key)
    return None


def _member(target: Value, name: str, at: At) -> Value:
    _refuse(target, name, at)
    lower = name.lower()
    for candidate in (f"get{lower}", f"is{lower}", f"has{lower}", lower):
        member = find_member(target, candidate, [])
        if member is not None:
            return _run(member, target, [], at=at)
    raise MissingVariableError(name, at, known=members_of(target))


def _refuse(target: Value, name: str, at: At) -> None:
    if name.lower() in _REFUSED:
        raise EvaluationError(
            f"For security reasons access to class/method: {class_name(target)}#{name} is denied",
            at,
        )


def _run(member: Member, target: Value, arguments: list[Value], *, at: At) -> Value:
    try:
        return member.function(target, *arguments)
    except (ValueError, OverflowError) as problem:
        raise RuntimeFaultError(str(problem), at) from None
