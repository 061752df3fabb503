"""Inputs of flows and of resumed pauses: what an author declares (01 §2). Resolving them is `batuta.flow.inputs`."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from batuta.sdk.definition import (
    DateTime,
    Definition,
    Deprecated,
    DurationText,
    Format,
    TimeOfDay,
    Variant,
)
from batuta.sdk.property import Lazy


class InputType(StrEnum):
    STRING = "STRING"
    ENUM = "ENUM"
    SELECT = "SELECT"
    INT = "INT"
    FLOAT = "FLOAT"
    BOOLEAN = "BOOLEAN"
    BOOL = "BOOL"
    DATETIME = "DATETIME"
    DATE = "DATE"
    TIME = "TIME"
    DURATION = "DURATION"
    FILE = "FILE"
    JSON = "JSON"
    URI = "URI"
    SECRET = "SECRET"  # noqa: S105 - the name of a type
    ARRAY = "ARRAY"
    MULTISELECT = "MULTISELECT"
    YAML = "YAML"
    EMAIL = "EMAIL"


InputId = Annotated[str, Field(pattern=r"^[a-zA-Z0-9][.a-zA-Z0-9_-]*$", min_length=1)]


class DependsOn(Definition):
    """When an input is asked for at all (01 §2.4)."""

    inputs: list[str] | None = None
    condition: Lazy[str] | None = None


_COMMON: dict[str, bool] = dict.fromkeys(
    (
        "name",
        "description",
        "required",
        "defaults",
        "prefill",
        "displayName",
        "dependsOn",
    ),
    False,
) | {"id": True, "type": True}
_BOUNDS = {"min": False, "max": False}
_PERIOD = {"after": False, "before": False}
_CHOICE = {
    "values": False,
    "expression": False,
    "allowCustomValue": False,
    "autoSelectFirst": False,
}


class Input(Variant):
    """One input; which properties it has follows from its type."""

    VARIANTS: ClassVar[Mapping[str, Mapping[str, bool]]] = {
        "STRING": {**_COMMON, "validator": False},
        "ENUM": {**_COMMON, "values": True},
        "SELECT": {**_COMMON, **_CHOICE, "isRadio": False},
        "INT": {**_COMMON, **_BOUNDS},
        "FLOAT": {**_COMMON, **_BOUNDS},
        "BOOLEAN": _COMMON,
        "BOOL": _COMMON,
        "DATETIME": {**_COMMON, **_PERIOD},
        "DATE": {**_COMMON, **_PERIOD},
        "TIME": {**_COMMON, **_PERIOD},
        "DURATION": {**_COMMON, **_BOUNDS},
        "FILE": {**_COMMON, "extension": False, "allowedFileExtensions": False},
        "JSON": _COMMON,
        "URI": _COMMON,
        "SECRET": {**_COMMON, "validator": False},
        "ARRAY": {**_COMMON, "itemType": True},
        "MULTISELECT": {**_COMMON, **_CHOICE, "itemType": False, "options": False},
        "YAML": _COMMON,
        "EMAIL": _COMMON,
    }
    NARROWED: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "INT": {"min": int, "max": int},
        "FLOAT": {"min": float, "max": float},
        "DURATION": {"min": DurationText, "max": DurationText},
        "DATE": dict.fromkeys(_PERIOD, Annotated[str, Format("date")]),
        "TIME": dict.fromkeys(_PERIOD, TimeOfDay),
        "DATETIME": dict.fromkeys(_PERIOD, DateTime),
    }
    DEPRECATED_VARIANTS: ClassVar[frozenset[str]] = frozenset({"BOOLEAN", "ENUM"})

    id: InputId
    type: InputType
    name: Annotated[str | None, Deprecated()] = None
    description: str | None = None
    required: bool = True
    defaults: Lazy[Any] = None
    prefill: Lazy[Any] = None
    display_name: str | None = None
    depends_on: DependsOn | None = None
    validator: str | None = None
    min: Any = None
    max: Any = None
    after: str | None = None
    before: str | None = None
    values: list[str] | None = None
    options: Annotated[list[str] | None, Deprecated()] = None
    expression: Lazy[str] | None = None
    allow_custom_value: bool = False
    auto_select_first: bool = False
    is_radio: bool = False
    item_type: InputType | None = None
    extension: Annotated[str | None, Deprecated()] = None
    allowed_file_extensions: list[str] | None = None

    @property
    def choices(self) -> list[str] | None:
        """The fixed values to choose from."""
        return self.values if self.values is not None else self.options


class Output(Definition):
    """An output of a flow (01 §3)."""

    id: InputId
    type: InputType
    value: Lazy[Any]
    description: str | None = None
    display_name: str | None = None
    required: bool = True


RestartBehavior = Literal["NEW_EXECUTION", "RETRY_FAILED"]
