"""Core tasks that ask the server: what they ask for, and what they make of the answer."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from batuta.model.instant import from_iso
from batuta.model.ion import read_values
from batuta.sdk import PropertyError, Registry, TaskError
from batuta.testing.context import FakeRunContext, fake_context, run_task

CORE = "io.kestra.plugin.core"
REGISTRY = Registry(["batuta.plugins.core"])
NEW_YEAR = from_iso("2026-01-01T00:00:00Z")


class Server:
    """Keeps the questions; answers with what a test puts into `answers`."""

    def __init__(self, folder: Path) -> None:
        self.asked: list[tuple[str, Mapping[str, Any]]] = []
        self.answers: dict[str, Any] = {}
        names = (
            "logs.read",
            "logs.purge",
            "executions.count",
            "executions.resume",
            "executions.purge",
            "kv.purge",
            "triggers.toggle",
        )
        self.ctx: FakeRunContext = fake_context(
            folder, operations={name: self._operation(name) for name in names}
        )

    def _operation(self, name: str) -> Any:
        def answer(arguments: Mapping[str, Any]) -> Any:
            self.asked.append((name, arguments))
            found = self.answers.get(name)
            return found(arguments) if callable(found) else found

        return answer

    async def run(self, type_name: str, **properties: Any) -> Any:
        spec = {"type": f"{CORE}.{type_name}", **properties}
        return await run_task(spec, self.ctx, registry=REGISTRY)


@pytest.fixture
def server(tmp_path: Path) -> Server:
    return Server(tmp_path)


async def test_fetch_writes_every_page_of_a_log(server: Server) -> None:
    pages = {
        1: [
            {"level": "INFO", "timestamp": "2026-01-01T00:00:00.5Z", "message": "a\nb"},
            {"level": "WARN", "timestamp": "2026-01-01T00:00:01Z", "message": "c"},
        ],
        2: [{"level": "ERROR", "timestamp": "2026-01-01T00:00:02Z", "message": "d"}],
    }
    server.answers["logs.read"] = lambda arguments: pages.get(arguments["page"], [])
    output = await server.run("log.Fetch", tasksId=["one", "{{ 'two' }}"], level="WARN")
    rows = list(read_values((await server.ctx.files.read(output.uri)).decode()))
    assert output.size == 3
    assert output.uri.endswith(".ion")
    assert [row["message"] for row in rows] == ["a\nb", "c", "d"]
    assert rows[1]["timestamp"].isoformat() == "2026-01-01T00:00:01+00:00"
    assert server.asked[0] == (
        "logs.read",
        {"executionId": "execution", "level": "WARN", "taskIds": ["one", "two"], "page": 1},
    )


async def test_fetch_of_an_empty_log_is_an_empty_file(server: Server) -> None:
    server.answers["logs.read"] = []
    output = await server.run("log.Fetch")
    assert (output.size, await server.ctx.files.read(output.uri)) == (0, b"")


@pytest.mark.parametrize("type_name", ["log.Fetch", "execution.Resume"])
@pytest.mark.parametrize(
    ("properties", "complaint"),
    [
        ({"namespace": "a"}, "only be set when `executionId` is set"),
        ({"flowId": "f"}, "only be set when `executionId` is set"),
        ({"executionId": "x", "flowId": "f"}, "Both `namespace` and `flowId`"),
        ({"executionId": "x", "namespace": "a"}, "Both `namespace` and `flowId`"),
    ],
)
async def test_an_execution_is_named_wholly_or_not_at_all(
    server: Server, type_name: str, properties: Mapping[str, str], complaint: str
) -> None:
    with pytest.raises(TaskError, match=complaint):
        await server.run(type_name, **properties)


@pytest.mark.parametrize(
    "named",
    [
        {"executionId": "x"},
        {"executionId": "x", "namespace": "a.b", "flowId": "f"},
    ],
)
async def test_resume_hands_on_the_execution_and_its_inputs(
    server: Server, named: Mapping[str, str]
) -> None:
    await server.run("execution.Resume", **named, inputs={"n": 1, "t": "{{ flow.id }}"})
    expected = {**named, "inputs": {"n": 1, "t": "flow"}}
    assert server.asked == [("executions.resume", expected)]


async def test_count_keeps_what_the_expression_says(server: Server) -> None:
    counts = {"f": 3, "g": 0, None: 5}
    server.answers["executions.count"] = lambda asked: counts[asked.get("flowId")]
    flows = [{"namespace": "a", "flowId": "f"}, {"namespace": "a", "flowId": "g"}]
    properties: dict[str, Any] = {"flows": flows, "startDate": "2026-01-01T00:00:00Z"}
    output = await server.run("execution.Count", **properties, expression="{{ count >= 0 }}")
    assert output.results == [{**flows[0], "count": 3}, {**flows[1], "count": 0}]
    assert output.total == 3
    output = await server.run(
        "execution.Count", **properties, namespaces=["a"], expression="{{ count > 2 }}"
    )
    assert output.results == [{**flows[0], "count": 3}, {"namespace": "a", "count": 5}]
    assert server.asked[-1][1] == {
        "namespace": "a",
        "states": [],
        "start": NEW_YEAR,
        "end": server.ctx.clock,
    }


async def test_namespaces_without_executions_are_not_counted(server: Server) -> None:
    server.answers["executions.count"] = 0
    output = await server.run(
        "execution.Count",
        namespaces=["a", "b"],
        states=["FAILED"],
        startDate="2026-01-01T01:00:00+01:00[Europe/Paris]",
        endDate="2026-01-01T00:00:00Z",
        expression="{{ true }}",
    )
    assert (output.results, output.total) == ([], 0)
    assert server.asked[0][1]["start"] == server.asked[0][1]["end"] == NEW_YEAR
    assert server.asked[0][1]["states"] == ["FAILED"]


async def test_count_wants_flows_or_namespaces(server: Server) -> None:
    with pytest.raises(TaskError, match="`flows` and `namespaces`"):
        await server.run("execution.Count", startDate="2026-01-01T00:00:00Z", expression="true")


@pytest.mark.parametrize(
    ("type_name", "properties"),
    [
        ("execution.Count", {"startDate": "yesterday", "namespaces": ["a"], "expression": "true"}),
        ("execution.PurgeExecutions", {"endDate": "2026-01-01"}),
        ("execution.PurgeExecutions", {"endDate": "2026-01-01T00:00:00Z", "batchSize": 0}),
        ("execution.PurgeExecutions", {"endDate": "2026-01-01T00:00:00Z", "states": ["DONE"]}),
        ("log.PurgeLogs", {"endDate": "2026-01-01T00:00:00"}),
        ("log.PurgeLogs", {"endDate": "2026-01-01T00:00:00Z", "logLevels": ["LOUD"]}),
        ("kv.PurgeKV", {"behavior": {"type": "version", "before": "x"}}),
        ("kv.PurgeKV", {"behavior": {"type": "version", "keepAmount": -1}}),
        ("kv.PurgeKV", {"behavior": {"type": "all"}}),
    ],
)
async def test_values_that_make_no_sense_are_named(
    server: Server, type_name: str, properties: Mapping[str, Any]
) -> None:
    with pytest.raises(PropertyError):
        await server.run(type_name, **properties)
    assert not server.asked


async def test_purge_of_executions_tells_how_much_is_gone(server: Server) -> None:
    server.answers["executions.purge"] = {"executions": 1, "logs": 2, "metrics": 3, "files": 4}
    output = await server.run(
        "execution.PurgeExecutions",
        endDate="2026-01-01T00:00:00Z",
        namespace="{{ flow.namespace }}",
        states=["SUCCESS", "WARNING"],
        purgeLog=False,
        batchSize="{{ 5 }}",
    )
    assert output.executions_count == 1
    assert (output.logs_count, output.metrics_count, output.storages_count) == (2, 3, 4)
    assert server.asked[0][1] == {
        "end": NEW_YEAR,
        "start": None,
        "namespace": "company.team",
        "flowId": None,
        "states": ["SUCCESS", "WARNING"],
        "executions": True,
        "logs": False,
        "metrics": True,
        "files": True,
        "batch": 5,
    }


async def test_purge_of_logs_names_levels(server: Server) -> None:
    server.answers["logs.purge"] = 7
    output = await server.run(
        "log.PurgeLogs", endDate="2026-01-01T00:00:00Z", logLevels=["TRACE", "{{ 'DEBUG' }}"]
    )
    assert output.count == 7
    assert server.asked[0][1]["levels"] == ["TRACE", "DEBUG"]


@pytest.mark.parametrize(
    ("properties", "asked"),
    [
        ({}, {"expired_only": True}),
        ({"behavior": {"type": "key", "expiredOnly": False}}, {"expired_only": False}),
        (
            {"behavior": "{{ {'type': 'key', 'expiredOnly': false} | toJson }}"},
            {"expired_only": False},
        ),
        (
            {"behavior": {"type": "version", "keepAmount": "{{ 3 }}"}},
            {"versions": True, "keep": 3, "before": None},
        ),
        (
            {"behavior": {"type": "version", "before": "2026-01-01T00:00:00Z"}},
            {"versions": True, "keep": None, "before": NEW_YEAR},
        ),
        ({"behavior": {"type": "version"}, "expiredOnly": True}, {"expired_only": True}),
    ],
)
async def test_purge_of_keys_reads_its_behavior(
    server: Server, properties: Mapping[str, Any], asked: Mapping[str, Any]
) -> None:
    server.answers["kv.purge"] = {"namespaces": ["a", "b"], "size": 2}
    output = await server.run("kv.PurgeKV", **properties, keyPattern="tmp_*")
    assert output.size == 2
    assert server.asked[0][1] == {
        "namespaces": None,
        "namespace_pattern": None,
        "children": True,
        "key_pattern": "tmp_*",
        **asked,
    }
    assert server.ctx.log.entries == [
        ("INFO", "purging 2 namespaces: [a, b]"),
        ("INFO", "purged 2 keys"),
    ]


async def test_purge_of_keys_refuses_two_ways_of_choosing(server: Server) -> None:
    with pytest.raises(PropertyError, match="namespacePattern"):
        await server.run("kv.PurgeKV", namespaces=["a"], namespacePattern="a*")
    both = {"type": "version", "keepAmount": 1, "before": "2026-01-01T00:00:00Z"}
    with pytest.raises(TaskError, match="both 'before' and 'keepAmount'"):
        await server.run("kv.PurgeKV", behavior=both)


async def test_toggle_means_its_own_flow_unless_told(server: Server) -> None:
    await server.run("trigger.Toggle", trigger="{{ 'nightly' }}")
    await server.run("trigger.Toggle", trigger="t", flowId="f", namespace="a", enabled=True)
    own = {"namespace": "company.team", "flowId": "flow", "trigger": "nightly", "enabled": False}
    other = {"namespace": "a", "flowId": "f", "trigger": "t", "enabled": True}
    assert [arguments for _, arguments in server.asked] == [own, other]


async def test_local_files_are_written_and_kept(server: Server) -> None:
    ctx = server.ctx
    put = await server.run(
        "storage.LocalFiles", inputs={"a.txt": "of {{ flow.id }}", "{{ 'sub' }}/b.txt": "b"}
    )
    assert put.uris == {}
    assert (ctx.workdir / "sub/b.txt").read_text() == "b"
    kept = await server.run("storage.LocalFiles", outputs=["*.txt"])
    assert list(kept.uris) == ["a.txt"]
    assert await ctx.files.read(kept.uris["a.txt"]) == b"of flow"


async def test_local_files_reads_stored_files_and_json(server: Server) -> None:
    uri = await server.ctx.files.put(b"stored", name="s.txt")
    await server.run("storage.LocalFiles", inputs=f'{{"copy.txt": "{uri}", "empty": null}}')
    assert (server.ctx.workdir / "copy.txt").read_bytes() == b"stored"
    assert (server.ctx.workdir / "empty").read_bytes() == b""
    with pytest.raises(ValueError, match="not inside the working directory"):
        await server.run("storage.LocalFiles", inputs={"../out.txt": "x"})
