"""Values of inputs: types, bounds, defaults, dependencies."""

from collections.abc import Mapping
from typing import Any

import pytest

from batuta.engine.plan import FlowOutput
from batuta.flow.inputs import Resolved, resolve_inputs, secret_ids, typed_outputs, visible_inputs
from batuta.sdk.input import Input


def _render(template: Any, inputs: Mapping[str, Any]) -> Any:
    """Enough of a language for these tests: `{{ inputs.x }}` and literals."""
    if isinstance(template, str) and template.startswith("{{"):
        return eval(template[2:-2].replace("inputs.", "inputs_"), {}, _flat(inputs))
    return template


def _flat(inputs: Mapping[str, Any]) -> dict[str, Any]:
    return {f"inputs_{name}": value for name, value in inputs.items()}


def _resolve(given: Mapping[str, Any], *declared: dict[str, Any], **options: Any) -> Resolved:
    inputs = [Input.model_validate({"type": "STRING", **each}) for each in declared]
    return resolve_inputs(inputs, given, render=_render, **options)


TYPED = [
    ({"type": "STRING"}, 12, "12"),
    ({"type": "STRING"}, {"a": 1}, '{"a":1}'),
    ({"type": "INT"}, "42", 42),
    ({"type": "FLOAT"}, "3.14", 3.14),
    ({"type": "FLOAT"}, 2, 2.0),
    ({"type": "BOOL"}, "TRUE", True),
    ({"type": "BOOLEAN"}, "yes", False),
    ({"type": "DATE"}, "2025-01-31", "2025-01-31"),
    ({"type": "TIME"}, "08:30", "08:30:00"),
    ({"type": "DATETIME"}, "2025-01-02T11:00:00+01:00", "2025-01-02T10:00:00.000000Z"),
    ({"type": "DURATION"}, "PT1M30S", 90.0),
    ({"type": "JSON"}, '{"a": [1]}', {"a": [1]}),
    ({"type": "JSON"}, {"a": 1}, {"a": 1}),
    ({"type": "YAML"}, "a: yes", {"a": True}),
    ({"type": "URI"}, "https://example.org/x", "https://example.org/x"),
    ({"type": "EMAIL"}, "a@example.org", "a@example.org"),
    ({"type": "EMAIL"}, "", ""),
    ({"type": "FILE"}, "kestra:///a/b.txt", "kestra:///a/b.txt"),
    ({"type": "ARRAY", "itemType": "INT"}, '[1, "2"]', [1, 2]),
    ({"type": "MULTISELECT", "values": ["a", "b"]}, ["b"], ["b"]),
    ({"type": "SELECT", "values": ["a"], "allowCustomValue": True}, "z", "z"),
]


@pytest.mark.parametrize(("declared", "given", "stored"), TYPED)
def test_a_value_is_stored_as_its_type(
    declared: dict[str, Any], given: object, stored: object
) -> None:
    found = _resolve({"x": given}, {"id": "x", **declared})
    assert found.errors == ()
    assert found.values == {"x": stored}


REFUSED = [
    ({"type": "INT"}, "abc", 'For input string: "abc"'),
    ({"type": "INT"}, "1.5", 'For input string: "1.5"'),
    ({"type": "INT", "min": 10}, 5, "it must be more than `10`"),
    ({"type": "FLOAT", "max": 20}, "20.5", "it must be less than `20`"),
    ({"type": "STRING", "validator": "[a-z]+"}, "A1", "it must match the pattern `[a-z]+`"),
    ({"type": "SELECT", "values": ["a", "b"]}, "c", "it must match the values `[a, b]`"),
    ({"type": "MULTISELECT", "values": ["a"]}, ["a", "b"], "it must match the values `[a]`"),
    (
        {"type": "ARRAY", "itemType": "INT"},
        ["s1"],
        "Unable to parse array element as `INT` on `s1`",
    ),
    ({"type": "DATE", "after": "2025-01-01"}, "2024-12-31", "it must be after `2025-01-01`"),
    ({"type": "DURATION", "min": "PT10S"}, "PT5S", "It must be more than `PT10S`"),
    ({"type": "DATETIME"}, "2025-01-01", "Expected `DATETIME` but received `2025-01-01`"),
    ({"type": "EMAIL"}, "nobody", "The input must be a valid email"),
    ({"type": "SECRET"}, "s", "encryption is not configured"),
    (
        {"type": "FILE", "allowedFileExtensions": [".csv"]},
        "kestra:///a/b.txt",
        "extensions `[.csv]`",
    ),
    ({"type": "FILE"}, "b.txt", "expected an uploaded file or a URI"),
]


@pytest.mark.parametrize(("declared", "given", "reason"), REFUSED)
def test_a_value_that_does_not_fit_says_why(
    declared: dict[str, Any], given: object, reason: str
) -> None:
    (problem,) = _resolve({"x": given}, {"id": "x", **declared}).errors
    assert problem.message.startswith("Invalid input for `x`, ")
    assert reason in problem.message


def test_all_wrong_values_are_told_by_name() -> None:
    found = _resolve({"a": "x"}, {"id": "a", "type": "INT"}, {"id": "b"})
    assert [problem.id for problem in found.errors] == ["a", "b"]
    assert found.errors[1].message == (
        "Invalid input for `b`, missing required input, but received `null`"
    )


def test_dotted_ids_nest_and_may_be_given_either_way() -> None:
    declared = ({"id": "a.b", "type": "INT"}, {"id": "a.c", "required": False})
    assert _resolve({"a.b": 1}, *declared).values == {"a": {"b": 1}}
    assert _resolve({"a": {"b": 1}}, *declared).values == {"a": {"b": 1}}


def test_a_default_is_rendered_with_what_it_depends_on() -> None:
    found = _resolve(
        {"a": "x"},
        {"id": "a"},
        {"id": "b", "defaults": "{{ inputs.a + '!' }}", "dependsOn": {"inputs": ["a"]}},
    )
    assert found.values == {"a": "x", "b": "x!"}
    assert found.inputs[1].is_default


def test_an_input_whose_condition_fails_is_left_out() -> None:
    declared = (
        {"id": "a"},
        {"id": "b", "dependsOn": {"inputs": ["a"], "condition": "{{ inputs.a == 'on' }}"}},
    )
    assert _resolve({"a": "off", "b": "x"}, *declared).values == {"a": "off"}
    assert _resolve({"a": "on", "b": "x"}, *declared).values == {"a": "on", "b": "x"}


def test_a_condition_must_give_a_boolean() -> None:
    assert _resolve({"b": "x"}, {"id": "b", "dependsOn": {"condition": "true"}}).values == {}


def test_a_condition_that_cannot_be_rendered_disables_and_is_reported() -> None:
    found = _resolve({}, {"id": "b", "dependsOn": {"condition": "{{ nope }}"}})
    assert found.errors == ()
    assert found.inputs[0].problems[0].message.startswith("Invalid condition: ")


def test_inputs_that_wait_for_each_other_end_disabled() -> None:
    found = _resolve(
        {"a": "1", "b": "2"},
        {"id": "a", "dependsOn": {"inputs": ["b"]}},
        {"id": "b", "dependsOn": {"inputs": ["a"]}},
    )
    assert found.values == {}


def test_choices_come_from_an_expression() -> None:
    declared = {"id": "s", "type": "SELECT", "expression": "{{ ['a', None, 1] }}"}
    assert _resolve({"s": "1"}, declared).values == {"s": "1"}
    assert _resolve({"s": "1"}, declared).inputs[0].choices == ("a", "1")
    wrong = _resolve({"s": "1"}, {**declared, "expression": "{{ 'text' }}"})
    assert "Expected a list of strings, but received String" in wrong.errors[0].message


def test_the_first_choice_is_taken_when_asked_for() -> None:
    declared = {"id": "s", "type": "SELECT", "values": ["a", "b"], "autoSelectFirst": True}
    assert _resolve({}, declared).values == {"s": "a"}


def test_a_secret_is_encrypted_and_never_shown() -> None:
    declared = {"id": "s", "type": "SECRET", "validator": "[a-z]+"}
    found = _resolve({"s": "abc"}, declared, encrypt=lambda text: text[::-1])
    assert found.values == {"s": "cba"}
    assert secret_ids([Input.model_validate(declared)]) == ("s",)
    (problem,) = _resolve({"s": "ABC"}, declared, encrypt=str).errors
    assert "ABC" not in problem.message


def test_names_that_are_no_inputs_are_named() -> None:
    assert _resolve({"a": "1", "z": "2"}, {"id": "a"}).undeclared == ("z",)


def test_templates_see_null_for_absent_and_literal_defaults_for_disabled_inputs() -> None:
    declared = [
        Input.model_validate({"id": "a", "type": "STRING", "required": False}),
        Input.model_validate({"id": "b", "type": "STRING", "defaults": "x"}),
    ]
    assert visible_inputs(declared, {}) == {"a": None, "b": "x"}


def _outputs(*declared: FlowOutput) -> dict[str, Any]:
    return typed_outputs(declared, render=str, render_typed=lambda value: value)


def test_flow_outputs_get_their_declared_types() -> None:
    found = _outputs(
        FlowOutput(id="n", type="INT", value="3"),
        FlowOutput(id="s", type="STRING", value="x"),
        FlowOutput(id="l", type="ARRAY", value=[1, "a"]),
        FlowOutput(id="e", type="JSON", value=None),
    )
    assert found == {"n": 3, "s": "x", "l": [1, "a"], "e": None}


def test_a_flow_output_that_does_not_fit_is_an_error_with_its_name() -> None:
    with pytest.raises(ValueError, match="x: Invalid output for `x`, For input string") as caught:
        _outputs(FlowOutput(id="x", type="INT", value="abc"))
    assert str(caught.value).endswith("but received `abc`")


def test_an_optional_output_that_cannot_be_rendered_is_left_out() -> None:
    def fail(_value: Any) -> Any:
        raise ValueError("nothing there")

    warned: list[str] = []
    declared = (FlowOutput(id="x", type="STRING", value="{{ y }}", required=False),)
    assert typed_outputs(declared, render=fail, render_typed=fail, warn=warned.append) == {}
    assert warned == ["Failed to render output 'x': nothing there"]
