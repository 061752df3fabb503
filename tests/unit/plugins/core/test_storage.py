"""Core tasks over files."""

import hashlib
from pathlib import Path
from typing import Any

import pytest

from batuta.expr.errors import ExpressionError
from batuta.plugins.core.storage.cut import parse_size
from batuta.sdk import PluginError, PropertyError, Registry, TaskError
from batuta.testing.context import FakeRunContext, fake_context, run_task

CORE = "io.kestra.plugin.core"
REGISTRY = Registry(["batuta.plugins.core"])


@pytest.fixture(params=[True, False], ids=["local", "remote"])
def ctx(tmp_path: Path, request: pytest.FixtureRequest) -> FakeRunContext:
    return fake_context(tmp_path, local_files=request.param)


async def run(ctx: FakeRunContext, type_name: str, **properties: Any) -> Any:
    return await run_task({"type": f"{CORE}.{type_name}", **properties}, ctx, registry=REGISTRY)


async def text(ctx: FakeRunContext, uri: str) -> str:
    return (await ctx.files.read(uri)).decode()


async def test_write_size_and_delete(ctx: FakeRunContext) -> None:
    uri = (await run(ctx, "storage.Write", content="hello {{ flow.id }}", extension="txt")).uri
    assert uri.endswith(".txt")
    assert (await run(ctx, "storage.Size", uri=uri)).size == 10
    assert (await run(ctx, "storage.Delete", uri=uri)).deleted
    assert not (await run(ctx, "storage.Delete", uri=uri)).deleted
    with pytest.raises(TaskError, match="Unable to find file"):
        await run(ctx, "storage.Delete", uri=uri, errorOnMissing=True)
    with pytest.raises(TaskError, match="Unable to find file"):
        await run(ctx, "storage.Size", uri=uri)


async def test_write_of_a_map_is_json(ctx: FakeRunContext) -> None:
    uri = (await run(ctx, "storage.Write", content={"a": ["{{ flow.id }}", 1]})).uri
    assert await text(ctx, uri) == '{"a":["flow",1]}'


@pytest.mark.parametrize("uri", ["/etc/passwd", "file:///etc/passwd", "https://example.com/x"])
async def test_only_internal_storage_is_read(ctx: FakeRunContext, uri: str) -> None:
    for task in (
        {"type": "storage.Size", "uri": uri},
        {"type": "storage.Reverse", "from": uri},
        {"type": "storage.Concat", "files": [uri]},
    ):
        with pytest.raises(TaskError, match="internal storage"):
            await run_task({**task, "type": f"{CORE}.{task['type']}"}, ctx, registry=REGISTRY)


async def test_purge_removes_everything(ctx: FakeRunContext) -> None:
    uri = await ctx.files.put(b"x")
    assert (await run(ctx, "storage.PurgeCurrentExecutionFiles")).uris == [uri]
    assert not await ctx.files.exists(uri)


async def test_concat_appends_the_separator_after_every_file(ctx: FakeRunContext) -> None:
    uris = [await ctx.files.put(b"one"), await ctx.files.put(b"two")]
    joined = (await run(ctx, "storage.Concat", files=uris, separator="-", extension=".txt")).uri
    assert (joined[-4:], await text(ctx, joined)) == (".txt", "one-two-")
    by_text = (await run(ctx, "storage.Concat", files=str(uris).replace("'", '"'))).uri
    assert (by_text[-4:], await text(ctx, by_text)) == (".tmp", "onetwo")
    for wrong in ({"a": 1}, "no json"):
        with pytest.raises(PluginError, match="files"):
            await run(ctx, "storage.Concat", files=wrong)


@pytest.mark.parametrize(
    ("content", "reversed_"),
    [
        ("1\n2\n3\n", "3\n2\n1\n"),
        ("1\n2", "2\n1\n"),
        ("", ""),
        ("a\r\nb\r\n", "b\na\n"),
        ("x\n\ny\n", "y\n\nx\n"),
    ],
)
async def test_reverse(ctx: FakeRunContext, content: str, reversed_: str) -> None:
    uri = await ctx.files.put(content.encode(), suffix=".log")
    output = await run(ctx, "storage.Reverse", **{"from": uri})
    assert (output.uri[-4:], await text(ctx, output.uri)) == (".log", reversed_)


async def test_reverse_of_large_files_and_other_encodings(ctx: FakeRunContext) -> None:
    lines = [
        hashlib.sha256(str(number).encode()).hexdigest() * (number % 7) for number in range(3000)
    ]
    uri = await ctx.files.put("".join(f"{line}\n" for line in lines).encode())
    output = await run(ctx, "storage.Reverse", **{"from": uri})
    assert (await text(ctx, output.uri)).splitlines() == lines[::-1]
    wide = await ctx.files.put("ä\nü\n".encode("utf-16"))
    output = await run(
        ctx, "storage.Reverse", **{"from": wide, "charset": "UTF-16LE", "separator": "|"}
    )
    with pytest.raises(PropertyError, match="charset"):
        await run(ctx, "storage.Reverse", **{"from": wide, "charset": "nope"})


@pytest.mark.parametrize(
    ("how", "parts"),
    [
        ({"partitions": 2}, ["1\n3\n5\n", "2\n4\n"]),
        ({"partitions": 9}, ["1\n", "2\n", "3\n", "4\n", "5\n"]),
        ({"rows": 2}, ["1\n2\n", "3\n4\n", "5\n"]),
        ({"rows": "{{ 3 }}", "separator": ";"}, ["1;2;3;", "4;5;"]),
        ({"bytes": 3}, ["1\n2\n", "3\n4\n", "5\n"]),
        ({"bytes": "1KB", "rows": 1}, ["1\n2\n3\n4\n5\n"]),
        ({"regexPattern": "([135])"}, ["1\n", "3\n", "5\n"]),
    ],
)
async def test_split(ctx: FakeRunContext, how: dict[str, Any], parts: list[str]) -> None:
    uri = await ctx.files.put(b"1\n2\n3\n4\n5\n", suffix=".txt")
    uris = (await run(ctx, "storage.Split", **{"from": uri, **how})).uris
    assert [await text(ctx, part) for part in uris] == parts
    assert all(part.endswith(".txt") for part in uris)


async def test_split_by_many_keys_keeps_the_first_order(ctx: FakeRunContext) -> None:
    uri = await ctx.files.put(
        "".join(f"k{number % 200}:{number}\n" for number in range(600)).encode()
    )
    uris = (await run(ctx, "storage.Split", **{"from": uri, "regexPattern": "(k\\d+):"})).uris
    assert len(uris) == 200
    assert await text(ctx, uris[7]) == "k7:7\nk7:207\nk7:407\n"


@pytest.mark.parametrize("how", [{}, {"bytes": "many"}, {"partitions": 0}, {"regexPattern": "("}])
async def test_split_refuses(ctx: FakeRunContext, how: dict[str, Any]) -> None:
    uri = await ctx.files.put(b"1\n")
    with pytest.raises(TaskError):
        await run(ctx, "storage.Split", **{"from": uri, **how})


def test_sizes_count_by_1024() -> None:
    assert [parse_size(each) for each in ("1024", "10MB", "200 kB", "1.5k", "1GiB")] == [
        1024,
        10 << 20,
        200 << 10,
        1536,
        1 << 30,
    ]


ROWS = b'{id:1,qty:3}\n{"id":2,"qty":0}\n\n{id:3,qty:7}\n'


async def test_filter_keeps_lines_as_they_are(ctx: FakeRunContext) -> None:
    uri = await ctx.files.put(ROWS)
    output = await run(
        ctx, "storage.FilterItems", **{"from": uri, "filterCondition": "{{ qty > 0 }}"}
    )
    assert await text(ctx, output.uri) == "{id:1,qty:3}\n{id:3,qty:7}\n"
    assert (output.processed_items_total, output.dropped_items_total, output.uri[-4:]) == (
        3,
        1,
        ".ion",
    )
    output = await run(
        ctx,
        "storage.FilterItems",
        **{"from": uri, "filterCondition": "{{ qty > 0 }}", "filterType": "EXCLUDE"},
    )
    assert await text(ctx, output.uri) == '{"id":2,"qty":0}\n'


@pytest.mark.parametrize(("behavior", "kept"), [("INCLUDE", 3), ("EXCLUDE", 0)])
async def test_filter_decides_about_rows_that_fail(
    ctx: FakeRunContext, behavior: str, kept: int
) -> None:
    uri = await ctx.files.put(ROWS)
    spec = {"from": uri, "filterCondition": "{{ nothing }}"}
    output = await run(ctx, "storage.FilterItems", **spec, errorOrNullBehavior=behavior)
    assert output.processed_items_total - output.dropped_items_total == kept
    with pytest.raises(ExpressionError, match="nothing"):
        await run(ctx, "storage.FilterItems", **spec)
    assert ctx.log.messages("DEBUG") == ["The condition fails in line 1"]


async def test_deduplicate_keeps_the_last_row_of_each_key(ctx: FakeRunContext) -> None:
    uri = await ctx.files.put(b'{"k":1,"v":"a"}\n{"k":2,"v":"b"}\n{"k":1,"v":"c"}\n')
    output = await run(ctx, "storage.DeduplicateItems", **{"from": uri, "expr": "{{ k }}"})
    assert await text(ctx, output.uri) == '{"k":2,"v":"b"}\n{"k":1,"v":"c"}\n'
    assert (output.num_keys, output.processed_items_total, output.dropped_items_total) == (2, 3, 1)


async def test_rows_that_are_none_are_placed(ctx: FakeRunContext) -> None:
    for content, reason in ((b"{a:1}\n{a\n", "line 2"), (b"[1]\n", "expected a map")):
        uri = await ctx.files.put(content)
        with pytest.raises(TaskError, match=reason):
            await run(ctx, "storage.DeduplicateItems", **{"from": uri, "expr": "{{ a }}"})


class TestNamespaceFiles:
    async def test_upload_download_and_delete(self, ctx: FakeRunContext) -> None:
        uri = await ctx.files.put(b"uploaded")
        await run(
            ctx,
            "namespace.UploadFiles",
            namespace="ns",
            filesMap={"docs/a.txt": uri, "gone.txt": uri + "x"},
            destination="/top/",
        )
        assert ctx.namespace_files.contents == {("ns", "top/docs/a.txt"): b"uploaded"}
        found = (await run(ctx, "namespace.DownloadFiles", namespace="ns", files=["docs/**"])).files
        assert list(found) == ["/top/docs/a.txt"]
        assert await text(ctx, found["/top/docs/a.txt"]) == "uploaded"
        await run(
            ctx, "namespace.DeleteFiles", namespace="ns", files="**.txt", deleteParentFolder=True
        )
        assert ctx.namespace_files.contents == {}
        assert (ctx.metrics.value("downloaded"), ctx.metrics.value("deleted")) == (1, 1)

    async def test_upload_of_the_working_directory(self, ctx: FakeRunContext) -> None:
        (ctx.workdir / "sub").mkdir()
        (ctx.workdir / "a.csv").write_text("a")
        (ctx.workdir / "sub" / "b.csv").write_text("b")
        await run(ctx, "namespace.UploadFiles", namespace="ns", files=["**.csv"], destination="in")
        assert ctx.namespace_files.contents == {
            ("ns", "in/a.csv"): b"a",
            ("ns", "in/sub/b.csv"): b"b",
        }

    @pytest.mark.parametrize(("conflict", "content"), [("OVERWRITE", b"new"), ("SKIP", b"old")])
    async def test_conflicts(self, ctx: FakeRunContext, conflict: str, content: bytes) -> None:
        ctx.namespace_files.contents["ns", "a"] = b"old"
        uri = await ctx.files.put(b"new")
        await run(
            ctx, "namespace.UploadFiles", namespace="ns", filesMap={"a": uri}, conflict=conflict
        )
        assert ctx.namespace_files.contents["ns", "a"] == content
        with pytest.raises(TaskError, match="'a' already exists in namespace 'ns'"):
            await run(
                ctx, "namespace.UploadFiles", namespace="ns", filesMap={"a": uri}, conflict="ERROR"
            )

    async def test_paths_stay_inside_and_something_must_be_given(self, ctx: FakeRunContext) -> None:
        uri = await ctx.files.put(b"x")
        with pytest.raises(PropertyError, match="no path inside"):
            await run(ctx, "namespace.UploadFiles", namespace="ns", filesMap={"../a": uri})
        with pytest.raises(TaskError, match="files or filesMap is required"):
            await run(ctx, "namespace.UploadFiles", namespace="ns")
