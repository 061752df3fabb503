"""Where things lie inside a tenant's storage (05 §3.2), and how URIs are read and written. Pure."""

import re
import unicodedata
from urllib.parse import quote, unquote

from batuta.storage.contract import InvalidUriError

SCHEME = "kestra"
METADATA_SUFFIX = ".metadata"
MAX_NAME_BYTES = 255 - len(METADATA_SUFFIX)
_TENANT = re.compile(r"[a-z0-9][a-z0-9_-]*", re.ASCII)
_FORBIDDEN = re.compile(r"[\\\x00-\x1f\x7f\ud800-\udfff]")
_EXECUTION = re.compile(r"/(.+)/executions/([^/]+)/")
_SAFE = "-._~!$&'()*+,;=:@"

Parts = tuple[str, ...]
"""Names from the tenant's root down, decoded."""


def parse_uri(uri: str) -> Parts:
    """The names of a `kestra:///…` URI, decoded once. The root is `()`. Raises `InvalidUriError`."""
    scheme, colon, rest = uri.partition(":")
    if not colon or scheme != SCHEME:
        raise InvalidUriError(uri, f"it must start with `{SCHEME}:///`")
    if rest.startswith("//"):
        authority, _, path = rest[2:].partition("/")
        if authority:
            raise InvalidUriError(uri, f"`{authority}` stands where no authority may be")
    elif rest.startswith("/"):
        path = rest[1:]
    else:
        raise InvalidUriError(uri, "its path must be absolute")
    try:
        decoded = unquote(path, errors="strict")
    except UnicodeDecodeError:
        raise InvalidUriError(uri, "its encoded characters are not UTF-8") from None
    parts = tuple(part for part in decoded.split("/") if part)
    for part in parts:
        _check_name(uri, part)
    return parts


def _check_name(uri: str, name: str) -> None:
    if name in {".", ".."}:
        raise InvalidUriError(uri, "`.` and `..` are not allowed")
    if _FORBIDDEN.search(name):
        raise InvalidUriError(
            uri, "backslashes, control characters and half characters are not allowed"
        )
    if len(name.encode()) > MAX_NAME_BYTES:
        raise InvalidUriError(uri, f"a name is longer than {MAX_NAME_BYTES} bytes")


def to_uri(parts: Parts) -> str:
    """The normal form: `kestra:///` and the encoded names."""
    return f"{SCHEME}:///" + "/".join(quote(part, safe=_SAFE) for part in parts)


def check_tenant(tenant: str) -> str:
    """The tenant, when it can be a folder's name. Raises `ValueError`."""
    if not _TENANT.fullmatch(tenant):
        raise ValueError(f"`{tenant}` is no tenant")
    return tenant


def slug(text: str) -> str:
    """A name for a folder, as Kestra makes it: `Load_Orders.v2` gives `load-ordersv2`."""
    dashed = re.sub(r"\s", "-", text)
    plain = re.sub(r"[^A-Za-z0-9_-]", "", unicodedata.normalize("NFD", dashed))
    collapsed = re.sub(r"-+", "-", plain.replace("_", "-"))
    return collapsed.removeprefix("-").removesuffix("-").lower()


def namespace_path(namespace: str) -> Parts:
    return tuple(namespace.split("."))


def flow_path(namespace: str, flow_id: str) -> Parts:
    return (*namespace_path(namespace), slug(flow_id))


def execution_path(namespace: str, flow_id: str, execution_id: str) -> Parts:
    return (*flow_path(namespace, flow_id), "executions", execution_id)


def task_path(execution: Parts, *, task_id: str, task_run_id: str) -> Parts:
    """Below `execution_path`: the folder for the files of one task run."""
    return (*execution, "tasks", slug(task_id), task_run_id)


def input_path(execution: Parts, *, input_id: str, file_name: str) -> Parts:
    """Below `execution_path`: the place of a FILE input."""
    return (*execution, "inputs", input_id, file_name)


def trigger_path(execution: Parts, *, trigger_id: str) -> Parts:
    """Below `execution_path`: the folder for the files of the trigger."""
    return (*execution, "trigger", slug(trigger_id))


def namespace_files_path(namespace: str) -> Parts:
    return (*namespace_path(namespace), "_files")


def message_path(message_id: str) -> Parts:
    """The place of a payload that is too long for its row (09 §6)."""
    return ("_messages", message_id)


def cache_path(
    namespace: str, flow_id: str, cache_id: str, *, value_hash: str | None = None
) -> Parts:
    """The zipped cache of a WorkingDirectory (01 §6.10); `value_hash` for the item of a loop."""
    root = (*flow_path(namespace, flow_id), slug(cache_id), "cache")
    return (*root, value_hash, "cache.zip") if value_hash else (*root, "cache.zip")


def execution_of(uri: str) -> str | None:
    """The id of the execution that a URI belongs to."""
    match = _EXECUTION.match("/" + "/".join(parse_uri(uri)))
    return match[2] if match else None
