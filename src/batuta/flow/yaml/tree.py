"""A YAML document as nodes that know where they stand. Lines and columns count from 1."""

from collections.abc import Iterator
from typing import Any

from typing_extensions import override

Path = tuple[str | int, ...]


class Node:
    """A value with its place. `raw` is the text of a plain scalar as written, else None."""

    __slots__ = ("column", "end", "line", "raw", "start", "value")

    def __init__(self, value: Any, line: int, column: int) -> None:
        self.value = value
        self.line = line
        self.column = column
        self.raw: str | None = None
        self.start = 0
        self.end = 0

    def child(self, step: str | int) -> "Node | None":
        return None


class Entry:
    """A key and its value inside a map. `start` and `end` of the key count characters of the source."""

    __slots__ = ("column", "end", "line", "node", "start")

    def __init__(self, node: Node, line: int, column: int) -> None:
        self.node = node
        self.line = line
        self.column = column
        self.start = 0
        self.end = 0


class MapNode(Node):
    __slots__ = ("entries", "flow")

    def __init__(self, line: int, column: int) -> None:
        super().__init__({}, line, column)
        self.entries: dict[str, Entry] = {}
        self.flow = False

    @override
    def child(self, step: str | int) -> Node | None:
        entry = self.entries.get(step) if isinstance(step, str) else None
        return None if entry is None else entry.node


class ListNode(Node):
    __slots__ = ("flow", "items")

    def __init__(self, line: int, column: int) -> None:
        super().__init__([], line, column)
        self.items: list[Node] = []
        self.flow = False

    @override
    def child(self, step: str | int) -> Node | None:
        if isinstance(step, int) and 0 <= step < len(self.items):
            return self.items[step]
        return None


class Tree:
    """A document that was read. `value` is plain data: maps, lists, texts, numbers, booleans, None."""

    __slots__ = ("root", "source")

    def __init__(self, root: Node, source: str) -> None:
        self.root = root
        self.source = source

    @property
    def value(self) -> Any:
        return self.root.value

    def node(self, path: Path) -> Node | None:
        """The node at a path, or None when nothing stands there."""
        found: Node | None = self.root
        for step in path:
            if found is None:
                return None
            found = found.child(step)
        return found

    def position(self, path: Path) -> tuple[int, int]:
        """Line and column of the value at `path`, or of the nearest thing around it that exists."""
        found = self.root
        for step in path:
            inner = found.child(step)
            if inner is None:
                break
            found = inner
        return found.line, found.column

    def key_position(self, path: Path) -> tuple[int, int]:
        """Line and column of the key that the path ends with; of the value where there is no such key."""
        parent = self.node(path[:-1]) if path else None
        if isinstance(parent, MapNode) and isinstance(path[-1], str):
            entry = parent.entries.get(path[-1])
            if entry is not None:
                return entry.line, entry.column
        return self.position(path)


def walk(node: Node, path: Path = ()) -> Iterator[tuple[Path, Node]]:
    """Every node below and including `node`, parents first."""
    yield path, node
    if isinstance(node, MapNode):
        for key, entry in node.entries.items():
            yield from walk(entry.node, (*path, key))
    elif isinstance(node, ListNode):
        for index, item in enumerate(node.items):
            yield from walk(item, (*path, index))


def path_text(path: Path) -> str:
    """`tasks[0].message`."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            text += f".{step}" if text else step
    return text


def json_pointer(path: Path) -> str:
    """`/tasks/0/message` (RFC 6901)."""
    return "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in path)
