"""What running tasks and templates ask of the server, answered with the rights of their flow.

The operations and their arguments are listed in `server.worker.gateway`.
"""

import base64
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from batuta.expr.errors import EvaluationError, RuntimeFaultError
from batuta.flow.yaml import read_yaml_literally
from batuta.model import codec
from batuta.model.instant import to_iso
from batuta.operations import keyvalues
from batuta.operations.caller import Caller
from batuta.operations.cipher import cipher_of
from batuta.operations.secret import find_secret
from batuta.operations.services import Services
from batuta.sdk.context import KeyValue, RunInfo
from batuta.sdk.errors import PluginError
from batuta.server.executor.secrets import ENCRYPTED_TYPE
from batuta.storage.layout import execution_of, namespace_files_path, parse_uri, to_uri
from batuta.store.query import Filter, Op, Query

Arguments = Mapping[str, Any]
Answer = Callable[[RunInfo, Arguments], Awaitable[Any]]

MAX_ERROR_LOGS = 1_000


class Answers:
    def __init__(self, services: Services) -> None:
        self._services = services
        self._operations: Mapping[str, Answer] = {
            "secret": self._secret,
            "kv": self._kv,
            "read": self._read,
            "file_exists": self._file_exists,
            "file_size": self._file_size,
            "http": self._http_call,
            "error_logs": self._error_logs,
            "parse_yaml": self._parse_yaml,
            "encrypt": self._encrypt,
            "kv.get": self._kv_get,
            "kv.set": self._kv_set,
            "kv.delete": self._kv_delete,
            "kv.keys": self._kv_keys,
            "files.list": self._files_list,
            "files.read": self._files_read,
            "files.write": self._files_write,
            "files.delete": self._files_delete,
        }

    async def answer(self, info: RunInfo, operation: str, arguments: Arguments) -> Any:
        """Raises the errors that `gateway.error_of` knows."""
        answer = self._operations.get(operation)
        if answer is None:
            raise PluginError(f"The server has no operation `{operation}` for tasks.")
        return await answer(info, arguments)

    # -- look-ups of templates -----------------------------------------------------------------------------

    async def _secret(self, _: RunInfo, arguments: Arguments) -> str:
        return find_secret(self._services, str(arguments["key"]))

    async def _kv(self, info: RunInfo, arguments: Arguments) -> Any:
        key = str(arguments["key"])
        namespace = arguments.get("namespace")
        caller = _caller(info)
        if namespace is None:
            found = await keyvalues.find(caller, self._services, info.namespace, key=key)
        else:
            found = await keyvalues.get(caller, self._services, str(namespace), key=key)
        if found is not None:
            return keyvalues.shown_value(found)
        if arguments.get("errorOnMissing", True):
            place = namespace or info.namespace
            raise EvaluationError(f"The key '{key}' does not exist in the namespace '{place}'.")
        return None

    async def _read(self, info: RunInfo, arguments: Arguments) -> str:
        uri = self._uri(info, arguments)
        try:
            return (await self._services.storage.read(info.tenant, uri)).decode()
        except FileNotFoundError as error:
            raise EvaluationError(f"{arguments['path']} (No such file or directory)") from error

    async def _file_exists(self, info: RunInfo, arguments: Arguments) -> bool:
        return await self._services.storage.exists(info.tenant, self._uri(info, arguments))

    async def _file_size(self, info: RunInfo, arguments: Arguments) -> int:
        uri = self._uri(info, arguments)
        try:
            return (await self._services.storage.attributes(info.tenant, uri)).size
        except FileNotFoundError as error:
            raise EvaluationError(f"{arguments['path']} (No such file or directory)") from error

    def _uri(self, info: RunInfo, arguments: Arguments) -> str:
        """The internal URI that a path argument means (02 §5)."""
        path = str(arguments["path"])
        namespace = arguments.get("namespace")
        if path.startswith("kestra://"):
            if execution_of(path) is None and "_files" not in parse_uri(path):
                raise RuntimeFaultError(
                    f"Unable to read the file '{path}' as it is not an execution file"
                )
            return path
        if path.startswith("nsfile://"):
            authority, _, rest = path.removeprefix("nsfile://").partition("/")
            if authority and namespace is not None:
                raise RuntimeFaultError(
                    "The namespace is given twice, in the URI and as an argument."
                )
            return _namespace_file(authority or namespace or info.namespace, rest)
        if "://" in path or path.startswith("file:"):
            raise RuntimeFaultError(f"Cannot process the URI {path}: scheme not supported.")
        return _namespace_file(namespace or info.namespace, path)

    async def _http_call(self, _: RunInfo, arguments: Arguments) -> Any:
        import httpx2

        method = str(arguments.get("method") or "GET")
        headers = {
            str(name): ", ".join(map(str, value)) if isinstance(value, list) else str(value)
            for name, value in (arguments.get("headers") or {}).items()
            if str(name).lower() != "content-type"
        }
        headers["Accept"] = str(arguments.get("accept") or "application/json")
        body = arguments.get("body")
        content = None
        if body is not None:
            headers["Content-Type"] = str(arguments.get("contentType") or "application/json")
            content = body.encode() if isinstance(body, str) else codec.encode(body)
        try:
            async with httpx2.AsyncClient(timeout=HTTP_SECONDS, follow_redirects=True) as client:
                answer = await client.request(
                    method,
                    str(arguments["uri"]),
                    params=arguments.get("query") or None,
                    headers=headers,
                    content=content,
                )
        except httpx2.HTTPError as error:
            raise EvaluationError(f"Failed to execute HTTP Request: {error}") from error
        if answer.status_code >= FIRST_ERROR_STATUS:
            raise EvaluationError(
                f"Failed to execute HTTP Request, server respond with status {answer.status_code}"
            )
        if "json" in answer.headers.get("content-type", ""):
            return codec.decode(answer.content)
        return answer.text

    async def _error_logs(self, info: RunInfo, _: Arguments) -> list[Any]:
        page = await self._services.store.journal.logs(
            Query(
                filters=[
                    Filter("execution_id", Op.EQUALS, info.execution_id),
                    Filter("level", Op.EQUALS, "ERROR"),
                ],
                size=MAX_ERROR_LOGS,
                total=False,
            )
        )
        return [
            {
                "taskId": row.task_id,
                "taskRunId": row.task_run_id,
                "timestamp": to_iso(row.at),
                "level": row.level,
                "message": row.message,
            }
            for row in page.rows
        ]

    async def _parse_yaml(self, _: RunInfo, arguments: Arguments) -> Any:
        return read_yaml_literally(str(arguments["text"]))

    async def _encrypt(self, _: RunInfo, arguments: Arguments) -> Any:
        """05 §5: without a key the text comes back as it is."""
        text = str(arguments["text"])
        cipher = cipher_of(self._services.settings, self._services.ids)
        return text if cipher is None else {"value": cipher.encrypt(text), "type": ENCRYPTED_TYPE}

    # -- the key-value store and namespace files -----------------------------------------------------------

    async def _kv_get(self, info: RunInfo, arguments: Arguments) -> Any:
        found = await keyvalues.get(
            _caller(info), self._services, arguments["namespace"], key=arguments["key"]
        )
        return None if found is None else codec.to_plain(found)

    async def _kv_set(self, info: RunInfo, arguments: Arguments) -> None:
        await keyvalues.put(
            _caller(info),
            self._services,
            arguments["namespace"],
            entry=codec.convert(arguments["entry"], KeyValue),
            overwrite=bool(arguments.get("overwrite", True)),
        )

    async def _kv_delete(self, info: RunInfo, arguments: Arguments) -> bool:
        return await keyvalues.delete(
            _caller(info), self._services, arguments["namespace"], key=arguments["key"]
        )

    async def _kv_keys(self, info: RunInfo, arguments: Arguments) -> list[str]:
        return list(await keyvalues.keys(_caller(info), self._services, arguments["namespace"]))

    async def _files_list(self, info: RunInfo, arguments: Arguments) -> list[str]:
        root = to_uri(namespace_files_path(arguments["namespace"]))
        found = await self._services.storage.walk(info.tenant, root)
        return [file.uri.removeprefix(f"{root}/") for file in found]

    async def _files_read(self, info: RunInfo, arguments: Arguments) -> str:
        uri = _namespace_file(arguments["namespace"], arguments["path"])
        return base64.b64encode(await self._services.storage.read(info.tenant, uri)).decode()

    async def _files_write(self, info: RunInfo, arguments: Arguments) -> str:
        uri = _namespace_file(arguments["namespace"], arguments["path"])
        content = base64.b64decode(arguments["content"])
        return await self._services.storage.put(info.tenant, uri, content)

    async def _files_delete(self, info: RunInfo, arguments: Arguments) -> bool:
        uri = _namespace_file(arguments["namespace"], arguments["path"])
        return await self._services.storage.delete(info.tenant, uri)


HTTP_SECONDS = 30.0
FIRST_ERROR_STATUS = 400


def _caller(info: RunInfo) -> Caller:
    return Caller(user=f"flow {info.namespace}.{info.flow_id}", tenant=info.tenant)


def _namespace_file(namespace: str, path: str) -> str:
    parts = tuple(part for part in path.split("/") if part)
    return to_uri((*namespace_files_path(namespace), *parts))
