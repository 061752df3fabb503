"""What a condition looks at: the execution, rendered properties, and values read from them."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, TypeVar

from batuta.model import codec
from batuta.model.state import State
from batuta.plugins.core.truth import as_text
from batuta.sdk import PluginError

Render = Callable[..., Any]
Choice = TypeVar("Choice", bound=StrEnum)


class ConditionError(PluginError):
    """The condition cannot be judged."""


def execution_of(variables: Mapping[str, Any]) -> Mapping[str, Any]:
    """The execution under test. Raises `ConditionError` where there is none, as on schedules."""
    execution = variables.get("execution")
    if not isinstance(execution, Mapping) or "namespace" not in execution:
        raise ConditionError("Invalid condition with null execution")
    return execution


def flow_of(variables: Mapping[str, Any]) -> Mapping[str, Any]:
    """The flow that listens."""
    flow = variables.get("flow")
    if not isinstance(flow, Mapping):
        raise ConditionError("Invalid condition with null flow")
    return flow


def state_of(subject: Mapping[str, Any]) -> str:
    """The present state of an execution or attempt."""
    state = subject.get("state")
    return str(state.get("current")) if isinstance(state, Mapping) else str(state)


def text_of(raw: Any, render: Render) -> str:
    """A rendered property; null is an empty text."""
    return as_text(render(raw) if isinstance(raw, str) else raw) or ""


def choice_of(kind: type[Choice], raw: Any, render: Render) -> Choice:
    """A rendered constant. Raises `ConditionError` that lists the constants."""
    text = text_of(raw, render)
    try:
        return kind(text)
    except ValueError as error:
        raise ConditionError(f"`{text}` is not one of {', '.join(kind)}") from error


def boolean_of(raw: Any, render: Render) -> bool:
    """A rendered `true` or `false`; nothing is false."""
    text = text_of(raw, render).strip().lower()
    if text not in {"true", "false", ""}:
        raise ConditionError(f"`{text}` is neither true nor false")
    return text == "true"


def states_of(raw: Any, render: Render) -> list[State]:
    """05 §1.3: a list whose texts are rendered, or one expression that renders to a JSON array."""
    if isinstance(raw, str):
        text = raw.strip()
        single = text.startswith("{{") and text.endswith("}}")
        try:
            raw = codec.decode(text_of(text, render) if single else text)
        except ValueError as error:
            raise ConditionError(f"`{text}` is no JSON array: {error}") from error
    if raw is None:
        return []
    if not isinstance(raw, list):
        raise ConditionError("expected a list of states")
    return [choice_of(State, item, render) for item in raw]
