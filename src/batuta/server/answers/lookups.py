"""Look-ups of templates: what functions of the expression language ask the server while a text is rendered."""

from collections.abc import Mapping
from typing import Any

from batuta.expr.errors import EvaluationError
from batuta.flow.yaml import read_yaml_literally
from batuta.model.instant import to_iso
from batuta.operations import keyvalues
from batuta.operations.cipher import cipher_of
from batuta.operations.rendering.place import file_uri
from batuta.operations.secret import find_secret
from batuta.server.answers.http import http
from batuta.server.answers.question import Answer, Question
from batuta.server.context.secrets import ENCRYPTED_TYPE
from batuta.store.query import Filter, Op, Query

MAX_ERROR_LOGS = 1_000


async def _secret(question: Question) -> str:
    return find_secret(question.services, str(question.arguments["key"]))


async def _kv(question: Question) -> Any:
    key = str(question.arguments["key"])
    namespace = question.arguments.get("namespace")
    caller = question.caller
    if namespace is None:
        found = await keyvalues.find(caller, question.services, question.info.namespace, key=key)
    else:
        found = await keyvalues.get(caller, question.services, str(namespace), key=key)
    if found is not None:
        return keyvalues.shown_value(found)
    if question.arguments.get("errorOnMissing", True):
        place = namespace or question.info.namespace
        raise EvaluationError(f"The key '{key}' does not exist in the namespace '{place}'.")
    return None


async def _read(question: Question) -> str:
    uri = _uri(question)
    try:
        return (await question.services.storage.read(question.info.tenant, uri)).decode()
    except FileNotFoundError as error:
        raise EvaluationError(
            f"{question.arguments['path']} (No such file or directory)"
        ) from error


async def _file_exists(question: Question) -> bool:
    return await question.services.storage.exists(question.info.tenant, _uri(question))


async def _file_size(question: Question) -> int:
    uri = _uri(question)
    try:
        return (await question.services.storage.attributes(question.info.tenant, uri)).size
    except FileNotFoundError as error:
        raise EvaluationError(
            f"{question.arguments['path']} (No such file or directory)"
        ) from error


def _uri(question: Question) -> str:
    path, namespace = str(question.arguments["path"]), question.arguments.get("namespace")
    return file_uri(path, namespace=namespace, own=question.info.namespace)


async def _error_logs(question: Question) -> list[Any]:
    page = await question.services.store.journal.logs(
        Query(
            filters=[
                Filter("execution_id", Op.EQUALS, question.info.execution_id),
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


async def _parse_yaml(question: Question) -> Any:
    return read_yaml_literally(str(question.arguments["text"]))


async def _encrypt(question: Question) -> Any:
    """05 §5: without a key the text comes back as it is."""
    text = str(question.arguments["text"])
    cipher = cipher_of(question.services.settings, question.services.ids)
    return text if cipher is None else {"value": cipher.encrypt(text), "type": ENCRYPTED_TYPE}


LOOKUPS: Mapping[str, Answer] = {
    "secret": _secret,
    "kv": _kv,
    "read": _read,
    "file_exists": _file_exists,
    "file_size": _file_size,
    "http": http,
    "error_logs": _error_logs,
    "parse_yaml": _parse_yaml,
    "encrypt": _encrypt,
}
