"""A configuration file as dotted keys: `kestra.storage.local.base-path` → value, with the line it came from.

Follows Micronaut: keys in camelCase and kebab-case are the same, `${NAME:default}` takes a variable of the
environment or another key, and a variable named like a key (`KESTRA_STORAGE_LOCAL_BASE_PATH`) wins over the file.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_DEEPEST = 20
Path = tuple[str | int, ...]


class Entry(msgspec.Struct, frozen=True):
    """`origin` says where the value stands: `config.yml:12` or the name of a variable."""

    value: Any
    origin: str
    path: Path = ()


Entries = dict[str, Entry]


class ConfigurationError(Exception):
    """What is wrong with a configuration: one line for each problem, beginning with the path of the key."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


def read_entries(text: str, name: str) -> Entries:
    """The keys of a YAML text. Raises `ConfigurationError`; `name` is the file's name in messages."""
    if not any(line.strip() and not line.lstrip().startswith("#") for line in text.splitlines()):
        return {}
    from batuta.flow.yaml import YamlError, read_yaml

    try:
        tree = read_yaml(text)
    except YamlError as error:
        raise ConfigurationError([f"{name}: {error}"]) from None
    if tree.value is None:
        return {}
    if not isinstance(tree.value, dict):
        raise ConfigurationError([f"{name}: a configuration is a map of keys"])
    entries: Entries = {}
    for path, value in _flatten(tree.value, ()):
        line, _ = tree.key_position(path)
        entries[dotted(path)] = Entry(value, f"{name}:{line}", path)
    return entries


def dotted(path: Path) -> str:
    return ".".join(normal_key(str(part)) for part in path)


def normal_key(key: str) -> str:
    """`basePath` and `base-path` are the same key."""
    return _HUMP.sub("-", key).lower()


def variable_name(key: str) -> str:
    """The variable of the environment that overrides a key."""
    return re.sub(r"[.-]", "_", key).upper()


def override(entries: Entries, keys: Iterable[str], environment: Mapping[str, str]) -> Entries:
    """The entries with the values that the environment gives for `keys` and for every key of the file."""
    result = dict(entries)
    for key in {*keys, *entries}:
        name = variable_name(key)
        if name in environment and name != key:
            result[key] = Entry(environment[name], f"variable {name}")
    return result


def resolve(entries: Entries, environment: Mapping[str, str]) -> Entries:
    """Fill in placeholders. Raises `ConfigurationError` that names the keys whose placeholder has no value."""
    problems: list[str] = []
    resolver = _Resolver(entries, environment)
    result: Entries = {}
    for key, entry in entries.items():
        try:
            value = resolver.fill(entry.value, 0)
        except _PlaceholderError as error:
            problems.append(f"{key}: {error} ({entry.origin})")
        else:
            result[key] = Entry(value, entry.origin, entry.path)
    if problems:
        raise ConfigurationError(problems)
    return result


def subtree(entries: Entries, prefix: str) -> dict[str, Any]:
    """The keys below `prefix` as nested maps."""
    nested: dict[str, Any] = {}
    for key, entry in entries.items():
        if not key.startswith(f"{prefix}."):
            continue
        target = nested
        *parents, last = key[len(prefix) + 1 :].split(".")
        for parent in parents:
            inner = target.setdefault(parent, {})
            target = inner if isinstance(inner, dict) else target
        target[last] = entry.value
    return nested


class _PlaceholderError(Exception):
    pass


class _Resolver:
    def __init__(self, entries: Entries, environment: Mapping[str, str]) -> None:
        self._entries = entries
        self._environment = environment

    def fill(self, value: Any, depth: int) -> Any:
        if isinstance(value, str) and "${" in value:
            return self._text(value, depth)
        if isinstance(value, list):
            return [self.fill(item, depth) for item in value]
        if isinstance(value, dict):
            return {name: self.fill(item, depth) for name, item in value.items()}
        return value

    def _text(self, text: str, depth: int) -> Any:
        if depth > _DEEPEST:
            raise _PlaceholderError(f"`{text}` refers to itself")
        parts: list[Any] = []
        position = 0
        while (start := text.find("${", position)) >= 0:
            end = _closing(text, start + 2)
            parts.extend((text[position:start], self._placeholder(text[start + 2 : end], depth)))
            position = end + 1
        parts.append(text[position:])
        filled = [part for part in parts if part != ""]
        if len(filled) == 1:
            return filled[0]
        return "".join("" if part is None else str(part) for part in filled)

    def _placeholder(self, inside: str, depth: int) -> Any:
        name, colon, default = inside.partition(":")
        name = name.strip()
        if name in self._environment:
            return self._environment[name]
        key = normal_key(name)
        if variable_name(key) in self._environment:
            return self._environment[variable_name(key)]
        if key in self._entries:
            return self.fill(self._entries[key].value, depth + 1)
        if colon:
            return self.fill(default.strip("`"), depth + 1)
        raise _PlaceholderError(f"`{name}` is set neither in the environment nor in this file")


def _closing(text: str, position: int) -> int:
    depth = 1
    for index in range(position, len(text)):
        if text.startswith("${", index):
            depth += 1
        elif text[index] == "}":
            depth -= 1
            if depth == 0:
                return index
    raise _PlaceholderError(f"`{text}` has a placeholder without its closing brace")


def _flatten(value: Mapping[Any, Any], path: Path) -> Iterator[tuple[Path, Any]]:
    for key, inner in value.items():
        here = (*path, str(key))
        if isinstance(inner, dict) and inner:
            yield from _flatten(inner, here)
        else:
            yield here, inner
