"""Plugin defaults: the precedence matrix and merge rules of 01 §1.5."""

import pytest

from batuta.flow.defaults import Default, merge, with_defaults
from tests.unit.flow.sources import REGISTRY

LOG = "io.kestra.plugin.core.log.Log"


def _merged(task: dict[str, object], *levels: Default) -> dict[str, object]:
    source = {"tasks": [{"type": LOG, **task}], "pluginDefaults": []}
    merged = with_defaults(source, levels, REGISTRY)
    found: dict[str, object] = merged["tasks"][0]
    return found


MATRIX = [
    (False, False, "T", "F", "G"),
    (False, True, "G", "G", "G"),
    (True, False, "F", "F", "G"),
    (True, True, "F", "F", "G"),
]


@pytest.mark.parametrize(
    ("flow_forced", "global_forced", "all_set", "no_task", "only_global"), MATRIX
)
def test_precedence_of_task_flow_and_global(
    flow_forced: bool, global_forced: bool, all_set: str, no_task: str, only_global: str
) -> None:
    flow = Default(LOG, {"message": "F"}, flow_forced)
    installation = Default(LOG, {"message": "G"}, global_forced)
    assert _merged({"message": "T"}, flow, installation)["message"] == all_set
    assert _merged({}, flow, installation)["message"] == no_task
    assert _merged({}, installation)["message"] == only_global


def test_the_first_of_two_forced_entries_wins() -> None:
    levels = (Default(LOG, {"message": "1"}, True), Default(LOG, {"message": "2"}, True))
    assert _merged({}, *levels)["message"] == "1"


def test_a_prefix_fits_and_a_longer_type_wins_over_it() -> None:
    levels = (
        Default("io.kestra.plugin.core", {"message": "prefix", "level": "WARN"}),
        Default(LOG, {"message": "exact"}),
    )
    assert _merged({}, *levels) == {"type": LOG, "message": "exact", "level": "WARN"}


def test_values_that_a_type_does_not_know_are_ignored() -> None:
    assert "nope" not in _merged({}, Default("io.kestra.plugin", {"nope": 1, "message": "m"}))


def test_lists_are_joined_and_maps_merged() -> None:
    assert merge({"a": [1], "b": {"c": 1, "d": 2}}, {"a": [2], "b": {"d": 3}}) == {
        "a": [1, 2],
        "b": {"c": 1, "d": 3},
    }


def test_null_does_not_override() -> None:
    assert merge({"a": 1}, {"a": None, "b": None}) == {"a": 1, "b": None}


def test_defaults_reach_nested_objects_but_not_their_own_section() -> None:
    source = {
        "tasks": [{"type": "x.Group", "tasks": [{"type": "x.Leaf"}]}],
        "pluginDefaults": [{"type": "x.Leaf", "values": {"v": 1}}],
    }
    merged = with_defaults(source, [Default("x.Leaf", {"v": 1})], REGISTRY)
    assert merged["tasks"][0]["tasks"][0]["v"] == 1
    assert merged["pluginDefaults"] == source["pluginDefaults"]
