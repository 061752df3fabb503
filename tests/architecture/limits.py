"""The sizes that code may have (spec 08 §4), measured from the syntax tree."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FUNCTION_LINES = 80
CLASS_LINES = 300
CLASS_PUBLIC_METHODS = 20
MODULE_LINES = 600
PACKAGE_MODULES = 20

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Size:
    """`kind` names the limit, `path` the thing as exceptions.toml writes it."""

    kind: str
    path: str
    measured: int
    limit: int


def oversized(root: Path, folders: tuple[str, ...]) -> Iterator[Size]:
    """Everything below the folders that is larger than its limit."""
    for folder in folders:
        for path in sorted((root / folder).rglob("*.py")):
            if "_generated" not in path.parts:
                yield from _module(path, path.relative_to(root).as_posix())
        yield from _packages(root / folder, root)


def _module(path: Path, name: str) -> Iterator[Size]:
    text = path.read_text(encoding="utf-8")
    lines = text.count("\n")
    if lines > MODULE_LINES:
        yield Size("module", name, lines, MODULE_LINES)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, Function):
            yield from _function(node, name)
        elif isinstance(node, ast.ClassDef):
            yield from _class(node, name)


def _function(node: Function, module: str) -> Iterator[Size]:
    lines = _length(node) - _docstring_lines(node)
    if lines > FUNCTION_LINES:
        yield Size("function", f"{module}:{node.name}", lines, FUNCTION_LINES)


def _class(node: ast.ClassDef, module: str) -> Iterator[Size]:
    name = f"{module}:{node.name}"
    if _length(node) > CLASS_LINES:
        yield Size("class", name, _length(node), CLASS_LINES)
    if node.name.startswith("_") or _is_protocol(node):
        return
    public = [m for m in node.body if isinstance(m, Function) and not m.name.startswith("_")]
    if len(public) > CLASS_PUBLIC_METHODS:
        yield Size("methods", name, len(public), CLASS_PUBLIC_METHODS)


def _is_protocol(node: ast.ClassDef) -> bool:
    """The list of what a role offers, without code, may be as long as the role is wide."""
    return any(isinstance(base, ast.Name) and base.id == "Protocol" for base in node.bases)


def _packages(folder: Path, root: Path) -> Iterator[Size]:
    for package in [folder, *sorted(path for path in folder.rglob("*") if path.is_dir())]:
        modules = [path for path in package.glob("*.py") if not path.name.startswith("__")]
        if len(modules) > PACKAGE_MODULES:
            name = package.relative_to(root).as_posix()
            yield Size("package", name, len(modules), PACKAGE_MODULES)


def _length(node: Function | ast.ClassDef) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def _docstring_lines(node: Function) -> int:
    first = node.body[0]
    if ast.get_docstring(node, clean=False) is None:
        return 0
    return (first.end_lineno or first.lineno) - first.lineno + 1
