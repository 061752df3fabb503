"""Files of internal storage: writing, reading, listing, moving, deleting, and what is refused."""

import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from batuta.storage.contract import CHUNK, FileType, InvalidUriError, Storage
from batuta.testing.suites.expect import equal, raises, true

MAIN = "main"
FILE = "kestra:///company/team/daily/executions/e1/tasks/load/r1/rows.csv"
FOLDER = "kestra:///company/team/daily/executions/e1"


async def _chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def _read(storage: Storage, uri: str, *, offset: int = 0, length: int | None = None) -> bytes:
    found = storage.open(MAIN, uri, offset=offset, length=length)
    return b"".join([chunk async for chunk in found])


async def content_comes_back_from_bytes_streams_and_files(storage: Storage) -> None:
    with tempfile.TemporaryDirectory() as folder:
        local = Path(folder) / "local.bin"
        local.write_bytes(b"from a file")
        equal(await storage.put(MAIN, FILE, b"from bytes"), FILE)
        equal(await storage.read(MAIN, FILE), b"from bytes")
        await storage.put(MAIN, FILE, _chunks(b"from ", b"", b"a stream"))
        equal(await storage.read(MAIN, FILE), b"from a stream")
        await storage.put(MAIN, FILE, local)
        equal(await storage.read(MAIN, FILE), b"from a file")
        true(local.exists(), "the file was only copied")
        await storage.put(MAIN, FILE, local, move=True)
        true(not local.exists(), "the file was moved")
        equal(await storage.read(MAIN, FILE), b"from a file")
        target = await storage.fetch(MAIN, FILE, Path(folder) / "copy")
        equal(target.read_bytes(), b"from a file")
        path = storage.local_path(MAIN, FILE)
        equal(path.read_bytes() if path else b"from a file", b"from a file")


async def long_and_empty_files_are_read_in_chunks(storage: Storage) -> None:
    content = bytes(range(256)) * (CHUNK // 100)
    await storage.put(MAIN, FILE, content)
    sizes = [len(chunk) async for chunk in storage.open(MAIN, FILE)]
    true(max(sizes) <= CHUNK and len(sizes) > 1, f"chunks of {sizes}")
    equal(await _read(storage, FILE), content)
    equal(await _read(storage, FILE, offset=1000), content[1000:])
    equal(await _read(storage, FILE, offset=1000, length=CHUNK + 5), content[1000 : CHUNK + 1005])
    equal(await _read(storage, FILE, offset=len(content) + 7), b"")
    await storage.put(MAIN, FILE, b"")
    equal(await _read(storage, FILE), b"")
    equal((await storage.attributes(MAIN, FILE)).size, 0)


async def a_stream_that_fails_leaves_the_former_file(storage: Storage) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"half"
        raise RuntimeError("the sender went away")

    await storage.put(MAIN, FILE, b"whole")
    await raises(RuntimeError, storage.put(MAIN, FILE, broken()))
    equal(await storage.read(MAIN, FILE), b"whole")


async def missing_files_are_reported(storage: Storage) -> None:
    missing = "kestra:///no/such/file"
    with tempfile.TemporaryDirectory() as folder:
        await raises(FileNotFoundError, storage.read(MAIN, missing))
        await raises(FileNotFoundError, _read(storage, missing))
        await raises(FileNotFoundError, storage.fetch(MAIN, missing, Path(folder) / "x"))
        await raises(FileNotFoundError, storage.attributes(MAIN, missing))
        await raises(FileNotFoundError, storage.entries(MAIN, missing))
        await raises(FileNotFoundError, storage.move(MAIN, missing, FILE))
    equal(await storage.exists(MAIN, missing), False)
    equal(await storage.delete(MAIN, missing), False)
    equal(await storage.delete_by_prefix(MAIN, missing), [])
    equal(await storage.walk(MAIN, missing), [])


async def attributes_tell_files_from_directories(storage: Storage) -> None:
    await storage.put(MAIN, FILE, b"12345", metadata={"description": "five", "expires": "never"})
    found = await storage.attributes(MAIN, FILE)
    equal((found.uri, found.name, found.type), (FILE, "rows.csv", FileType.FILE))
    equal((found.size, found.metadata), (5, {"description": "five", "expires": "never"}))
    folder = await storage.attributes(MAIN, FOLDER)
    equal((folder.uri, folder.name, folder.type), (FOLDER, "e1", FileType.DIRECTORY))
    equal((folder.size, folder.metadata), (0, {}))
    await storage.put(MAIN, FILE, b"1")
    equal((await storage.attributes(MAIN, FILE)).metadata, {})
    equal((await storage.attributes(MAIN, "kestra:///")).type, FileType.DIRECTORY)


async def listings_show_one_level_by_name_without_metadata(storage: Storage) -> None:
    for name in ("b.txt", "a.txt", "sub/c.txt", "sub/deep/d.txt"):
        await storage.put(MAIN, f"kestra:///x/{name}", b"1", metadata={"m": name})
    await storage.create_directory(MAIN, "kestra:///x/empty")
    found = await storage.entries(MAIN, "kestra:///x")
    equal([entry.name for entry in found], ["a.txt", "b.txt", "empty", "sub"])
    equal([entry.type.value for entry in found], ["File", "File", "Directory", "Directory"])
    equal(found[0].uri, "kestra:///x/a.txt")
    walked = await storage.walk(MAIN, "kestra:///x")
    equal(
        [entry.uri for entry in walked],
        [f"kestra:///x/{name}" for name in ("a.txt", "b.txt", "sub/c.txt", "sub/deep/d.txt")],
    )
    equal([entry.name for entry in await storage.entries(MAIN, "kestra:///")], ["x"])


async def names_are_encoded_in_uris_only(storage: Storage) -> None:
    uri = "kestra:///x/my%20caf%C3%A9%20100%25.csv"
    equal(await storage.put(MAIN, "kestra:///x/my café 100%25.csv", b"1"), uri)
    equal(await storage.read(MAIN, uri), b"1")
    (entry,) = await storage.entries(MAIN, "kestra:///x")
    equal((entry.name, entry.uri), ("my café 100%.csv", uri))
    await storage.put(MAIN, "kestra:///x/%252e%252e", b"two")
    equal(await storage.read(MAIN, "kestra:///x/%252e%252e"), b"two")


async def tenants_are_apart(storage: Storage) -> None:
    await storage.put("one", FILE, b"1")
    equal(await storage.exists("two", FILE), False)
    await storage.put("two", FILE, b"2")
    equal(await storage.read("one", FILE), b"1")
    for tenant in ("..", "", "a/b", ".tmp", "Main"):
        await raises(ValueError, storage.read(tenant, FILE))


async def uris_that_lead_elsewhere_are_refused(storage: Storage) -> None:
    for uri in (
        "",
        "x",
        "/etc/passwd",
        "file:///etc/passwd",
        "s3://bucket/key",
        "kestra://host/x",
        "kestra:x",
        "kestra:///../x",
        "kestra:///a/../../x",
        "kestra:///a/..",
        "kestra:///..",
        "kestra:///a/./b",
        "kestra:///a/%2e%2e/b",
        "kestra:///a/%2E./b",
        "kestra:///%2e%2e%2fetc/passwd",
        "kestra:///a%00b",
        "kestra:///a\x00b",
        "kestra:///a%5C..%5Cb",
        "kestra:///a%0Ab",
        "kestra:///%ff",
        "kestra:///" + "x" * 300,
    ):
        await raises(InvalidUriError, storage.put(MAIN, uri, b"evil"))
        await raises(InvalidUriError, storage.read(MAIN, uri))
        await raises(InvalidUriError, storage.delete(MAIN, uri))
        await raises(InvalidUriError, storage.move(MAIN, FILE, uri))
    await raises(InvalidUriError, storage.put(MAIN, "kestra:///", b"the root"))


async def deleting_takes_whole_trees(storage: Storage) -> None:
    await storage.put(MAIN, FILE, b"1", metadata={"m": "1"})
    await storage.put(MAIN, f"{FOLDER}/inputs/day.txt", b"2")
    await storage.put(MAIN, "kestra:///company/team/daily/executions/e10/x", b"3")
    gone = await storage.delete_by_prefix(MAIN, FOLDER)
    equal(
        gone,
        [
            f"{FOLDER}/inputs/day.txt",
            f"{FOLDER}/inputs",
            FILE,
            f"{FOLDER}/tasks/load/r1",
            f"{FOLDER}/tasks/load",
            f"{FOLDER}/tasks",
            FOLDER,
        ],
    )
    equal(await storage.exists(MAIN, FOLDER), False)
    equal(await storage.exists(MAIN, "kestra:///company/team/daily/executions/e10/x"), True)
    equal(await storage.delete(MAIN, "kestra:///company"), True)
    equal(await storage.entries(MAIN, "kestra:///"), [])


async def files_and_directories_move(storage: Storage) -> None:
    await storage.put(MAIN, "kestra:///a/one", b"1", metadata={"m": "1"})
    await storage.put(MAIN, "kestra:///a/sub/two", b"2")
    equal(await storage.move(MAIN, "kestra:///a/one", "kestra:///b/c/uno"), "kestra:///b/c/uno")
    equal(await storage.read(MAIN, "kestra:///b/c/uno"), b"1")
    equal((await storage.attributes(MAIN, "kestra:///b/c/uno")).metadata, {"m": "1"})
    equal(await storage.exists(MAIN, "kestra:///a/one"), False)
    await storage.move(MAIN, "kestra:///a", "kestra:///z")
    equal(await storage.read(MAIN, "kestra:///z/sub/two"), b"2")
    await raises(InvalidUriError, storage.move(MAIN, "kestra:///z", "kestra:///z/sub/inner"))
    await raises(FileExistsError, storage.move(MAIN, "kestra:///z", "kestra:///b"))
    equal(await storage.move(MAIN, "kestra:///z", "kestra:///z"), "kestra:///z")
    equal(await storage.read(MAIN, "kestra:///z/sub/two"), b"2")


async def files_and_directories_do_not_replace_each_other(storage: Storage) -> None:
    await storage.put(MAIN, "kestra:///a/file", b"1")
    await raises(IsADirectoryError, storage.put(MAIN, "kestra:///a", b"2"))
    await raises(InvalidUriError, storage.put(MAIN, "kestra:///a/file/below", b"3"))
    equal(await storage.create_directory(MAIN, "kestra:///a"), "kestra:///a")
    await raises(FileExistsError, storage.create_directory(MAIN, "kestra:///a/file"))
    equal(await storage.read(MAIN, "kestra:///a/file"), b"1")
