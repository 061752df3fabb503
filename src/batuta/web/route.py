"""The route table: which function answers which method and path.

Paths are relative to the tenant (`/flows/{namespace}/{id}`); literal segments win over variables (03 §1.1), whatever
the order of declaration. A variable matches one segment of the decoded path, the same text that sign-in judged.
"""

from collections.abc import Awaitable, Callable, Iterable, Iterator

import msgspec
from starlette.responses import Response

from batuta.web.request import Ask

Handler = Callable[[Ask], Awaitable[Response]]


class Route(msgspec.Struct, frozen=True):
    method: str
    path: str
    handler: Handler
    tenanted: bool = True
    """Below `/api/v1/main` and `/api/v1`; otherwise below `/api/v1` only (03 §1.4)."""


class Match(msgspec.Struct, frozen=True):
    handler: Handler
    parameters: dict[str, str]


class _Node:
    __slots__ = ("handlers", "literals", "variable")

    def __init__(self) -> None:
        self.literals: dict[str, _Node] = {}
        self.variable: _Node | None = None
        self.handlers: dict[str, tuple[Handler, tuple[str, ...]]] = {}


class RouteTable:
    """Answers in time proportional to the length of the path."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._root = _Node()
        for route in routes:
            self._add(route)

    def find(self, method: str, path: str) -> Match | frozenset[str]:
        """The match, or the methods that the path knows (empty: no such path)."""
        segments = path.strip("/").split("/")
        allowed: set[str] = set()
        for node, values in _walk(self._root, segments, ()):
            found = node.handlers.get(method)
            if found is not None:
                handler, names = found
                return Match(handler, dict(zip(names, values, strict=True)))
            allowed.update(node.handlers)
        return frozenset(allowed)

    def _add(self, route: Route) -> None:
        node, names = self._root, []
        for segment in route.path.strip("/").split("/"):
            if segment.startswith("{"):
                names.append(segment[1:-1])
                node.variable = node.variable or _Node()
                node = node.variable
            else:
                node = node.literals.setdefault(segment, _Node())
        if route.method in node.handlers:
            raise ValueError(f"{route.method} {route.path} is declared twice")
        node.handlers[route.method] = (route.handler, tuple(names))


def _walk(
    node: _Node, segments: list[str], values: tuple[str, ...]
) -> Iterator[tuple[_Node, tuple[str, ...]]]:
    if not segments:
        if node.handlers:
            yield node, values
        return
    head, rest = segments[0], segments[1:]
    literal = node.literals.get(head)
    if literal is not None:
        yield from _walk(literal, rest, values)
    if node.variable is not None and head:
        yield from _walk(node.variable, rest, (*values, head))
