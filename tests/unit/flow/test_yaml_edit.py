"""Changes of a source that keep comments and layout."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batuta.flow.yaml import read_yaml
from batuta.flow.yaml.edit import (
    EditError,
    add_item,
    move_item,
    remove_item,
    remove_property,
    set_disabled,
    set_property,
)
from batuta.flow.yaml.emit import block, flow

SOURCE = """\
# head
id: sample   # the id
namespace: acme.data

labels: {team: data, tier: 1}
tasks:
  # first of all
  - id: one  # uno
    type: x.Log
    message: |
      hello
      world

  - id: two
    type: x.Log

    # why
    message: "b"   # bee
  - id: three
    type: x.Log
triggers: []
# tail
"""


def test_a_value_is_replaced_in_place() -> None:
    changed = set_property(SOURCE, ("tasks", 1, "message"), "c: d")
    assert changed == SOURCE.replace('message: "b"   # bee', 'message: "c: d"   # bee')


def test_a_block_text_is_replaced() -> None:
    changed = set_property(SOURCE, ("tasks", 0, "message"), "a\nb\n")
    assert changed == SOURCE.replace("      hello\n      world\n", "      a\n      b\n")


def test_a_property_is_added_at_the_end_of_its_map() -> None:
    changed = set_property(SOURCE, ("tasks", 0, "retry"), {"type": "constant", "maxAttempts": 2})
    expected = "      world\n    retry:\n      type: constant\n      maxAttempts: 2\n\n  - id: two"
    assert expected in changed


def test_a_property_of_a_map_in_one_line_is_added_there() -> None:
    changed = set_property(SOURCE, ("labels", "owner"), "me")
    assert "labels: {team: data, tier: 1, owner: me}\n" in changed


def test_a_flow_is_disabled_and_enabled_again() -> None:
    disabled = set_disabled(SOURCE, (), disabled=True)
    assert disabled == SOURCE.replace("triggers: []\n", "triggers: []\ndisabled: true\n")
    assert set_disabled(disabled, (), disabled=False).count("disabled: false\n") == 1


def test_a_property_is_taken_away_with_the_comment_above_it() -> None:
    changed = remove_property(SOURCE, ("tasks", 1, "message"))
    assert "why" not in changed
    assert "bee" not in changed
    assert "# first of all" in changed


def test_the_first_property_of_an_item_is_taken_away() -> None:
    changed = remove_property(SOURCE, ("tasks", 2, "id"))
    assert "  - type: x.Log\ntriggers" in changed


def test_items_are_added_before_and_behind_others() -> None:
    task = "id: new\n# note\ntype: x.Log"
    assert "  - id: new\n    # note\n    type: x.Log\n  - id: two" in add_item(
        SOURCE, ("tasks",), task, index=1
    )
    assert "    type: x.Log\n  - id: new\n    # note\n    type: x.Log\ntriggers" in add_item(
        SOURCE, ("tasks",), task
    )
    assert "  - id: new\n    # note\n    type: x.Log\n  # first of all\n" in add_item(
        SOURCE, ("tasks",), task, index=0
    )


def test_a_missing_or_empty_list_is_made() -> None:
    assert read_yaml(add_item(SOURCE, ("errors",), "id: e")).value["errors"] == [{"id": "e"}]
    assert "triggers: [{id: t}]\n" in add_item(SOURCE, ("triggers",), "id: t")


def test_an_item_is_taken_away_with_its_comments() -> None:
    changed = remove_item(SOURCE, ("tasks", 0))
    assert "# first of all" not in changed
    assert "hello" not in changed
    assert "  - id: two" in changed


def test_an_item_moves_with_its_comments() -> None:
    changed = move_item(SOURCE, ("tasks", 0), 2)
    assert [task["id"] for task in read_yaml(changed).value["tasks"]] == ["two", "three", "one"]
    assert "  # first of all\n  - id: one  # uno\n" in changed
    assert changed.startswith("# head\n")
    assert changed.endswith("# tail\n")


REFUSED = [
    lambda: set_property(SOURCE, ("tasks", 7, "x"), 1),
    lambda: set_property(SOURCE, ("id", "x"), 1),
    lambda: remove_property(SOURCE, ("nope",)),
    lambda: remove_item(SOURCE, ("tasks", 9)),
    lambda: move_item(SOURCE, ("tasks", 0), 9),
    lambda: add_item(SOURCE, ("id",), "x: 1"),
    lambda: set_property("a: &x {b: 1}\nc: *x\n", ("c", "b"), 2),
    lambda: set_property("a: [", ("a",), 1),
]


@pytest.mark.parametrize("edit", REFUSED)
def test_what_cannot_be_done_is_refused(edit: Any) -> None:
    with pytest.raises(EditError):
        edit()


SCALARS = st.none() | st.booleans() | st.integers(-(10**12), 10**12) | st.text(max_size=20)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=8,
)


def _readable(value: Any) -> bool:
    """Texts that YAML can hold, and no name that is merged."""
    text = repr(value)
    return all(sign < "\ud800" or sign > "\udfff" for sign in str(value)) and "'<<'" not in text


@given(VALUES.filter(_readable))
def test_emitted_text_is_read_back_the_same(value: Any) -> None:
    assert read_yaml(f"v: {flow(value)}\n").value == {"v": value}
    assert read_yaml(block({"v": value}, 0)).value == {"v": value}


@given(VALUES.filter(_readable), st.sampled_from([("tasks", 1, "message"), ("labels",), ("new",)]))
def test_setting_a_property_changes_nothing_else(value: Any, path: tuple[str | int, ...]) -> None:
    changed = set_property(SOURCE, path, value)
    assert set_property(changed, path, "same") == set_property(
        set_property(SOURCE, path, "same"), path, "same"
    )
    for comment in ("# head", "# the id", "# first of all", "# uno", "# tail"):
        assert comment in changed
