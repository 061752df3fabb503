"""Reading YAML: values, places, and what is refused."""

import json

import pytest

from batuta.flow.yaml import YamlError, read_yaml, split_documents, split_loosely, try_read_yaml

VALUES = {
    "v: yes": True,
    "v: off": False,
    "v: yEs": "yEs",
    "v: ~": None,
    "v:": "",
    "v: 010": 8,
    "v: 08": "08",
    "v: 0x1F": 31,
    "v: 0b11": 3,
    "v: 1_000": 1000,
    "v: 1.10": 1.1,
    "v: 1e3": 1000.0,
    "v: .5": 0.5,
    "v: 12:30:45": "12:30:45",
    "v: 2024-01-01": "2024-01-01",
    "v: '010'": "010",
    "v: !!str 12": "12",
    "v: !!int '7'": 7,
    "v: !custom 12": "12",
    "v: |\n  one\n  two\n": "one\ntwo\n",
    "v: |\n  \tone\n": "\tone\n",
    'v: "\\ud83d\\ude80"': "\U0001f680",
    "%YAML 1.3\n---\nv: 1": 1,
    "%FOO bar\n---\nv: 1": 1,
    "v: 1\n...\n]]]": 1,
    "v: &x$y 1\nw: *x$y": 1,
}


@pytest.mark.parametrize(("source", "value"), VALUES.items())
def test_a_value_is_read_as_the_original_reads_it(source: str, value: object) -> None:
    found = read_yaml(source).value["v"]
    assert json.dumps(found) == json.dumps(value)


PLACES = {
    "": (1, 1, "No content"),
    "a: b: c": (1, 5, "mapping values"),
    "a: 1\na: 2": (2, 1, "Duplicate field 'a': it stands at line 1, column 1"),
    "a:\n  b: 1\n  b: 2": (3, 3, "Duplicate field 'b'"),
    "a: *x": (1, 4, "no anchor"),
    "a: &x [*x]": (1, 8, "inside its own anchor"),
    "a:\n  <<: 1": (2, 3, "merge key"),
    "a: .inf": (1, 4, "Malformed numeric value '.inf'"),
    "a:\n\t- b": (2, 1, "TAB"),
    "a: b\x07": (1, 5, "U+0007"),
    "a: [x?y]": (1, 5, "quote the text"),
    "? [a]\n: b": (1, 3, "Expected a field name"),
    'a: "\\/"': (1, 4, "escape"),
    "a: " + "[" * 150: (1, 103, "deep"),
}


@pytest.mark.parametrize(("source", "expected"), PLACES.items())
def test_a_mistake_is_told_with_its_place(source: str, expected: tuple[int, int, str]) -> None:
    problem = try_read_yaml(source).problems[0]
    assert (problem.line, problem.column) == expected[:2]
    assert expected[2] in problem.message


def test_all_duplicates_are_told_at_once() -> None:
    with pytest.raises(YamlError) as caught:
        read_yaml("a: 1\na: 2\nb: {c: 1, c: 2}")
    assert [problem.line for problem in caught.value.problems] == [2, 3]


def test_aliases_are_followed_and_explicit_keys_win_over_merged_ones() -> None:
    tree = read_yaml("a: &x {k: 1, l: 2}\nb:\n  <<: *x\n  k: 3\nc: *x")
    assert tree.value == {"a": {"k": 1, "l": 2}, "b": {"k": 3, "l": 2}, "c": {"k": 1, "l": 2}}


def test_a_list_of_merged_maps_gives_the_first_one_precedence() -> None:
    tree = read_yaml("a: &x {k: 1}\nb: &y {k: 2, l: 3}\nc:\n  <<: [*x , *y ]")
    assert tree.value["c"] == {"k": 1, "l": 3}


def test_a_quoted_merge_key_is_a_name() -> None:
    assert read_yaml("a:\n  '<<': 1").value == {"a": {"<<": 1}}


def test_growth_by_aliases_is_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1} '] * 10)}]" for n in range(1, 9)]
    assert try_read_yaml("\n".join(lines)).problems[0].code == "too-many-nodes"


def test_a_source_above_one_mebibyte_is_refused() -> None:
    assert try_read_yaml("# " + "x" * 1_048_576).problems[0].code == "too-long"


def test_positions_of_values_and_keys_are_known() -> None:
    tree = read_yaml("id: a\ntasks:\n  - id: one\n    message: hi\n")
    assert tree.position(("tasks", 0, "message")) == (4, 14)
    assert tree.key_position(("tasks", 0, "message")) == (4, 5)
    assert tree.position(("tasks", 0, "missing", "deeper")) == (3, 5)


def test_documents_are_split_as_the_validation_call_does() -> None:
    assert split_documents("a: 1\n---\nb: 2") == ["a: 1", "\nb: 2"]
    assert split_documents("---\na: 1") == ["---\na: 1"]
    assert split_loosely("---\na: 1\n---\nb: 2\n") == ["\na: 1\n", "\nb: 2\n"]
