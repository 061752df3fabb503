"""From a source to a flow, or to all that is wrong with it."""

import pytest

from batuta.flow.defaults import Default
from batuta.flow.read import read_flow, read_part
from batuta.model.problem import Severity
from tests.unit.flow.sources import REGISTRY, flow, log, read, tasks


def test_a_minimal_flow_is_read() -> None:
    found = flow(tasks(log()))
    assert (found.namespace, found.id, found.tasks[0].id) == ("acme.data", "sample", "hello")
    assert found.tasks[0].spec["message"] == "hi"


def test_every_problem_is_told_at_once_in_the_order_of_the_source() -> None:
    reading = read(
        """
        disabled: maybe
        inputs:
          - {id: a, type: MONEY}
        tasks:
          - id: one
            type: io.kestra.plugin.core.log.Log
            mesage: hi
          - id: one
            type: io.kestra.plugin.core.log.Nope
          - hello
        """
    )
    found = [(problem.code, problem.path, problem.line) for problem in reading.errors]
    assert found == [
        ("value", "disabled", 4),
        ("unknown-type", "inputs[0].type", 6),
        ("required", "tasks[0].message", 8),
        ("unknown-property", "tasks[0].mesage", 10),
        ("unknown-type", "tasks[1].type", 12),
        ("value", "tasks[2]", 13),
    ]


def test_a_place_is_told_as_a_json_pointer_too() -> None:
    reading = read("labels: {a/b.c: {}}\n" + tasks(log()))
    (problem,) = reading.errors
    assert (problem.path, problem.pointer) == ("labels.a/b.c", "/labels/a~1b.c")


SUGGESTIONS = {
    "tasks: [{id: a, type: io.kestra.plugin.core.log.Log, mesage: x}]": "`message`",
    "tasks: [{id: a, type: io.kestra.plugin.core.log.Logg, message: x}]": "core.log.Log`",
    "tasks: [{id: a, type: io.kestra.plugin.core.log.Log, message: x, logLevel: INF}]": "`INFO`",
    "taskss: []": "`tasks`",
}


@pytest.mark.parametrize(("body", "hint"), SUGGESTIONS.items())
def test_the_nearest_name_is_suggested(body: str, hint: str) -> None:
    suggestions = [problem.suggestion or "" for problem in read(body).errors]
    assert any(hint in suggestion for suggestion in suggestions)


def test_a_scalar_that_loses_its_text_is_warned_about() -> None:
    reading = read("labels: {team: no, zip: 010}\n" + tasks(log()))
    assert reading.flow is not None
    assert [(label.key, label.value) for label in reading.flow.label_list] == [
        ("team", "false"),
        ("zip", "8"),
    ]
    assert [problem.code for problem in reading.warnings] == ["quotes", "quotes"]


def test_texts_inside_dynamic_maps_are_watched_too() -> None:
    reading = read(
        """
        tasks:
          - id: a
            type: io.kestra.plugin.scripts.shell.Commands
            commands: ["ls"]
            env: {ZIP: 010, NAME: x, PORT: 80}
        """
    )
    assert [(problem.code, problem.path) for problem in reading.warnings] == [
        ("quotes", "tasks[0].env.ZIP")
    ]


def test_a_type_that_only_kestra_runs_is_checked_and_accepted() -> None:
    body = "tasks:\n  - id: q\n    type: io.kestra.plugin.gcp.bigquery.Query\n    sql: select 1\n"
    assert read(body).is_valid
    assert read(body + "    sqll: x\n").errors[0].code == "unknown-property"


def test_an_alias_is_reported_and_resolved() -> None:
    reading = read(
        "tasks:\n  - {id: a, type: io.kestra.core.tasks.flows.Sequential, tasks: ["
        + log()[2:]
        + "]}"
    )
    assert reading.is_valid
    assert reading.infos[0].message == (
        "io.kestra.core.tasks.flows.Sequential is replaced by io.kestra.plugin.core.flow.Sequential"
    )


def test_the_extend_block_of_a_blueprint_is_ignored_with_a_warning() -> None:
    reading = read("extend: {title: x}\n" + tasks(log()))
    assert reading.is_valid
    assert reading.warnings[0].path == "extend"


def test_unknown_properties_are_warnings_when_reading_is_lenient() -> None:
    body = "colour: red\n" + tasks(log())
    assert not read(body).is_valid
    lenient = read(body, strict=False)
    assert lenient.is_valid
    assert lenient.warnings[0].code == "unknown-property"


def test_flow_defaults_supply_required_properties() -> None:
    found = flow(
        """
        pluginDefaults:
          - type: io.kestra.plugin.core.log.Log
            values: {message: filled}
        tasks:
          - {id: a, type: io.kestra.plugin.core.log.Log}
        """
    )
    assert found.tasks[0].spec["message"] == "filled"


def test_defaults_of_the_installation_count_less_than_those_of_the_flow() -> None:
    defaults = (Default("io.kestra.plugin.core.log", {"message": "global", "level": "WARN"}),)
    found = flow(
        """
        pluginDefaults:
          - type: io.kestra.plugin.core.log.Log
            values: {message: local}
        tasks:
          - {id: a, type: io.kestra.plugin.core.log.Log}
        """,
        defaults=defaults,
    )
    assert (found.tasks[0].spec["message"], found.tasks[0].spec["level"]) == ("local", "WARN")


def test_a_called_flow_that_is_not_stored_is_a_warning() -> None:
    body = (
        "tasks:\n  - {id: s, type: io.kestra.plugin.core.flow.Subflow, namespace: x, flowId: y}\n"
    )
    reading = read(body, exists=lambda _namespace, _id: False)
    assert [problem.message for problem in reading.warnings] == [
        "The subflow 'y' not found in namespace 'x'."
    ]
    assert read(body, exists=lambda _namespace, _id: True).warnings == ()


def test_the_validators_of_a_class_are_reported_at_their_place() -> None:
    reading = read(
        tasks(log())
        + """
triggers:
  - id: t
    type: io.kestra.plugin.core.trigger.Flow
    preconditions:
      id: p
      where:
        - id: w
          filters:
            - {field: STATE, type: IN, value: SUCCESS}
"""
    )
    assert [problem.path for problem in reading.errors] == [
        "triggers[0].preconditions.where[0].filters[0]"
    ]


def test_a_task_alone_can_be_checked() -> None:
    assert read_part(log()[2:], REGISTRY, kind="task").problems == ()
    wrong = read_part("{id: a, type: io.kestra.plugin.core.log.Log}", REGISTRY, kind="task")
    assert wrong.errors[0].path == "message"


@pytest.mark.parametrize(
    "source", ["", "null", "- a", "hello", "a: [", "\x00", "id: sample", "id: 1\n"]
)
def test_no_source_raises(source: str) -> None:
    reading = read_flow(source, REGISTRY)
    assert not reading.is_valid
    assert all(problem.line is not None for problem in reading.errors)


def test_an_input_may_have_its_older_name() -> None:
    found = flow("inputs: [{name: day, type: DATE}]\n" + tasks(log()))
    assert found.inputs is not None
    assert found.inputs[0].id == "day"


def test_deprecations_are_told_and_do_no_harm() -> None:
    reading = read(
        """
        listeners: []
        tasks:
          - {id: p, type: io.kestra.plugin.core.flow.Pause, delay: PT1S}
        """
    )
    assert reading.is_valid
    assert [problem.path for problem in reading.deprecations] == ["listeners", "tasks[0].delay"]
    assert all(problem.severity is Severity.DEPRECATION for problem in reading.deprecations)
