import pytest

from batuta.storage.layout import (
    cache_path,
    execution_of,
    execution_path,
    input_path,
    message_path,
    namespace_files_path,
    parse_uri,
    slug,
    task_path,
    to_uri,
    trigger_path,
)

EXECUTION = execution_path("company.team", "Load_Orders.v2", "6KQ0")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Load_Orders.v2", "load-ordersv2"),
        ("simple", "simple"),
        ("a  b\tc", "a-b-c"),
        ("__a__b__", "a-b"),
        ("Café-Été", "cafe-ete"),
        ("a--b---c", "a-b-c"),
        ("-a-", "a"),
        ("日本", ""),
        ("a/b:c", "abc"),
    ],
)
def test_slugs_are_made_as_in_kestra(text, expected):
    assert slug(text) == expected


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        (EXECUTION, "kestra:///company/team/load-ordersv2/executions/6KQ0"),
        (
            (*task_path(EXECUTION, task_id="Ex.tract", task_run_id="2hXk"), "1.csv"),
            "kestra:///company/team/load-ordersv2/executions/6KQ0/tasks/extract/2hXk/1.csv",
        ),
        (
            input_path(EXECUTION, input_id="my_file", file_name="a b.csv"),
            "kestra:///company/team/load-ordersv2/executions/6KQ0/inputs/my_file/a%20b.csv",
        ),
        (
            (*trigger_path(EXECUTION, trigger_id="On_Call"), "x"),
            "kestra:///company/team/load-ordersv2/executions/6KQ0/trigger/on-call/x",
        ),
        (namespace_files_path("a.b"), "kestra:///a/b/_files"),
        (cache_path("a", "f", "My_Dir"), "kestra:///a/f/my-dir/cache/cache.zip"),
        (
            cache_path("a", "f", "dir", value_hash="00ff"),
            "kestra:///a/f/dir/cache/00ff/cache.zip",
        ),
        (message_path("m"), "kestra:///_messages/m"),
    ],
)
def test_everything_has_its_place(parts, expected):
    assert to_uri(parts) == expected
    assert parse_uri(expected) == parts


def test_the_execution_is_found_in_a_uri():
    assert execution_of(to_uri((*EXECUTION, "inputs", "x"))) == "6KQ0"
    assert execution_of("kestra:///a/_files/x") is None
