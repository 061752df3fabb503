"""Which file a path means in `read()`, `fileSize()` and the like (02 §5)."""

from batuta.expr.errors import RuntimeFaultError
from batuta.storage.layout import execution_of, namespace_files_path, parse_uri, to_uri


def namespace_file(namespace: str, path: str) -> str:
    """The URI of a namespace file."""
    parts = tuple(part for part in path.split("/") if part)
    return to_uri((*namespace_files_path(namespace), *parts))


def file_uri(path: str, *, namespace: str | None, own: str) -> str:
    """The internal URI. `namespace` is an argument of the function, `own` that of the flow. Raises `RuntimeFaultError`."""
    if path.startswith("kestra://"):
        if execution_of(path) is None and "_files" not in parse_uri(path):
            raise RuntimeFaultError(
                f"Unable to read the file '{path}' as it is not an execution file"
            )
        return path
    if path.startswith("nsfile://"):
        authority, _, rest = path.removeprefix("nsfile://").partition("/")
        if authority and namespace is not None:
            raise RuntimeFaultError("The namespace is given twice, in the URI and as an argument.")
        return namespace_file(authority or namespace or own, rest)
    if "://" in path or path.startswith("file:"):
        raise RuntimeFaultError(f"Cannot process the URI {path}: scheme not supported.")
    return namespace_file(namespace or own, path)
