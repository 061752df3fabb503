"""Which values the inputs of an execution have: defaults, dependencies, types, bounds (01 §2.4, §2.5).

Pure: rendering, encryption and the storing of files come in as functions.
"""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from typing import Any

import msgspec

from batuta.engine.plan import FlowOutput
from batuta.flow.input_value import (
    ENCRYPTED_TYPE,
    Encrypt,
    ValueProblem,
    check_value,
    encrypted,
    read_value,
)
from batuta.flow.literal import is_expression, java_text
from batuta.sdk.input import Input, InputType

Render = Callable[[Any, Mapping[str, Any]], Any]
"""`render(template, inputs)`: typed value of a template (maps and lists recursively) that sees these `inputs`;
raises any exception whose text says what is wrong."""
StoreFile = Callable[[Input, str], str]
"""Turns what was given for a FILE input into the URI that is stored."""


_TEXTS = frozenset({"STRING", "ENUM", "SELECT", "SECRET", "EMAIL", "URI", "FILE"})


class InputProblem(msgspec.Struct, frozen=True):
    """`message` as the API reports it; `id` names the input."""

    id: str
    message: str


class ResolvedInput(msgspec.Struct, frozen=True, kw_only=True):
    declared: Input
    enabled: bool = True
    value: Any = None
    is_default: bool = False
    choices: tuple[str, ...] | None = None
    """What may be chosen, with a rendered `expression`."""
    problems: tuple[InputProblem, ...] = ()


class Resolved(msgspec.Struct, frozen=True, kw_only=True):
    values: Mapping[str, Any]
    """Nested by the dots of their ids, as an execution stores them."""
    inputs: tuple[ResolvedInput, ...]
    undeclared: tuple[str, ...] = ()
    """Names that were given and are no inputs."""

    @property
    def errors(self) -> tuple[InputProblem, ...]:
        return tuple(problem for each in self.inputs if each.enabled for problem in each.problems)


def resolve_inputs(
    declared: Sequence[Input] | None,
    given: Mapping[str, Any],
    *,
    render: Render,
    encrypt: Encrypt | None = None,
    store_file: StoreFile | None = None,
) -> Resolved:
    """Values of all inputs, and everything that is wrong with those given.

    `given` maps ids to texts or typed values; dotted ids may also be given nested.
    """
    inputs = tuple(declared or ())
    resolver = _Resolver(
        inputs, _flattened(given, inputs), render=render, encrypt=encrypt, store_file=store_file
    )
    found = tuple(resolver.resolve(each) for each in inputs)
    values: dict[str, Any] = {}
    for each in found:
        if each.enabled and each.value is not None:
            put_nested(values, each.declared.id, each.value)
    names = {each.id for each in inputs}
    roots = {name.partition(".")[0] for name in names}
    return Resolved(
        values=values,
        inputs=found,
        undeclared=tuple(name for name in given if name not in names and name not in roots),
    )


def visible_inputs(declared: Sequence[Input] | None, stored: Mapping[str, Any]) -> dict[str, Any]:
    """`inputs` as templates see them: absent ones read as null, disabled ones as their literal default (01 §2.4)."""
    visible: dict[str, Any] = {}
    for each in declared or ():
        value = get_nested(stored, each.id)
        if value is None and not is_expression(each.defaults):
            value = each.defaults
        put_nested(visible, each.id, value)
    return visible


def secret_ids(declared: Sequence[Input] | None) -> tuple[str, ...]:
    """Inputs whose stored value is encrypted."""
    return tuple(each.id for each in declared or () if each.type is InputType.SECRET)


def sealed_values(declared: Sequence[Input], values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Input values as they stand among outputs, where encrypted texts are told from others by their shape."""
    result = deepcopy(dict(values))
    for name in secret_ids(declared):
        stored = get_nested(result, name)
        if isinstance(stored, str):
            put_nested(result, name, {"value": stored, "type": ENCRYPTED_TYPE})
    return result


def typed_outputs(
    declared: Sequence[FlowOutput],
    *,
    render: Callable[[Any], Any],
    render_typed: Callable[[Any], Any],
    encrypt: Encrypt | None = None,
    warn: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """The outputs of a flow, rendered and converted to their types (01 §3).

    An output that is not required and cannot be rendered is left out; `warn` is told. Raises whatever rendering
    raises, and `ValueError` with the text that the execution logs for a value that does not fit.
    """
    values: dict[str, Any] = {}
    for each in declared:
        as_text = each.type in _TEXTS and isinstance(each.value, str)
        try:
            value = (render if as_text else render_typed)(each.value)
        except Exception as error:
            if each.required:
                raise
            if warn is not None:
                warn(f"Failed to render output '{each.id}': {error}")
            continue
        values[each.id] = typed_output(each.id, each.type, value, encrypt=encrypt)
    return values


def typed_output(name: str, type_name: str, value: Any, *, encrypt: Encrypt | None = None) -> Any:
    """One flow output as its declared type. Raises `ValueError`."""
    kind = InputType(type_name)
    if value is None:
        return "" if kind is InputType.STRING else None
    try:
        if kind is InputType.SECRET:
            return {"value": encrypted(java_text(value), encrypt), "type": ENCRYPTED_TYPE}
        return _output_value(kind, value)
    except ValueProblem as problem:
        raise ValueError(
            f"{name}: Invalid output for `{name}`, {problem}, but received `{java_text(value)}`"
        ) from problem


def _output_value(kind: InputType, value: Any) -> Any:
    if kind in {InputType.ARRAY, InputType.MULTISELECT}:
        return read_value(InputType.JSON, value)
    return read_value(kind, value)


def get_nested(values: Mapping[str, Any], name: str) -> Any:
    """The value of a dotted id."""
    found: Any = values
    for part in name.split("."):
        if not isinstance(found, Mapping) or part not in found:
            return None
        found = found[part]
    return found


def put_nested(values: dict[str, Any], name: str, value: Any) -> None:
    *parents, last = name.split(".")
    for part in parents:
        inner = values.get(part)
        if not isinstance(inner, dict):
            inner = values[part] = {}
        values = inner
    values[last] = value


def _flattened(given: Mapping[str, Any], inputs: Sequence[Input]) -> dict[str, Any]:
    return {
        each.id: given[each.id] if each.id in given else get_nested(given, each.id)
        for each in inputs
    }


class _Resolver:
    """Memoised, so an input may be asked for before its turn."""

    def __init__(
        self,
        inputs: tuple[Input, ...],
        given: Mapping[str, Any],
        *,
        render: Render,
        encrypt: Encrypt | None,
        store_file: StoreFile | None,
    ) -> None:
        self._inputs = {each.id: each for each in inputs}
        self._given = given
        self._render = render
        self._encrypt = encrypt
        self._store_file = store_file
        self._done: dict[str, ResolvedInput] = {}
        self._plain: dict[str, Any] = {}
        """Values before encryption: what conditions and expressions see."""

    def resolve(self, declared: Input) -> ResolvedInput:
        done = self._done.get(declared.id)
        if done is None:
            # An input that waits for itself counts as disabled; validation refuses such flows.
            self._done[declared.id] = ResolvedInput(declared=declared, enabled=False)
            done = self._done[declared.id] = self._resolved(declared)
        return done

    def _resolved(self, declared: Input) -> ResolvedInput:
        visible = self._dependencies(declared)
        if visible is None:
            return ResolvedInput(declared=declared, enabled=False)
        try:
            if not self._condition_holds(declared, visible):
                return ResolvedInput(declared=declared, enabled=False)
        except Exception as error:
            problem = InputProblem(declared.id, f"Invalid condition: {error}")
            return ResolvedInput(declared=declared, enabled=False, problems=(problem,))
        return self._enabled(declared, visible)

    def _enabled(self, declared: Input, visible: Mapping[str, Any]) -> ResolvedInput:
        raw = self._given.get(declared.id)
        is_default = raw is None and declared.defaults is not None
        choices: list[str] | None = None
        try:
            choices = self._choices(declared, visible)
            if raw is None:
                raw = self._default(declared, visible, choices)
            value = self._accepted(declared, raw, choices)
        except ValueProblem as problem:
            shown = "******" if declared.type is InputType.SECRET else _shown(raw)
            message = f"Invalid input for `{declared.id}`, {problem}, but received `{shown}`"
            return ResolvedInput(
                declared=declared,
                is_default=is_default,
                choices=None if choices is None else tuple(choices),
                problems=(InputProblem(declared.id, message),),
            )
        return ResolvedInput(
            declared=declared,
            value=value,
            is_default=is_default,
            choices=None if choices is None else tuple(choices),
        )

    def _dependencies(self, declared: Input) -> dict[str, Any] | None:
        """The values of the inputs it depends on, or None when one of them is disabled."""
        visible: dict[str, Any] = {}
        names = declared.depends_on.inputs if declared.depends_on is not None else None
        for name in names or ():
            other = self._inputs.get(name)
            if other is None:
                continue
            if not self.resolve(other).enabled:
                return None
            put_nested(visible, name, self._plain.get(name))
        return visible

    def _condition_holds(self, declared: Input, visible: Mapping[str, Any]) -> bool:
        condition = declared.depends_on.condition if declared.depends_on is not None else None
        if condition is None:
            return True
        # The text "true" does not count, as recorded (conformance input-depends-on-string-true).
        return self._render(condition, visible) is True

    def _choices(self, declared: Input, visible: Mapping[str, Any]) -> list[str] | None:
        if declared.expression is None:
            return declared.choices
        try:
            value = self._render(declared.expression, visible)
        except Exception as error:
            raise ValueProblem(f"Cannot render 'expression'. Cause: {error}") from error
        if not isinstance(value, list):
            kind = "<null>" if value is None else _JAVA_NAMES.get(type(value), "Object")
            raise ValueProblem(
                f"Invalid expression result. Expected a list of strings, but received {kind}"
            )
        return [_shown(each) for each in value if each is not None]

    def _default(
        self, declared: Input, visible: Mapping[str, Any], choices: list[str] | None
    ) -> Any:
        if declared.defaults is not None:
            try:
                return self._render(declared.defaults, visible)
            except Exception as error:
                raise ValueProblem(f"the default cannot be rendered: {error}") from error
        if declared.auto_select_first and choices:
            return [choices[0]] if declared.type is InputType.MULTISELECT else choices[0]
        return None

    def _accepted(self, declared: Input, raw: Any, choices: list[str] | None) -> Any:
        if raw is None:
            if declared.required:
                raise ValueProblem("missing required input")
            return None
        if declared.type is InputType.FILE and self._store_file is not None:
            raw = self._store_file(declared, str(raw))
        value = read_value(declared.type, raw, item_type=declared.item_type)
        check_value(declared, value, choices=choices)
        self._plain[declared.id] = value
        if declared.type is InputType.SECRET:
            return encrypted(value, self._encrypt)
        return value


_JAVA_NAMES: Mapping[type, str] = {
    str: "String",
    int: "Integer",
    float: "Double",
    bool: "Boolean",
    dict: "LinkedHashMap",
}


def _shown(value: Any) -> str:
    return java_text(value) if not isinstance(value, str) else value
