"""Documented properties of JDBC tasks (06 §7.1 to §7.3)."""

from enum import StrEnum
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import Field

from batuta.sdk import Lazy, Output, Property, PropertyError
from batuta.sdk.definition import Definition, Deprecated

_OldSwitch = Annotated[bool, Deprecated()]


class FetchType(StrEnum):
    """What becomes of the rows."""

    STORE = "STORE"
    FETCH = "FETCH"
    FETCH_ONE = "FETCH_ONE"
    NONE = "NONE"


class ConnectionProperties(Definition):
    username: Property[str] | None = Field(default=None, description="The user.")
    password: Property[str] | None = Field(default=None, description="The user's password.")


class ZoneProperties(Definition):
    time_zone_id: Property[str] | None = Field(
        default=None, description="The zone of timestamps, such as `Europe/Paris`; UTC when absent."
    )

    @property
    def zone(self) -> ZoneInfo:
        """Raises `PropertyError` for an unknown zone."""
        name = self.time_zone_id or "UTC"
        try:
            return ZoneInfo(name)
        except (KeyError, ValueError, OSError) as error:
            raise PropertyError("timeZoneId", f"`{name}` is no time zone") from error


class QueryProperties(ConnectionProperties, ZoneProperties):
    """What Query and Queries have in common."""

    sql: Lazy[str] | None = Field(default=None, description="The SQL.")
    parameters: Property[dict[str, Any]] | None = Field(
        default=None, description="Values that are bound to `:name` in the SQL."
    )
    fetch_type: Property[FetchType] = Field(
        default=FetchType.NONE,
        description="FETCH gives all rows, FETCH_ONE the first, STORE a file of Ion rows, NONE nothing.",
    )
    fetch: _OldSwitch = Field(default=False, description="Use `fetchType: FETCH`.")
    fetch_one: _OldSwitch = Field(default=False, description="Use `fetchType: FETCH_ONE`.")
    store: _OldSwitch = Field(default=False, description="Use `fetchType: STORE`.")
    fetch_size: Property[int] = Field(default=10_000, description="How many rows are read at once.")
    after_sql: Property[str] | None = Field(
        default=None,
        alias="afterSQL",
        description="A statement that is run afterwards in the same transaction.",
    )

    @property
    def kind(self) -> FetchType:
        """The deprecated switches win, in this order."""
        if self.fetch:
            return FetchType.FETCH
        if self.fetch_one:
            return FetchType.FETCH_ONE
        return FetchType.STORE if self.store else self.fetch_type


class TransactionProperties(Definition):
    transaction: Property[bool] = Field(
        default=True,
        description="Whether all statements are one transaction; else each one is committed.",
    )


class QueryOutput(Output, frozen=True, kw_only=True):
    row: dict[str, Any] | None = None
    rows: list[dict[str, Any]] | None = None
    uri: str | None = None
    size: int | None = None


class QueriesOutput(Output, frozen=True, kw_only=True):
    outputs: list[dict[str, Any]]
