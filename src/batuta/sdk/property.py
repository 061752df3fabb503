"""Dynamic properties: literal or template in the flow, a typed value when the task runs (05 §1).

`Property[T]` is `T` to the type checker and to `run`. A definition read from a flow holds whatever the author wrote;
`batuta.sdk.rendering` makes the instance that runs, with every dynamic property rendered and converted to `T`.
"""

from collections.abc import Mapping, Sequence
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import GetCoreSchemaHandler, ValidationInfo, ValidatorFunctionWrapHandler
from pydantic_core import CoreSchema, core_schema
from typing_extensions import override

T = TypeVar("T")

RENDERED = "rendered"
"""Key of the validation context: true when values are rendered and must have their declared types."""


class Dynamic:
    """Marker of a property that is rendered before the task runs."""

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.with_info_wrap_validator_function(_when_rendered, handler(source))


class Unrendered(Dynamic):
    """Marker of a property that the task renders itself, with variables of its own: never checked against `T`."""

    @override
    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_wrap_validator_function(_as_written, handler(source))


Property = Annotated[T, Dynamic()]
"""Rendered and converted to `T` before `run`."""

Lazy = Annotated[T, Unrendered()]
"""Handed to `run` as the author wrote it; the task calls `ctx.render` when it is time."""


def _when_rendered(value: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
    context: Mapping[str, Any] | None = info.context
    if context is not None and context.get(RENDERED):
        return handler(value)
    return value


def _as_written(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
    return value


def dynamic_marker(annotation: Any, metadata: Sequence[Any] = ()) -> Dynamic | None:
    """The marker of a property's annotation, also behind `| None`."""
    found = next((meta for meta in metadata if isinstance(meta, Dynamic)), None)
    if found is not None:
        return found
    if get_origin(annotation) is Annotated:
        return dynamic_marker(annotation.__origin__, annotation.__metadata__)
    if get_origin(annotation) in {Union, UnionType}:
        markers = (dynamic_marker(option) for option in get_args(annotation))
        return next((marker for marker in markers if marker is not None), None)
    return None
