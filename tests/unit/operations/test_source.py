"""Edits of the author's text, and the definition that the API shows."""

import pytest

from batuta.operations.flows.source import (
    definition_of,
    documents,
    with_disabled,
    without_revision,
)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a: 1\n", ["a: 1\n"]),
        ("a: 1\n---\nb: 2\n", ["a: 1", "b: 2\n"]),
        ("---\na: 1\n\n---  # next\n\nb: 2\n---\n", ["a: 1", "b: 2"]),
        ("a: 'x --- y'\n", ["a: 'x --- y'\n"]),
        ("\n\n", []),
    ],
)
def test_documents_end_at_separators(text: str, parts: list[str]) -> None:
    assert documents(text) == parts


@pytest.mark.parametrize(
    ("source", "disabled", "expected"),
    [
        ("id: a\n", True, "id: a\ndisabled: true\n"),
        ("id: a", False, "id: a\ndisabled: false\n"),
        ("disabled: false # why\nid: a\n", True, "disabled: true # why\nid: a\n"),
        ("tasks:\n  - disabled: false\n", True, "tasks:\n  - disabled: false\ndisabled: true\n"),
    ],
)
def test_disabling_edits_one_line(source: str, disabled: bool, expected: str) -> None:
    assert with_disabled(source, disabled=disabled) == expected


def test_a_revision_line_is_not_stored() -> None:
    assert without_revision("id: a\nrevision: 3\nx:\n  revision: 4\n") == (
        "id: a\nx:\n  revision: 4\n"
    )


def test_the_definition_has_no_nulls_and_inputs_say_whether_they_are_required() -> None:
    written = {
        "id": "a",
        "revision": 3,
        "description": None,
        "labels": {"a": "b"},
        "inputs": [{"id": "i", "type": "INT", "min": None}],
        "tasks": [{"id": "t", "message": None, "list": [None, 1]}],
    }
    assert definition_of(written, [{"key": "a", "value": "b"}]) == {
        "id": "a",
        "labels": [{"key": "a", "value": "b"}],
        "inputs": [{"id": "i", "type": "INT", "required": True}],
        "tasks": [{"id": "t", "list": [None, 1]}],
    }
