"""From what an author wrote to the instance that runs: every dynamic property rendered and converted (05 §1).

How a property is rendered follows from its annotation, looked up once for each class.
"""

from collections.abc import Mapping
from enum import StrEnum
from functools import lru_cache
from types import NoneType, UnionType
from typing import Annotated, Any, Protocol, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from batuta.model import codec
from batuta.sdk.definition import Definition, Plugin
from batuta.sdk.errors import PropertyError
from batuta.sdk.property import RENDERED, Dynamic, Unrendered
from batuta.sdk.registry import Registry

D = TypeVar("D", bound=Definition)
SHOWN_CHARACTERS = 80
"""Of a value that does not fit, in an error message."""


class Renderer(Protocol):
    """Turns templates into values; raises the expression language's own errors."""

    def __call__(self, template: Any) -> Any:
        """A text to its rendered text (or None); maps and lists recursively; anything else unchanged."""
        ...


class Shape(StrEnum):
    """How the value of a property is treated before the type check."""

    STATIC = "static"
    LAZY = "lazy"
    SCALAR = "scalar"
    LIST = "list"
    MAP = "map"
    ANY = "any"
    NESTED = "nested"
    NESTED_LIST = "nested list"
    NESTED_MAP = "nested map"


class _Rule:
    """What to do with one property: its shape, and the class of nested definitions."""

    __slots__ = ("name", "nested", "shape")

    def __init__(self, name: str, shape: Shape, nested: type[Definition] | None = None) -> None:
        self.name = name
        self.shape = shape
        self.nested = nested


def render_definition(
    kind: type[D], spec: Mapping[str, Any], *, render: Renderer, registry: Registry, path: str = ""
) -> D:
    """An instance of `kind` whose dynamic properties hold values of their declared types.

    Unknown names in `spec` are left out: they can only come from plugin defaults (01 §1.5). Raises `PropertyError`
    for a value that does not fit, and whatever `render` raises.
    """
    rules = rules_of(kind)
    values: dict[str, Any] = {}
    for name, raw in spec.items():
        rule = rules.get(name)
        if rule is None or raw is None:
            continue
        place = f"{path}.{name}" if path else name
        value = _rendered(rule, raw, place=place, render=render, registry=registry)
        if value is not None:
            values[name] = value
    try:
        return kind.model_validate(values, context={RENDERED: True})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join([*([path] if path else []), *(str(part) for part in first["loc"])])
        raise PropertyError(
            place, f"{first['msg'].removeprefix('Value error, ')}, got `{_short(first['input'])}`"
        ) from error


def _rendered(rule: _Rule, raw: Any, *, place: str, render: Renderer, registry: Registry) -> Any:
    match rule.shape:
        case Shape.STATIC | Shape.LAZY:
            return raw
        case Shape.SCALAR:
            return render(raw if isinstance(raw, str) else codec.encode_text(raw))
        case Shape.ANY:
            return render(raw)
        case Shape.LIST:
            return _collection(raw, list, place=place, render=render)
        case Shape.MAP:
            return _collection(raw, dict, place=place, render=render)
        case _:
            return _nested(rule, raw, place=place, render=render, registry=registry)


def _collection(raw: Any, kind: type, *, place: str, render: Renderer) -> Any:
    """05 §1.3, §1.4: one expression renders to JSON text; anything else is JSON whose texts are rendered."""
    if not isinstance(raw, str):
        return render(raw)
    text = raw.strip()
    single = text.startswith("{{") and text.endswith("}}")
    if single:
        text = render(text)
        if text is None or not text.strip():
            return None
    try:
        value = codec.decode(text)
    except ValueError as error:
        raise PropertyError(
            place, f"expected a JSON {kind.__name__}, got `{_short(text)}`: {error}"
        ) from error
    if not isinstance(value, kind):
        raise PropertyError(place, f"expected a JSON {kind.__name__}, got `{_short(text)}`")
    return value if single else render(value)


def _nested(rule: _Rule, raw: Any, *, place: str, render: Renderer, registry: Registry) -> Any:
    if isinstance(raw, str):
        raw = _collection(
            raw, list if rule.shape is Shape.NESTED_LIST else dict, place=place, render=render
        )

    def make(spec: Any, at: str) -> Any:
        return _make(rule.nested, spec, place=at, render=render, registry=registry)

    if rule.shape is Shape.NESTED_LIST and isinstance(raw, list):
        return [make(item, f"{place}[{index}]") for index, item in enumerate(raw)]
    if rule.shape is Shape.NESTED_MAP and isinstance(raw, Mapping):
        return {key: make(item, f"{place}.{key}") for key, item in raw.items()}
    return make(raw, place)


def _make(
    kind: type[Definition] | None, spec: Any, *, place: str, render: Renderer, registry: Registry
) -> Any:
    if kind is None or not isinstance(spec, Mapping):
        return spec
    if issubclass(kind, Plugin) and isinstance(spec.get("type"), str):
        kind = registry.get(spec["type"])
    return render_definition(kind, spec, render=render, registry=registry, path=place)


@lru_cache(maxsize=1024)
def rules_of(kind: type[Definition]) -> Mapping[str, _Rule]:
    """The rule of every property of a class, by its name on the wire."""
    rules: dict[str, _Rule] = {}
    for name, field in kind.model_fields.items():
        wire = field.alias or name
        marker = next((meta for meta in field.metadata if isinstance(meta, Dynamic)), None)
        annotation, inner_marker = _unwrap(field.annotation)
        shape, nested = _shape(annotation, marker or inner_marker)
        rules[wire] = _Rule(wire, shape, nested)
    return rules


def _unwrap(annotation: Any) -> tuple[Any, Dynamic | None]:
    """The type behind `| None` and `Annotated`, and the marker found on the way."""
    marker: Dynamic | None = None
    while True:
        origin = get_origin(annotation)
        if origin is Annotated:
            marker = next(
                (meta for meta in annotation.__metadata__ if isinstance(meta, Dynamic)), marker
            )
            annotation = annotation.__origin__
        elif origin in (Union, UnionType):
            options = [option for option in get_args(annotation) if option is not NoneType]
            if len(options) != 1:
                found = [_unwrap(option)[1] for option in options]
                return Any, next((each for each in found if each is not None), marker)
            annotation = options[0]
        else:
            return annotation, marker


def _shape(annotation: Any, marker: Dynamic | None) -> tuple[Shape, type[Definition] | None]:
    if isinstance(marker, Unrendered):
        return Shape.LAZY, None
    origin = get_origin(annotation) or annotation
    arguments = get_args(annotation)
    item = _definition(arguments[-1]) if arguments else None
    if item is not None:
        return (Shape.NESTED_MAP if origin is dict else Shape.NESTED_LIST), item
    nested = _definition(annotation)
    if nested is not None:
        return Shape.NESTED, nested
    return (Shape.STATIC if marker is None else _DYNAMIC.get(origin, Shape.SCALAR)), None


_DYNAMIC: Mapping[Any, Shape] = {
    Any: Shape.ANY,
    list: Shape.LIST,
    tuple: Shape.LIST,
    set: Shape.LIST,
    dict: Shape.MAP,
    Mapping: Shape.MAP,
}


def _definition(annotation: Any) -> type[Definition] | None:
    found, _ = _unwrap(annotation)
    if isinstance(found, type) and issubclass(found, BaseModel) and issubclass(found, Definition):
        return found
    return None


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"
