"""Reads the first document of a text into a `Tree`, or says everything that is wrong with it (01 §1.6.1)."""

import sys
from collections.abc import Callable
from typing import Any

import msgspec
import yaml
from typing_extensions import override
from yaml._yaml import CParser

from batuta.flow.yaml.repair import MAX_REPAIRS, repaired
from batuta.flow.yaml.scalar import ScalarError, plain_value, tagged_value
from batuta.flow.yaml.screen import SourceFault, find_fault, scalar_fault
from batuta.flow.yaml.tree import Entry, ListNode, MapNode, Node, Tree
from batuta.model.problem import Problem, Severity

MAX_BYTES = 1_048_576
MAX_DEPTH = 100
MAX_ALIASED_NODES = 10_000
"""How many nodes aliases may add to a document."""


_MARK_STAND_IN = "\uf8ff"


class YamlError(ValueError):
    """The document cannot be read. `problems` says why, with line and column."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("; ".join(str(problem) for problem in problems))
        self.problems = problems


class YamlReading(msgspec.Struct, frozen=True):
    """`tree` is None when nothing could be read; problems are in the order of their places."""

    tree: Tree | None
    problems: tuple[Problem, ...] = ()


def read_yaml(text: str) -> Tree:
    """The first document of `text`. Raises `YamlError` with every problem that was found."""
    reading = try_read_yaml(text)
    if reading.tree is None or reading.problems:
        raise YamlError(reading.problems)
    return reading.tree


def read_yaml_literally(text: str) -> Any:
    """Plain data as `yaml()` in templates gives it: aliases are their names, `<<` is a key, the last of equal keys counts (02 §5)."""
    reading = try_read_yaml(text, literally=True)
    if reading.tree is None:
        raise YamlError(reading.problems)
    return reading.tree.value


def try_read_yaml(
    text: str, *, literally: bool = False, max_nodes: int | None = None
) -> YamlReading:
    """As `read_yaml`; the tree is given too where only duplicates, aliases and merge keys are at fault.

    A document of more than `max_nodes` texts, lists and maps is refused.
    """
    if len(text) > MAX_BYTES or len(text.encode(errors="replace")) > MAX_BYTES:
        return _failed(
            f"The source is longer than {MAX_BYTES} bytes (1 MiB)", 1, 1, code="too-long"
        )
    text = text.removeprefix("\ufeff")
    fault = find_fault(text)
    source = text if fault is None else text[: fault.offset]
    repairs = 0
    while True:
        composer = (_LiteralComposer if literally else _Composer)(source, max_nodes)
        try:
            root = composer.document()
        except _FatalError as error:
            return YamlReading(None, (*composer.problems, _earlier(error.problem, fault)))
        except yaml.MarkedYAMLError as error:
            rewritten = repaired(source, error) if repairs < MAX_REPAIRS else None
            if rewritten is None or rewritten == source:
                return YamlReading(
                    None, (*composer.problems, _earlier(_marked(error, source), fault))
                )
            source = rewritten
            repairs += 1
            continue
        if fault is not None and not composer.complete:
            return YamlReading(None, (*composer.problems, _fault_problem(fault)))
        return YamlReading(Tree(root, text), tuple(composer.problems))


def _failed(message: str, line: int, column: int, *, code: str = "yaml") -> YamlReading:
    return YamlReading(None, (_problem(message, line, column, code=code),))


def _problem(
    message: str, line: int, column: int, *, code: str = "yaml", suggestion: str | None = None
) -> Problem:
    return Problem(
        code=code,
        message=message,
        severity=Severity.ERROR,
        line=line,
        column=column,
        suggestion=suggestion,
    )


def _fault_problem(fault: SourceFault) -> Problem:
    return _problem(fault.message, fault.line, fault.column, code="character")


def _earlier(problem: Problem, fault: SourceFault | None) -> Problem:
    if fault is not None and (problem.line or 0) >= fault.line:
        return _fault_problem(fault)
    return problem


_HINTS = (
    ("mapping values are not allowed", "quote the text: it holds a colon and a blank"),
    ("could not find expected ':'", "a colon, or the blank behind it, may be missing"),
    ("did not find expected", "compare the indentation with the lines around"),
    ("unexpected end of stream", "the quote that begins here may not be closed"),
)


def _marked(error: yaml.MarkedYAMLError, text: str) -> Problem:
    mark: Any = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
    message = "; ".join(part for part in (error.context, error.problem) if part)
    hint = next((hint for words, hint in _HINTS if words in message), None)
    if mark is not None and "cannot start any token" in message:
        character = text[mark.index : mark.index + 1]
        name = "\\t(TAB)" if character == "\t" else character
        message = message.replace("found character", f"found character '{name}'")
        hint = "use blanks for indentation" if character == "\t" else "quote the text"
    return _problem(message, line, column, suggestion=hint)


class _FatalError(Exception):
    def __init__(self, message: str, mark: Any, *, code: str = "yaml") -> None:
        super().__init__(message)
        self.problem = _problem(message, mark.line + 1, mark.column + 1, code=code)


class _Composer:
    """Turns parser events into nodes and collects the problems that do not stop the reading."""

    def __init__(self, text: str, max_nodes: int | None) -> None:
        self._max_nodes = sys.maxsize if max_nodes is None else max_nodes
        # libyaml drops a byte order mark at the start of any line; inside a document it is a letter (01 §1.6.1).
        self._has_mark = "\ufeff" in text
        self._text = text.replace("\ufeff", _MARK_STAND_IN) if self._has_mark else text
        self._parser = CParser(self._text)
        self._flow_depth = 0
        self._anchors: dict[str, Node] = {}
        self._sizes: dict[str, int] = {}
        self._open: set[str] = set()
        self._nodes = 0
        self._aliased = 0
        self.problems: list[Problem] = []
        self.complete = False
        """Whether the end of the document was seen before the end of the text."""

    def document(self) -> Node:
        next_event: Callable[[], Any] = self._parser.get_event
        next_event()
        event = next_event()
        if isinstance(event, yaml.StreamEndEvent):
            raise _FatalError(
                "No content to map due to end-of-input", event.start_mark, code="empty"
            )
        event = next_event()
        root = self._node(event, 0)
        try:
            self.complete = bool(getattr(next_event(), "explicit", False))
        except yaml.MarkedYAMLError:
            # 01 §1.6.1: what stands behind the first document is lost, whatever it is.
            self.complete = True
        return root

    def _node(self, event: Any, depth: int) -> Node:
        if isinstance(event, yaml.ScalarEvent):
            node = self._scalar(event)
        elif isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        else:
            if depth >= MAX_DEPTH:
                raise _FatalError(
                    f"Lists and maps stand more than {MAX_DEPTH} deep",
                    event.start_mark,
                    code="too-deep",
                )
            return self._collection(event, depth + 1)
        self._count(event)
        if event.anchor is not None:
            self._anchors[event.anchor], self._sizes[event.anchor] = node, 1
        return node

    def _count(self, event: Any) -> None:
        self._nodes += 1
        if self._nodes > self._max_nodes:
            raise _FatalError(
                f"The document has more than {self._max_nodes} texts, lists and maps",
                event.start_mark,
                code="too-many-nodes",
            )

    def _scalar(self, event: Any) -> Node:
        mark = event.start_mark
        text = self._text_of(event)
        plain = not event.style
        self._check_scalar(event)
        try:
            if event.tag is not None:
                value = tagged_value(event.tag, text, plain=plain)
            else:
                value = plain_value(text) if plain else text
        except ScalarError as error:
            raise _FatalError(str(error), mark, code="number") from error
        node = Node(value, mark.line + 1, mark.column + 1)
        if plain:
            node.raw = text
        node.start, node.end = mark.index, event.end_mark.index
        if event.style in {"|", ">"}:
            # libyaml ends a block scalar behind the blank lines that follow it.
            node.end = mark.index + len(self._text[mark.index : node.end].rstrip())
        return node

    def _collection(self, event: Any, depth: int) -> Node:
        before = self._nodes
        anchor = event.anchor
        mark = event.start_mark
        is_map = isinstance(event, yaml.MappingStartEvent)
        node: MapNode | ListNode = (MapNode if is_map else ListNode)(mark.line + 1, mark.column + 1)
        node.start, node.flow = mark.index, bool(event.flow_style)
        self._count(event)
        if anchor is not None:
            self._open.add(anchor)
            self._anchors.pop(anchor, None)
        self._flow_depth += node.flow
        end = self._map(node, depth) if isinstance(node, MapNode) else self._list(node, depth)
        self._flow_depth -= node.flow
        node.end = end.end_mark.index
        if anchor is not None:
            self._open.discard(anchor)
            self._anchors[anchor], self._sizes[anchor] = node, self._nodes - before
        return node

    def _list(self, node: ListNode, depth: int) -> Any:
        next_event: Callable[[], Any] = self._parser.get_event
        while True:
            event = next_event()
            if isinstance(event, yaml.SequenceEndEvent):
                return event
            item = self._node(event, depth)
            node.items.append(item)
            node.value.append(item.value)

    def _map(self, node: MapNode, depth: int) -> Any:
        next_event: Callable[[], Any] = self._parser.get_event
        merges: list[tuple[Node, Any]] = []
        while True:
            key = next_event()
            if isinstance(key, yaml.MappingEndEvent):
                break
            if not isinstance(key, yaml.ScalarEvent):
                raise _FatalError(
                    "Expected a field name (a text); lists, maps and aliases cannot be keys",
                    key.start_mark,
                )
            self._check_key(key, flow=node.flow)
            item = self._node(next_event(), depth)
            if self._is_merge(key):
                merges.append((item, key.start_mark))
            else:
                self._put(node, key, item)
        for item, mark in merges:
            self._merge(node, item, mark)
        return key

    def _is_merge(self, key: Any) -> bool:
        return key.value == "<<" and not key.style

    def _check_key(self, key: Any, *, flow: bool) -> None:
        if not flow and not key.style and not key.value and key.tag is None and key.anchor is None:
            raise _FatalError("expected <block end>, but found ':'", key.start_mark)
        self._check_scalar(key)

    def _check_scalar(self, event: Any) -> None:
        fault = scalar_fault(self._text, event, in_flow=self._flow_depth > 0)
        if fault is not None:
            raise _FatalError(fault.message, event.start_mark, code="yaml")

    def _put(self, node: MapNode, key: Any, item: Node) -> None:
        name = self._text_of(key)
        mark = key.start_mark
        former = node.entries.get(name)
        if former is not None:
            self._problem(
                f"Duplicate field '{name}': it stands at line {former.line}, column {former.column} too",
                mark,
                code="duplicate-key",
            )
            return
        entry = node.entries[name] = Entry(item, mark.line + 1, mark.column + 1)
        entry.start, entry.end = mark.index, key.end_mark.index
        node.value[name] = item.value

    def _text_of(self, event: Any) -> str:
        text: str = event.value
        return text.replace(_MARK_STAND_IN, "\ufeff") if self._has_mark else text

    def _alias(self, event: Any) -> Node:
        name = event.anchor
        found = self._anchors.get(name)
        if found is None:
            reason = (
                "stands inside its own anchor" if name in self._open else "has no anchor before it"
            )
            self._problem(f"The alias *{name} {reason}", event.start_mark, code="undefined-alias")
            return Node(name, event.start_mark.line + 1, event.start_mark.column + 1)
        self._aliased += self._sizes[name]
        self._nodes += self._sizes[name]
        if self._aliased > MAX_ALIASED_NODES:
            raise _FatalError(
                f"Aliases add more than {MAX_ALIASED_NODES} nodes to the document",
                event.start_mark,
                code="too-many-nodes",
            )
        return found

    def _merge(self, node: MapNode, item: Node, mark: Any) -> None:
        sources = item.items if isinstance(item, ListNode) else [item]
        for source in sources:
            if not isinstance(source, MapNode):
                self._problem(
                    "The merge key << takes a map, an alias of one, or a list of those; quote it to use it as a name",
                    mark,
                    code="merge-key",
                )
                return
            for name, entry in source.entries.items():
                if name not in node.entries:
                    node.entries[name] = entry
                    node.value[name] = entry.node.value

    def _problem(self, message: str, mark: Any, *, code: str) -> None:
        self.problems.append(_problem(message, mark.line + 1, mark.column + 1, code=code))


class _LiteralComposer(_Composer):
    """Gives no meaning to aliases and merge keys."""

    @override
    def _alias(self, event: Any) -> Node:
        return Node(event.anchor, event.start_mark.line + 1, event.start_mark.column + 1)

    @override
    def _is_merge(self, key: Any) -> bool:
        return False

    @override
    def _put(self, node: MapNode, key: Any, item: Node) -> None:
        node.entries.pop(self._text_of(key), None)
        super()._put(node, key, item)
