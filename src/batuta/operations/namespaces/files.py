"""Files of namespaces: read, list, write, move, delete, search (03 §13). `archive` packs and unpacks them."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager

import msgspec

from batuta.operations.caller import Caller
from batuta.operations.errors import IllegalArgumentError, NotFoundError
from batuta.operations.services import Services
from batuta.storage.contract import Content, FileAttributes, FileType, InvalidUriError
from batuta.storage.layout import Parts, namespace_files_path, parse_uri, to_uri

FLOWS = "_flows"
"""A folder that holds the flows of the namespace; it exists in uploads and exports only."""


class OpenedFile(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    size: int
    chunks: AsyncIterator[bytes]


async def open_file(caller: Caller, services: Services, namespace: str, *, path: str) -> OpenedFile:
    """Raises `NotFoundError`, also for a folder."""
    uri = _uri(caller, namespace, path)
    with _explained(path):
        found = await services.storage.attributes(caller.tenant, uri)
    if found.type is not FileType.FILE:
        raise NotFoundError(f"File '{path}' not found.")
    return OpenedFile(
        name=found.name, size=found.size, chunks=services.storage.open(caller.tenant, uri)
    )


async def attributes(
    caller: Caller, services: Services, namespace: str, *, path: str
) -> FileAttributes:
    """Of a file or folder. The root always exists."""
    uri = _uri(caller, namespace, path)
    if not relative(path):
        await services.storage.create_directory(caller.tenant, uri)
    with _explained(path):
        return await services.storage.attributes(caller.tenant, uri)


async def entries(
    caller: Caller, services: Services, namespace: str, *, path: str
) -> Sequence[FileAttributes]:
    """What is in a folder, one level."""
    uri = _uri(caller, namespace, path)
    if not relative(path):
        await services.storage.create_directory(caller.tenant, uri)
    with _explained(path):
        return await services.storage.entries(caller.tenant, uri)


async def create_directory(
    caller: Caller, services: Services, namespace: str, *, path: str
) -> None:
    with _explained(path):
        await services.storage.create_directory(caller.tenant, _uri(caller, namespace, path))


async def write(
    caller: Caller, services: Services, namespace: str, *, path: str, content: Content
) -> None:
    """In place of what was there; folders on the way are made."""
    if not relative(path):
        raise IllegalArgumentError("The path names no file")
    with _explained(path):
        await services.storage.put(caller.tenant, _uri(caller, namespace, path), content)


async def move(
    caller: Caller, services: Services, namespace: str, *, source: str, target: str
) -> None:
    """A file or a folder with all that is in it."""
    if not relative(source) or not relative(target):
        raise IllegalArgumentError("The root of the files cannot be moved")
    begin, end = _uri(caller, namespace, source), _uri(caller, namespace, target)
    with _explained(source):
        await services.storage.move(caller.tenant, begin, end)
    await _remove_empty(caller, services, namespace, parts=relative(source)[:-1])


async def delete(caller: Caller, services: Services, namespace: str, *, path: str) -> None:
    """A file, or a folder with all that is in it; parents that are left empty go too. Nothing there is no error."""
    parts = relative(path)
    if not parts:
        raise IllegalArgumentError("The root of the files cannot be deleted")
    with _explained(path):
        await services.storage.delete(caller.tenant, _uri(caller, namespace, path))
    await _remove_empty(caller, services, namespace, parts=parts[:-1])


async def search(caller: Caller, services: Services, namespace: str, *, part: str) -> Sequence[str]:
    """Paths of all files that contain the text, each with a leading slash."""
    return [path for path in await paths(caller, services, namespace) if part in path]


async def paths(caller: Caller, services: Services, namespace: str) -> Sequence[str]:
    root = _uri(caller, namespace, "")
    depth = len(parse_uri(root))
    found = await services.storage.walk(caller.tenant, root)
    return [f"/{'/'.join(parse_uri(file.uri)[depth:])}" for file in found]


def relative(path: str) -> Parts:
    """The names of a path below the root. Raises `IllegalArgumentError` for one that leaves it or is reserved."""
    parts = tuple(part for part in path.split("/") if part)
    try:
        parts = parse_uri(to_uri(parts))
    except InvalidUriError as error:
        raise IllegalArgumentError(f"Invalid path '{path}': {error.reason}") from None
    if parts and parts[0] == FLOWS:
        raise IllegalArgumentError(f"Forbidden path: /{'/'.join(parts)}")
    return parts


async def _remove_empty(
    caller: Caller, services: Services, namespace: str, *, parts: Parts
) -> None:
    root = namespace_files_path(namespace)
    for length in range(len(parts), 0, -1):
        uri = to_uri((*root, *parts[:length]))
        try:
            if await services.storage.entries(caller.tenant, uri):
                return
        except (FileNotFoundError, NotADirectoryError):
            continue
        await services.storage.delete(caller.tenant, uri)


def _uri(caller: Caller, namespace: str, path: str) -> str:
    if not caller.may_see(namespace):
        raise NotFoundError
    root = namespace_files_path(namespace)
    if not all(root) or any(part == ".." for part in root):
        raise IllegalArgumentError(f"`{namespace}` is no namespace")
    return to_uri((*root, *relative(path)))


@contextmanager
def _explained(path: str) -> Iterator[None]:
    """What the storage cannot do, as an answer to the person who asked."""
    try:
        yield
    except InvalidUriError as error:
        raise IllegalArgumentError(f"Invalid path '{path}': {error.reason}") from None
    except (FileNotFoundError, NotADirectoryError):
        raise NotFoundError(f"File '{path}' not found.") from None
    except (FileExistsError, IsADirectoryError):
        raise IllegalArgumentError(f"There is a folder in the place of '{path}'") from None
