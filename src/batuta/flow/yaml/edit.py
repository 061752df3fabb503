"""Changes of a source that keep its comments and layout: only the text of the changed place is another.

Every function gives the new source, and raises `EditError` when the place is not there or cannot be changed by itself
(inside an alias, for example). The result is read again: a source that would say anything else than what was asked for
is never given back.
"""

from collections.abc import Callable
from typing import Any

from batuta.flow.yaml.emit import STEP, block, emit, flow
from batuta.flow.yaml.reader import YamlError, read_yaml
from batuta.flow.yaml.tree import Entry, ListNode, MapNode, Node, Path, Tree, path_text


class EditError(ValueError):
    """`path` is the place that could not be changed."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path_text(path) or 'the source'}: {reason}")
        self.path = path


def set_property(source: str, path: Path, value: Any) -> str:
    """Give the property at `path` (ending with its name) this value; it is added when it is not there."""
    tree = _read(source, path)
    owner, name = _owner(tree, path)
    if not isinstance(owner, MapNode) or not isinstance(name, str):
        raise EditError(path, "no property can stand here")
    entry = owner.entries.get(name)
    if entry is not None:
        changed = _replaced(source, entry, value)
    elif owner.flow or not owner.entries:
        changed = _reflowed(source, owner, {**owner.value, name: value})
    else:
        last = list(owner.entries.values())[-1]
        column = next(iter(owner.entries.values())).column - 1
        lines = block({name: value}, column)
        changed = _inserted(source, _line_end(source, _last_offset(last.node, last.end)), lines)
    return _checked(tree, changed, path=path, change=lambda data: _put(data, path, value))


def remove_property(source: str, path: Path) -> str:
    """Take a property away, with its value and the comment lines directly above it."""
    tree = _read(source, path)
    owner, name = _owner(tree, path)
    entry = (
        owner.entries.get(name) if isinstance(owner, MapNode) and isinstance(name, str) else None
    )
    if entry is None or not isinstance(owner, MapNode):
        raise EditError(path, "there is no such property")
    rest = {key: each for key, each in owner.value.items() if key != name}
    if owner.flow:
        changed = _reflowed(source, owner, rest)
    elif not rest:
        raise EditError(path, "the last property of a map cannot be taken away")
    else:
        changed = _without_entry(source, owner, entry)
    return _checked(tree, changed, path=path, change=lambda data: _drop(data, path))


def add_item(source: str, path: Path, text: str, *, index: int | None = None) -> str:
    """Put an item, written as YAML, into the list at `path`, before the item `index` or at the end.

    The list is made when it is not there.
    """
    tree = _read(source, path)
    value = _read(text, path).value
    found = tree.node(path)
    if found is None or (not isinstance(found, ListNode) and found.value in ("", None)):
        return set_property(source, path, [value])
    if not isinstance(found, ListNode):
        raise EditError(path, "there is no list here")
    place = len(found.items) if index is None else max(0, min(index, len(found.items)))
    if found.flow or not found.items:
        items = [*found.value[:place], value, *found.value[place:]]
        changed = _reflowed(source, found, items)
    else:
        dash = _dash(source, found.items[0], path)
        lines = _as_item(text, dash - _line_start(source, dash))
        if place < len(found.items):
            at = _block_start(source, _dash(source, found.items[place], path))
            changed = f"{source[:at]}{lines}\n{source[at:]}"
        else:
            last = found.items[-1]
            changed = _inserted(source, _line_end(source, _last_offset(last, last.start)), lines)
    return _checked(
        tree, changed, path=path, change=lambda data: _at(data, path).insert(place, value)
    )


def remove_item(source: str, path: Path) -> str:
    """Take an item of a list away, with the comment lines directly above it. `path` ends with its number."""
    tree = _read(source, path)
    owner, index = _owner(tree, path)
    if not isinstance(owner, ListNode) or not isinstance(index, int) or owner.child(index) is None:
        raise EditError(path, "there is no such item")
    rest = [*owner.value[:index], *owner.value[index + 1 :]]
    if owner.flow:
        changed = _reflowed(source, owner, rest)
    elif not rest:
        raise EditError(path, "the last item of a list cannot be taken away")
    else:
        start, end = _item_span(source, owner.items[index], path)
        changed = source[:start] + source[end:]
    return _checked(tree, changed, path=path, change=lambda data: _drop(data, path))


def move_item(source: str, path: Path, to: int) -> str:
    """Move an item of a list so that it has the number `to` afterwards; its comments go with it."""
    tree = _read(source, path)
    owner, index = _owner(tree, path)
    if not isinstance(owner, ListNode) or not isinstance(index, int) or owner.child(index) is None:
        raise EditError(path, "there is no such item")
    if not 0 <= to < len(owner.items):
        raise EditError(path, f"{to} is no place in a list of {len(owner.items)}")
    order = [*range(len(owner.items))]
    order.insert(to, order.pop(index))
    if owner.flow:
        changed = _reflowed(source, owner, [owner.value[each] for each in order])
    else:
        changed = _reordered(
            source, [_item_span(source, item, path) for item in owner.items], order
        )

    def reorder(data: Any) -> None:
        items = _at(data, path[:-1])
        items.insert(to, items.pop(index))

    return _checked(tree, changed, path=path, change=reorder)


def set_disabled(source: str, path: Path, *, disabled: bool) -> str:
    """Disable or enable a task, a trigger, or with the empty path the flow (01 §1.4)."""
    return set_property(source, (*path, "disabled"), disabled)


def _read(text: str, path: Path) -> Tree:
    try:
        return read_yaml(text)
    except YamlError as error:
        raise EditError(path, str(error)) from error


def _checked(tree: Tree, changed: str, *, path: Path, change: Callable[[Any], None]) -> str:
    wanted = _copy(tree.value)
    change(wanted)
    try:
        found = read_yaml(changed).value
    except YamlError as error:
        raise EditError(path, "cannot be changed by itself") from error
    if found != wanted:
        raise EditError(path, "cannot be changed by itself")
    return changed


def _copy(data: Any) -> Any:
    """Every alias becomes a value of its own."""
    if isinstance(data, dict):
        return {key: _copy(value) for key, value in data.items()}
    return [_copy(value) for value in data] if isinstance(data, list) else data


def _owner(tree: Tree, path: Path) -> tuple[Node, str | int]:
    owner = tree.node(path[:-1]) if path else None
    if owner is None:
        raise EditError(path, "there is nothing here")
    return owner, path[-1]


def _at(data: Any, path: Path) -> Any:
    for step in path:
        data = data[step]
    return data


def _put(data: Any, path: Path, value: Any) -> None:
    _at(data, path[:-1])[path[-1]] = value


def _drop(data: Any, path: Path) -> None:
    del _at(data, path[:-1])[path[-1]]


def _line_start(text: str, offset: int) -> int:
    return text.rfind("\n", 0, offset) + 1


def _line_end(text: str, offset: int) -> int:
    """Behind the end of the line that `offset` stands in."""
    found = text.find("\n", offset)
    return len(text) if found < 0 else found + 1


def _last_offset(node: Node, otherwise: int) -> int:
    """The last character of a value; block collections end with their last part, not with the next token."""
    if isinstance(node, MapNode | ListNode) and not node.flow:
        if isinstance(node, MapNode):
            last = max(node.entries.values(), key=lambda entry: entry.start, default=None)
            return otherwise if last is None else _last_offset(last.node, last.end)
        return _last_offset(node.items[-1], otherwise) if node.items else otherwise
    return max(node.end - 1, otherwise) if node.end > node.start else otherwise


def _value_end(source: str, entry: Entry) -> int:
    last = _last_offset(entry.node, entry.end)
    text = source[entry.end : last + 1].rstrip()
    return entry.end + len(text)


def _replaced(source: str, entry: Entry, value: Any) -> str:
    end = _value_end(source, entry)
    if end == entry.end:
        end = source.index(":", entry.end) + 1
    text = emit(value, entry.column - 1)
    if isinstance(entry.node, MapNode | ListNode) and entry.node.flow:
        text = flow(value)
    gap = "" if text.startswith("\n") else " "
    return f"{source[: entry.end]}:{gap}{text}{source[end:]}"


def _reflowed(source: str, node: Node, value: Any) -> str:
    if node.end <= node.start:
        raise EditError((), "cannot be changed by itself")
    return f"{source[: node.start]}{flow(value)}{source[node.end :]}"


def _inserted(source: str, at: int, lines: str) -> str:
    gap = "" if at == 0 or source[at - 1] == "\n" else "\n"
    return f"{source[:at]}{gap}{lines}\n{source[at:]}"


def _without_entry(source: str, owner: MapNode, entry: Entry) -> str:
    end = _line_end(source, max(_value_end(source, entry) - 1, entry.end))
    line = _line_start(source, entry.start)
    if source[line : entry.start].strip():
        # The first key of a list item stands behind its dash: the next key takes its place.
        following = min(
            (each.start for each in owner.entries.values() if each.start > entry.start),
            default=None,
        )
        if following is None:
            raise EditError((), "cannot be changed by itself")
        return source[: entry.start] + source[following:]
    return source[: _block_start(source, entry.start)] + source[end:]


def _dash(source: str, item: Node, path: Path) -> int:
    """The offset of the dash of a list item."""
    before = source[: item.start].rstrip(" \n")
    if not before.endswith("-"):
        raise EditError(path, "cannot be changed by itself")
    return len(before) - 1


def _block_start(source: str, offset: int) -> int:
    """The start of the line of `offset`, or of the comment lines above it that are indented alike."""
    start = _line_start(source, offset)
    width = offset - start
    while start > 0:
        above = _line_start(source, start - 1)
        line = source[above : start - 1]
        if not line.lstrip(" ").startswith("#") or len(line) - len(line.lstrip(" ")) != width:
            break
        start = above
    return start


def _item_span(source: str, item: Node, path: Path) -> tuple[int, int]:
    dash = _dash(source, item, path)
    start = _line_start(source, dash)
    if source[start:dash].strip():
        raise EditError(path, "cannot be changed by itself")
    return _block_start(source, dash), _line_end(source, _last_offset(item, dash))


def _reordered(source: str, spans: list[tuple[int, int]], order: list[int]) -> str:
    """Items change places; what stands between them stays."""
    pieces = [source[start:end] for start, end in spans]
    pieces = [piece if piece.endswith("\n") else f"{piece}\n" for piece in pieces]
    result, position = "", 0
    for (start, end), which in zip(spans, order, strict=True):
        result += source[position:start] + pieces[which]
        position = end
    return result + source[position:]


def _as_item(text: str, column: int) -> str:
    lines = text.strip("\n").split("\n")
    margin = min((len(line) - len(line.lstrip(" ")) for line in lines if line.strip()), default=0)
    pad = " " * (column + STEP)
    body = "\n".join(f"{pad}{line[margin:]}" if line.strip() else "" for line in lines)
    return f"{' ' * column}- {body.lstrip(' ')}"
