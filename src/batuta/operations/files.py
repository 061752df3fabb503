"""Files that come with requests, and files of executions by URI (03 §8.13)."""

from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping

import msgspec

from batuta.engine.execution import Execution
from batuta.model.ids import ExecutionId, FlowKey
from batuta.operations.caller import Caller
from batuta.operations.errors import IllegalArgumentError, NotFoundError
from batuta.operations.executions import get_row
from batuta.operations.services import Services
from batuta.sdk.input import Input, InputType
from batuta.storage.contract import InvalidUriError
from batuta.storage.layout import (
    execution_of,
    execution_path,
    flow_path,
    input_path,
    namespace_files_path,
    parse_uri,
    to_uri,
)

_NSFILE = "nsfile://"


class Upload(msgspec.Struct, frozen=True, kw_only=True):
    """A file that is not stored yet. `name` is the part's name, `file_name` what the sender calls the file, `size` in bytes."""

    name: str
    file_name: str
    size: int
    open: Callable[[], AsyncIterator[bytes]]


def upload_of(name: str, file_name: str, content: bytes) -> Upload:
    """A file in memory."""

    async def chunks() -> AsyncIterator[bytes]:
        yield content

    return Upload(name=name, file_name=file_name, size=len(content), open=chunks)


class PlacedFiles(msgspec.Struct, frozen=True):
    """Uploads for declared FILE inputs, by the URI where they belong; nothing is stored yet."""

    by_uri: Mapping[str, Upload]

    @property
    def values(self) -> dict[str, str]:
        """What the inputs are given: name and URI."""
        return {upload.name: uri for uri, upload in self.by_uri.items()}

    def only(self, names: Collection[str]) -> "PlacedFiles":
        return PlacedFiles(
            {uri: upload for uri, upload in self.by_uri.items() if upload.name in names}
        )


def place_files(
    flow: FlowKey,
    execution_id: ExecutionId,
    *,
    declared: Iterable[Input],
    uploads: Mapping[str, Upload],
) -> PlacedFiles:
    """Where the uploads belong that are inputs; others are left out."""
    wanted = {each.id for each in declared if each.type is InputType.FILE}
    folder = execution_path(flow.namespace, flow.id, execution_id)
    return PlacedFiles(
        {
            to_uri(input_path(folder, input_id=upload.name, file_name=upload.file_name)): upload
            for upload in uploads.values()
            if upload.name in wanted
        }
    )


async def store_files(services: Services, tenant: str, files: PlacedFiles) -> None:
    """Raises `IllegalArgumentError` for an empty file (03 §8.2); then none was stored."""
    for upload in files.by_uri.values():
        if upload.size == 0:
            raise IllegalArgumentError(f"Can't upload file: {upload.file_name}")
    for uri, upload in files.by_uri.items():
        await services.storage.put(tenant, uri, upload.open())


class ExecutionFile(msgspec.Struct, frozen=True, kw_only=True):
    uri: str
    name: str
    size: int
    chunks: AsyncIterator[bytes]


class OtherExecutionError(Exception):
    """The file belongs to this other execution; the caller should ask there."""

    def __init__(self, execution_id: str) -> None:
        super().__init__(execution_id)
        self.execution_id = execution_id


async def open_for_preview(
    caller: Caller, services: Services, execution_id: ExecutionId, *, path: str
) -> ExecutionFile:
    """As `open_file`; a file of another execution is opened there, if the caller may see that (03 §8.13)."""
    try:
        return await open_file(caller, services, execution_id, path=path)
    except OtherExecutionError as other:
        return await open_file(caller, services, ExecutionId(other.execution_id), path=path)


async def open_file(
    caller: Caller, services: Services, execution_id: ExecutionId, *, path: str
) -> ExecutionFile:
    """Raises `NotFoundError`, `IllegalArgumentError` for a path that is not the execution's, `OtherExecutionError`."""
    execution = (await get_row(caller, services, execution_id)).execution
    try:
        uri = _resolve(caller, execution, path)
        attributes = await services.storage.attributes(execution.flow.tenant, uri)
    except InvalidUriError as error:
        raise IllegalArgumentError(str(error)) from None
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        raise NotFoundError(f"File '{path}' not found.") from None
    return ExecutionFile(
        uri=uri,
        name=attributes.name,
        size=attributes.size,
        chunks=services.storage.open(execution.flow.tenant, uri),
    )


def _resolve(caller: Caller, execution: Execution, path: str) -> str:
    if path.startswith(_NSFILE):
        namespace, _, rest = path.removeprefix(_NSFILE).partition("/")
        namespace = namespace or execution.flow.namespace
        if not caller.may_see(namespace):
            raise NotFoundError
        parts = tuple(part for part in rest.split("/") if part)
        return to_uri(parse_uri(to_uri((*namespace_files_path(namespace), *parts))))
    scheme, colon, _ = path.partition(":")
    if not colon or scheme != "kestra":
        raise IllegalArgumentError(f"Scheme not supported: {scheme if colon else path}")
    parts = parse_uri(path)
    flow = execution.flow
    own = execution_path(flow.namespace, flow.id, execution.id)
    states = (*flow_path(flow.namespace, flow.id), "states")
    if parts[: len(own)] == own or parts[: len(states)] == states:
        return to_uri(parts)
    other = execution_of(path)
    if other is not None and other != execution.id:
        raise OtherExecutionError(other)
    raise IllegalArgumentError("Invalid prefix path")
