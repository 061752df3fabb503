"""Conditions on the execution that a flow trigger or webhook looks at."""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any

from pydantic import Field, field_validator
from typing_extensions import override

from batuta.model.label import SYSTEM_PREFIX
from batuta.model.state import State
from batuta.plugins.core.condition.subject import (
    Render,
    boolean_of,
    choice_of,
    execution_of,
    state_of,
    states_of,
    text_of,
)
from batuta.plugins.core.truth import as_text
from batuta.sdk import Condition, Lazy


class Comparison(StrEnum):
    EQUALS = "EQUALS"
    PREFIX = "PREFIX"
    SUFFIX = "SUFFIX"


class ExecutionFlow(
    Condition,
    type="io.kestra.plugin.core.condition.ExecutionFlow",
    aliases=(
        "io.kestra.core.models.conditions.types.ExecutionFlowCondition",
        "io.kestra.plugin.core.condition.ExecutionFlowCondition",
    ),
):
    """True for executions of one flow.

    # Example
    ```yaml
    - type: io.kestra.plugin.core.condition.ExecutionFlow
      namespace: company.data
      flowId: load
    ```
    """

    namespace: Lazy[str] = Field(description="The namespace of the execution's flow.")
    flow_id: Lazy[str] = Field(description="The id of the execution's flow.")

    @override
    def test(self, variables: Mapping[str, Any], render: Render) -> bool:
        execution = execution_of(variables)
        return execution["namespace"] == text_of(self.namespace, render) and execution.get(
            "flowId"
        ) == text_of(self.flow_id, render)


class ExecutionNamespace(
    Condition,
    type="io.kestra.plugin.core.condition.ExecutionNamespace",
    aliases=(
        "io.kestra.core.models.conditions.types.ExecutionNamespaceCondition",
        "io.kestra.plugin.core.condition.ExecutionNamespaceCondition",
    ),
):
    """True for executions of flows in a namespace.

    # Example
    ```yaml
    - type: io.kestra.plugin.core.condition.ExecutionNamespace
      namespace: company.data
      comparison: PREFIX
    ```

    # Notes
    Texts are compared as they are: `a.b` is a prefix of `a.bc`.
    """

    namespace: Lazy[str] = Field(description="The namespace, or a part of it.")
    comparison: Lazy[Comparison] | None = Field(
        default=None, description="How it is compared; by `prefix` when absent."
    )
    prefix: Lazy[bool] = Field(default=False, description="Whether the namespace may go on.")

    @override
    def test(self, variables: Mapping[str, Any], render: Render) -> bool:
        namespace = str(execution_of(variables)["namespace"])
        wanted = text_of(self.namespace, render)
        match self._comparison(render):
            case Comparison.PREFIX:
                return namespace.startswith(wanted)
            case Comparison.SUFFIX:
                return namespace.endswith(wanted)
            case Comparison.EQUALS:
                return namespace == wanted

    def _comparison(self, render: Render) -> Comparison:
        if self.comparison is not None:
            return choice_of(Comparison, self.comparison, render)
        return Comparison.PREFIX if boolean_of(self.prefix, render) else Comparison.EQUALS


class ExecutionStatus(
    Condition,
    type="io.kestra.plugin.core.condition.ExecutionStatus",
    aliases=(
        "io.kestra.core.models.conditions.types.ExecutionStatusCondition",
        "io.kestra.plugin.core.condition.ExecutionStatusCondition",
    ),
):
    """True for executions in certain states.

    # Example
    ```yaml
    - type: io.kestra.plugin.core.condition.ExecutionStatus
      in: [FAILED, WARNING]
    ```
    """

    in_: Lazy[list[State]] | None = Field(
        default=None, alias="in", description="States that fit; all when empty."
    )
    not_in: Lazy[list[State]] | None = Field(default=None, description="States that do not.")

    @override
    def test(self, variables: Mapping[str, Any], render: Render) -> bool:
        execution = execution_of(variables)
        wanted, unwanted = states_of(self.in_, render), states_of(self.not_in, render)
        state = state_of(execution)
        return (not wanted or state in wanted) and state not in unwanted


class ExecutionLabels(
    Condition,
    type="io.kestra.plugin.core.condition.ExecutionLabels",
    aliases=(
        "io.kestra.core.models.conditions.types.ExecutionLabelsCondition",
        "io.kestra.plugin.core.condition.ExecutionLabelsCondition",
    ),
):
    """True for executions that have all of some labels.

    # Example
    ```yaml
    - type: io.kestra.plugin.core.condition.ExecutionLabels
      labels:
        team: data
    ```
    """

    labels: list[Any] | dict[str, Any] = Field(
        description="Labels: a map, or a list of `key` and `value`."
    )

    @field_validator("labels")
    @classmethod
    def _no_system_labels(cls, labels: list[Any] | dict[str, Any]) -> list[Any] | dict[str, Any]:
        for key, value in pairs_of(labels):
            if key.startswith(SYSTEM_PREFIX):
                raise ValueError(
                    f"System labels can only be set by Kestra itself, offending label: {key}={value}."
                )
        return labels

    @override
    def test(self, variables: Mapping[str, Any], render: Render) -> bool:
        present = set(pairs_of(execution_of(variables).get("labels") or ()))
        return present.issuperset(pairs_of(self.labels))


def pairs_of(labels: Mapping[str, Any] | Iterable[Any]) -> list[tuple[str, str | None]]:
    """Keys and values as text. Raises `ValueError` for entries of a list without `key`."""
    if isinstance(labels, Mapping):
        return [(str(key), as_text(value)) for key, value in labels.items()]
    entries = list(labels)
    if not all(isinstance(entry, Mapping) and "key" in entry for entry in entries):
        raise ValueError("expected a map, or a list of `key` and `value`")
    return [(str(entry["key"]), as_text(entry.get("value"))) for entry in entries]


class HasRetryAttempt(
    Condition,
    type="io.kestra.plugin.core.condition.HasRetryAttempt",
    aliases=(
        "io.kestra.core.models.conditions.types.HasRetryAttemptCondition",
        "io.kestra.plugin.core.condition.HasRetryAttemptCondition",
    ),
):
    """True for executions in which a task was tried again.

    # What it does
    Holds when a task run has more than one attempt, and one of them ended in a state of `in` that is not in `notIn`.

    # Example
    ```yaml
    - type: io.kestra.plugin.core.condition.HasRetryAttempt
      in: [FAILED]
    ```
    """

    in_: Lazy[list[State]] | None = Field(
        default=None,
        alias="in",
        description="States that attempts ended in; nothing fits when empty.",
    )
    not_in: Lazy[list[State]] | None = Field(default=None, description="States that do not count.")

    @override
    def test(self, variables: Mapping[str, Any], render: Render) -> bool:
        wanted, unwanted = states_of(self.in_, render), states_of(self.not_in, render)
        ended = {
            _ended_in(attempt)
            for run in execution_of(variables).get("taskRunList") or ()
            if len(attempts := run.get("attempts") or ()) > 1
            for attempt in attempts
        }
        return any(state in wanted and state not in unwanted for state in ended)


def _ended_in(attempt: Mapping[str, Any]) -> str:
    """The last state of the attempt's history."""
    histories = (attempt.get("state") or {}).get("histories")
    return str(histories[-1].get("state")) if histories else state_of(attempt)
