"""Rows of a file by their number."""

import pytest

from batuta.model.instant import Instant
from batuta.server.executor.loops.values import MAX_FILES, STRIDE, Rows, row_text
from batuta.storage.memory import MemoryStorage

TEXTS = [
    (b'"a text"', "a text"),
    (b"symbol", "symbol"),
    (b"12", "12"),
    (b"1.50", "1.5"),
    (b"null", "null"),
    (b"true", "true"),
    (b'{a:1, b:["x"]}', '{"a":1,"b":["x"]}'),
    (b"2024-02-03", "2024-02-03"),
    (b"2024-02-03T04:05:06Z", "2024-02-03T04:05:06Z"),
    (b"two words\r", "two words"),
    (b"a,b,c", "a,b,c"),
    (b'{"json": null}', '{"json":null}'),
    (b'"cut off', '"cut off'),
    (b"\xff", "\ufffd"),
]


@pytest.mark.parametrize(("line", "text"), TEXTS)
def test_the_text_of_a_row(line: bytes, text: str) -> None:
    assert row_text(line) == text


async def stored(content: bytes, name: str = "rows") -> tuple[Rows, str]:
    storage = MemoryStorage(lambda: Instant(0))
    uri = await storage.put("main", f"kestra:///{name}.ion", content)
    return Rows(storage), uri


@pytest.mark.parametrize("count", [0, 1, STRIDE - 1, STRIDE, STRIDE + 1, 12 * STRIDE + 7])
@pytest.mark.parametrize("end", [b"", b"\n", b"\n\n \n"])
async def test_each_row_is_found(count: int, end: bytes) -> None:
    lines = [b"%d%s" % (number, b"x" * (number % 90)) for number in range(count)]
    rows, uri = await stored(b"\n\n".join(lines) + end)
    assert await rows.count("main", uri) == count
    for number in sorted({0, 1, count // 2, STRIDE, count - 1, 3} & set(range(count))):
        assert await rows.text("main", uri, number) == lines[number].decode()


async def test_rows_are_found_without_counting_before() -> None:
    rows, uri = await stored(b"a\nb\n")
    assert await rows.text("main", uri, 1) == "b"
    with pytest.raises(IndexError):
        await rows.text("main", uri, 2)


async def test_few_files_are_remembered() -> None:
    storage = MemoryStorage(lambda: Instant(0))
    rows = Rows(storage)
    uris = [
        await storage.put("main", f"kestra:///{number}.ion", b"%d\n" % number)
        for number in range(MAX_FILES + 3)
    ]
    for _ in range(2):
        assert [await rows.text("main", uri, 0) for uri in uris] == [
            str(number) for number in range(len(uris))
        ]


@pytest.mark.parametrize(("uri", "error"), [("kestra:///none", OSError), ("nonsense", ValueError)])
async def test_what_cannot_be_read(uri: str, error: type[Exception]) -> None:
    rows, _ = await stored(b"")
    with pytest.raises(error):
        await rows.count("main", uri)
