"""Functions that ask the host for secrets, key-value pairs and web resources."""

from collections.abc import Mapping

from batuta.expr.compiler.state import State
from batuta.expr.errors import EvaluationError, RuntimeFaultError
from batuta.expr.format.json_text import json_text, read_json
from batuta.expr.format.text import java_text
from batuta.expr.functions.context import variable
from batuta.expr.host import HttpRequest
from batuta.expr.registry import FUNCTIONS
from batuta.expr.values import Value, class_name, to_plain

_HTTP_PARAMETERS = (
    "uri",
    "method",
    "query",
    "body",
    "contentType",
    "headers",
    "options",
    "accept",
)


def flow_namespace(s: State) -> str:
    """The namespace of the running flow; without one look-ups have nowhere to go."""
    flow = variable(s, "flow")
    namespace = flow.get("namespace") if isinstance(flow, Mapping) else None
    if not isinstance(namespace, str):
        raise RuntimeFaultError("there is no flow in the context")
    return namespace


def optional_text(value: Value, name: str) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise RuntimeFaultError(f"the argument '{name}' must be a text, not {class_name(value)}")
    return str(value)


@FUNCTIONS(
    "secret",
    "key",
    "namespace",
    "subkey",
    with_state=True,
    template="{{ 1 is odd ? '******' : secret('DB_PASSWORD') }}",
    result="******",
)
def secret(s: State, key: Value, *more: Value) -> str:
    """A secret, or one entry of a secret that is a JSON map."""
    if key is None:
        raise EvaluationError("The 'secret' function expects an argument 'key'.")
    namespace, subkey = more
    flow_namespace(s)
    text = s.host.secret(java_text(key), namespace=optional_text(namespace, "namespace"))
    if subkey is None:
        return text
    try:
        entries = read_json(text)
    except ValueError:
        raise EvaluationError(
            f"The secret '{java_text(key)}' is no JSON, so it has no sub-keys."
        ) from None
    name = java_text(subkey)
    if not isinstance(entries, dict) or name not in entries:
        raise EvaluationError(f"Cannot find secret sub-key '{name}' in secret '{java_text(key)}'.")
    entry = entries[name]
    return json_text(entry) if isinstance(entry, (dict, list)) else java_text(entry)


@FUNCTIONS(
    "kv",
    "key",
    "namespace",
    "errorOnMissing",
    with_state=True,
    template="{{ 1 is odd ? 'a value' : kv('my_key') }}",
    result="a value",
)
def kv(s: State, key: Value, *more: Value) -> Value:
    """A value of the key-value store of the flow's namespace, its parents, or another namespace."""
    if key is None:
        raise EvaluationError("The 'kv' function expects an argument 'key'.")
    namespace, error_on_missing = more
    flow_namespace(s)
    return s.host.kv(
        java_text(key),
        namespace=optional_text(namespace, "namespace"),
        error_on_missing=error_on_missing is None or error_on_missing is True,
    )


@FUNCTIONS(
    "http",
    *_HTTP_PARAMETERS,
    with_state=True,
    template="{{ 1 is odd ? 'a body' : http('https://example.com') }}",
    result="a body",
)
def http(s: State, *arguments: Value) -> Value:
    """The decoded body of the answer to an HTTP request."""
    given = {
        name: to_plain(value)
        for name, value in zip(_HTTP_PARAMETERS, arguments, strict=True)
        if value is not None
    }
    if "uri" not in given:
        raise EvaluationError("The 'http' function expects an argument 'uri'.")
    maps = {name: _map(given.get(name), name) for name in ("query", "headers", "options")}
    return s.host.http(
        HttpRequest(
            uri=java_text(given["uri"]),
            method=java_text(given.get("method", "GET")),
            body=given.get("body"),
            content_type=java_text(given.get("contentType", "application/json")),
            accept=java_text(given.get("accept", "application/json")),
            **maps,
        )
    )


def _map(value: Value, name: str) -> dict[str, Value]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise EvaluationError(f"The argument '{name}' of 'http' must be a map.")
    return value
