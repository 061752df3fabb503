"""The key-value store and the namespace files of tasks."""

import base64
from collections.abc import Mapping
from typing import Any

from batuta.model import codec
from batuta.operations import keyvalues
from batuta.operations.errors import NotFoundError
from batuta.operations.rendering.place import namespace_file
from batuta.sdk.context import KeyValue
from batuta.server.answers.question import Answer, Question
from batuta.storage.layout import namespace_files_path, to_uri


async def _kv_get(question: Question) -> Any:
    """05 §11.1: a value that has expired is an error once, afterwards there is none."""
    try:
        found = await keyvalues.read(
            question.caller,
            question.services,
            question.arguments["namespace"],
            key=question.arguments["key"],
        )
    except NotFoundError:
        return None
    return codec.to_plain(found)


async def _kv_set(question: Question) -> None:
    await keyvalues.put(
        question.caller,
        question.services,
        question.arguments["namespace"],
        entry=codec.convert(question.arguments["entry"], KeyValue),
        overwrite=bool(question.arguments.get("overwrite", True)),
    )


async def _kv_delete(question: Question) -> bool:
    return await keyvalues.delete(
        question.caller,
        question.services,
        question.arguments["namespace"],
        key=question.arguments["key"],
    )


async def _kv_keys(question: Question) -> list[str]:
    return list(
        await keyvalues.keys(question.caller, question.services, question.arguments["namespace"])
    )


async def _files_list(question: Question) -> list[str]:
    root = to_uri(namespace_files_path(question.arguments["namespace"]))
    found = await question.services.storage.walk(question.info.tenant, root)
    return [file.uri.removeprefix(f"{root}/") for file in found]


async def _files_read(question: Question) -> str:
    uri = namespace_file(question.arguments["namespace"], question.arguments["path"])
    return base64.b64encode(
        await question.services.storage.read(question.info.tenant, uri)
    ).decode()


async def _files_write(question: Question) -> str:
    uri = namespace_file(question.arguments["namespace"], question.arguments["path"])
    content = base64.b64decode(question.arguments["content"])
    return await question.services.storage.put(question.info.tenant, uri, content)


async def _files_delete(question: Question) -> bool:
    uri = namespace_file(question.arguments["namespace"], question.arguments["path"])
    return await question.services.storage.delete(question.info.tenant, uri)


STORES: Mapping[str, Answer] = {
    "kv.get": _kv_get,
    "kv.set": _kv_set,
    "kv.delete": _kv_delete,
    "kv.keys": _kv_keys,
    "files.list": _files_list,
    "files.read": _files_read,
    "files.write": _files_write,
    "files.delete": _files_delete,
}
