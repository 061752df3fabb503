"""Formats of jq: `@csv`, `@base64` and the like."""

from base64 import b64decode, b64encode
from collections.abc import Callable
from urllib.parse import quote

from batuta.expr.jq.errors import JqError
from batuta.expr.jq.value import shown, to_json, type_name
from batuta.expr.values import Value

_HTML = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "'": "&#39;", '"': "&quot;"}
_TSV = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}


def to_text(value: Value) -> str:
    return value if isinstance(value, str) else to_json(value)


def formatted(name: str, value: Value) -> str:
    """A value in a format. Raises `JqError` for an unknown name."""
    code = _FORMATS.get(name)
    if code is None:
        raise JqError(f"{name[1:]} is not a valid format")
    return code(value)


def _html(value: Value) -> str:
    return "".join(_HTML.get(char, char) for char in to_text(value))


def _uri(value: Value) -> str:
    return quote(to_text(value), safe="-_.~", errors="replace")


def _row(value: Value, name: str) -> list[Value]:
    if not isinstance(value, list):
        raise JqError(
            f"{type_name(value)} ({shown(value)}) cannot be {name}-formatted, only an array can be"
        )
    for item in value:
        if isinstance(item, (list, dict)):
            raise JqError(f"{type_name(item)} ({shown(item)}) is not valid in a {name} row")
    return value


def _csv(value: Value) -> str:
    return ",".join(
        '"' + item.replace('"', '""') + '"'
        if isinstance(item, str)
        else ""
        if item is None
        else to_json(item)
        for item in _row(value, "csv")
    )


def _tsv(value: Value) -> str:
    return "\t".join(
        "".join(_TSV.get(char, char) for char in item)
        if isinstance(item, str)
        else ("" if item is None else to_json(item))
        for item in _row(value, "tsv")
    )


def _sh(value: Value) -> str:
    return " ".join(map(_sh_word, value if isinstance(value, list) else [value]))


def _sh_word(value: Value) -> str:
    if isinstance(value, (list, dict)):
        raise JqError(f"{type_name(value)} ({shown(value)}) can not be escaped for shell")
    if isinstance(value, str):
        return "'" + value.replace("'", "'\\''") + "'"
    return to_json(value)


def _base64(value: Value) -> str:
    return b64encode(to_text(value).encode("utf-8", "replace")).decode()


def _base64d(value: Value) -> str:
    text = to_text(value).rstrip("=")
    try:
        return b64decode(text + "=" * (-len(text) % 4), validate=True).decode("utf-8", "replace")
    except ValueError:
        raise JqError(f"{type_name(value)} ({shown(value)}) is not valid base64 data") from None


_FORMATS: dict[str, Callable[[Value], str]] = {
    "@text": to_text,
    "@json": to_json,
    "@html": _html,
    "@uri": _uri,
    "@csv": _csv,
    "@tsv": _tsv,
    "@sh": _sh,
    "@base64": _base64,
    "@base64d": _base64d,
}
