"""Functions on files of namespaces and of the internal storage."""

from batuta.expr.compiler.state import State
from batuta.expr.errors import EvaluationError, RuntimeFaultError
from batuta.expr.functions.services import flow_namespace, optional_text
from batuta.expr.registry import FUNCTIONS
from batuta.expr.values import Value

_SCHEMES = ("kestra", "file", "nsfile")


def _path(path: Value, function: str) -> str:
    if not isinstance(path, str):
        raise EvaluationError(f"The '{function}' function expects an argument 'path'.")
    text = str(path)
    scheme, mark, _ = text.partition("://")
    if mark and scheme not in _SCHEMES:
        raise RuntimeFaultError(f"Cannot process the URI {text}: scheme not supported.")
    return text


@FUNCTIONS(
    "read",
    "path",
    "namespace",
    with_state=True,
    template="{{ 1 is odd ? 'text' : read('hello.txt') }}",
    result="text",
)
def read(s: State, path: Value, namespace: Value) -> str:
    """The text of a file; it is not rendered."""
    text = _path(path, "read")
    flow_namespace(s)
    return s.host.read(text, namespace=optional_text(namespace, "namespace"))


@FUNCTIONS(
    "fileExists",
    "path",
    "namespace",
    with_state=True,
    template="{{ 1 is odd ? 'false' : fileExists('hello.txt') }}",
    result="false",
)
def file_exists(s: State, path: Value, namespace: Value) -> bool:
    """Tells whether there is such a file."""
    text = _path(path, "fileExists")
    flow_namespace(s)
    return s.host.file_exists(text, namespace=optional_text(namespace, "namespace"))


@FUNCTIONS(
    "fileSize",
    "path",
    "namespace",
    with_state=True,
    template="{{ 1 is odd ? '12' : fileSize('hello.txt') }}",
    result="12",
)
def file_size(s: State, path: Value, namespace: Value) -> Value:
    """The size of a file in bytes."""
    text = _path(path, "fileSize")
    flow_namespace(s)
    return s.host.file_size(text, namespace=optional_text(namespace, "namespace"))


@FUNCTIONS(
    "isFileEmpty",
    "path",
    "namespace",
    with_state=True,
    template="{{ 1 is odd ? 'true' : isFileEmpty('hello.txt') }}",
    result="true",
)
def is_file_empty(s: State, path: Value, namespace: Value) -> bool:
    """Tells whether a file has no content."""
    text = _path(path, "isFileEmpty")
    flow_namespace(s)
    return s.host.file_size(text, namespace=optional_text(namespace, "namespace")) == 0


@FUNCTIONS(
    "fileURI",
    "path",
    with_state=True,
    template="{% set flow = {'namespace': 'a.b'} %}{{ fileURI('c.txt') }}",
    result="kestra:///a/b/_files/c.txt",
)
def file_uri(s: State, path: Value) -> str:
    """The URI of a namespace file; it need not exist."""
    if not isinstance(path, str):
        raise EvaluationError("The 'fileURI' function expects an argument 'path'.")
    if "../" in path:
        raise RuntimeFaultError(f"Path must not contain '../': {path}")
    namespace = flow_namespace(s).replace(".", "/")
    return f"kestra:///{namespace}/_files/{path.removeprefix('/')}"
