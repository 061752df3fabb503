"""Outputs as templates address them (01 §6.0)."""

import pytest

from batuta.server.context.outputs import OutputsView, OutputTree


def tree(**runs: dict[str, object]) -> OutputTree:
    """Keyword `a_b` is the run at path ("a", "b"); `top` the one at ()."""
    made = OutputTree()
    for name, outputs in runs.items():
        made.put(() if name == "top" else tuple(name.split("_")), outputs)
    return made


def test_outputs_of_a_task_outside_of_loops_are_its_map() -> None:
    assert tree(top={"x": 1}).view() == {"x": 1}


def test_each_loop_value_adds_a_level() -> None:
    view = tree(a_1={"x": 1}, a_2={"x": 2}, b_1={"x": 3}).view()
    assert view["a"]["2"]["x"] == 2
    assert list(view) == ["a", "b"]
    assert "c" not in view
    with pytest.raises(KeyError):
        view["c"]


def test_a_later_run_at_the_same_place_replaces_the_former() -> None:
    made = tree(a={"x": 1})
    made.put(("a",), {"x": 2})
    assert made.plain() == {"a": {"x": 2}}


@pytest.mark.parametrize(
    ("path", "left"),
    [
        ((), {}),
        (("a",), {"b": {"1": {"x": 3}}}),
        (("a", "1"), {"a": {"2": {"x": 2}}, "b": {"1": {"x": 3}}}),
    ],
)
def test_removing_a_place_takes_what_is_below(
    path: tuple[str, ...], left: dict[str, object]
) -> None:
    made = tree(a_1={"x": 1}, a_2={"x": 2}, b_1={"x": 3})
    made.remove(path)
    assert made.plain() == left


def test_removing_what_is_not_there_changes_nothing() -> None:
    made = tree(a={"x": 1})
    made.remove(("z", "y"))
    assert made.plain() == {"a": {"x": 1}}


def test_a_run_in_a_loop_reaches_what_lies_on_its_own_path() -> None:
    made = tree(a_1={"x": 1}, a_2={"x": 2}, b_1={"x": 3})
    assert made.along(("a", "2")) == {"a": {"2": {"x": 2}}}
    assert made.along(("a",)) == {"a": {"1": {"x": 1}, "2": {"x": 2}}}


def test_tasks_without_outputs_are_absent() -> None:
    view = OutputsView({"done": tree(top={"x": 1}), "open": OutputTree()})
    assert list(view) == ["done"]
    assert len(view) == 1
    with pytest.raises(KeyError):
        view["open"]


def test_adopting_keeps_the_order_and_takes_what_is_newer() -> None:
    stored, newer = OutputTree(), OutputTree()
    stored.put(("a",), {"value": 1})
    stored.put(("b", "x"), {"value": 2})
    newer.put(("c",), {"value": 3})
    newer.put(("b", "x"), {"value": 4})
    stored.adopt(newer)
    assert list(stored.plain().items()) == [
        ("a", {"value": 1}),
        ("b", {"x": {"value": 4}}),
        ("c", {"value": 3}),
    ]
