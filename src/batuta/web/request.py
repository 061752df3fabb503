"""One request as handlers see it: who asks, what the path and the query say, and the bounded body."""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, NoReturn, TypeVar

from starlette.datastructures import QueryParams
from starlette.requests import ClientDisconnect, Request

from batuta.model import codec
from batuta.model.duration import parse_duration
from batuta.model.instant import Instant, Micros, from_datetime
from batuta.model.label import Label
from batuta.operations.account import AccountKeeper
from batuta.operations.caller import Caller
from batuta.operations.errors import (
    BadRequestError,
    IllegalArgumentError,
    OperationError,
    UnprocessableError,
)
from batuta.operations.query import Page
from batuta.store.query import Sort

if TYPE_CHECKING:
    from batuta.operations.services import Services

T = TypeVar("T")
MAX_TEXT_BYTES = 16 << 20
"""Flow sources and JSON bodies; uploads have the server's own limit."""


class BodyTooLargeError(OperationError):
    """More than the server or the route takes."""


class UnsupportedMediaError(OperationError):
    """The body is of a type that the route does not read."""


class Ask:
    """`parameters` are the variables of the path. Conversions raise errors of operations, which name the parameter."""

    __slots__ = ("caller", "keeper", "parameters", "query", "request", "services")

    def __init__(
        self,
        request: Request,
        *,
        caller: Caller,
        services: "Services",
        keeper: AccountKeeper,
        parameters: Mapping[str, str],
    ) -> None:
        self.request = request
        self.caller = caller
        self.services = services
        self.keeper = keeper
        self.parameters = parameters
        self.query = QueryParams(request.scope.get("query_string", b""))

    @property
    def media_type(self) -> str:
        return self.request.headers.get("content-type", "").partition(";")[0].strip().lower()

    def text(self, name: str) -> str | None:
        return self.query.get(name)

    def required(self, name: str) -> str:
        value = self.query.get(name)
        if value is None:
            raise BadRequestError(f"Required QueryValue [{name}] not specified")
        return value

    def integer(self, name: str) -> int | None:
        text = self.query.get(name)
        if text is None or not text:
            return None
        try:
            return int(text)
        except ValueError:
            _cannot_convert(name, f'For input string: "{text}"')

    def flag(self, name: str, *, default: bool) -> bool:
        text = self.query.get(name)
        if text is None or not text:
            return default
        if text.lower() not in {"true", "false"}:
            _cannot_convert(name, f"`{text}` is neither true nor false")
        return text.lower() == "true"

    def instant(self, name: str) -> Instant | None:
        text = self.query.get(name)
        return None if not text else to_instant(name, text)

    def duration(self, name: str) -> Micros | None:
        text = self.query.get(name)
        if not text:
            return None
        try:
            return parse_duration(text)
        except ValueError:
            raise IllegalArgumentError(f"Invalid duration: {text}") from None

    def texts(self, name: str) -> tuple[str, ...]:
        """Repeated and comma-joined values (03 §3.5)."""
        found = (part.strip() for value in self.query.getlist(name) for part in value.split(","))
        return tuple(part for part in found if part)

    def labels(self, name: str = "labels") -> tuple[Label, ...]:
        """Repeated `key:value`; commas stay in the value (03 §3.5)."""
        labels = [_split_label(value) for value in self.query.getlist(name)]
        keys = [label.key for label in labels]
        twice = sorted({key for key in keys if keys.count(key) > 1})
        if twice:
            raise UnprocessableError(
                f"The queryString parameter keys contains duplicities: {', '.join(twice)}"
            )
        return tuple(labels)

    def page(self) -> Page:
        number, size = self.integer("page"), self.integer("size")
        number, size = 1 if number is None else number, 10 if size is None else size
        if number < 1:
            raise UnprocessableError("page: must be greater than or equal to 1")
        if size < 1:
            raise UnprocessableError("size: must be greater than or equal to 1")
        return Page(number=number, size=size)

    def sorts(self) -> tuple[Sort, ...]:
        """`field:asc|desc`, repeated or comma-joined; anything but `asc` descends (03 §3.4)."""
        return tuple(_sort(text) for text in self.texts("sort"))

    async def body(self, limit: int = MAX_TEXT_BYTES) -> bytes:
        chunks, size = [], 0
        try:
            async for chunk in self.request.stream():
                size += len(chunk)
                if size > limit:
                    raise BodyTooLargeError(f"The body is larger than {limit} bytes")
                chunks.append(chunk)
        except ClientDisconnect:
            raise BadRequestError("The client went away") from None
        return b"".join(chunks)

    def has_body(self) -> bool:
        """Whether the request carries anything; an empty body may come with any type (03 §8.2)."""
        headers = self.request.headers
        return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"

    async def source(self) -> str:
        """The body as a text, usually of YAML."""
        try:
            return (await self.body()).decode()
        except UnicodeDecodeError as error:
            raise IllegalArgumentError(
                f"The body is not UTF-8: byte {error.start} cannot be read"
            ) from None

    async def json(self, kind: type[T]) -> T:
        """The body as a value of this type."""
        data = await self.body()
        try:
            plain = codec.decode(data)
        except RecursionError:
            raise InvalidJsonError("the body is nested too deeply") from None
        except ValueError as error:
            raise InvalidJsonError(str(error)) from None
        try:
            return codec.convert(plain, kind)
        except ValueError as error:
            raise InvalidMappingError(str(error)) from None


class InvalidJsonError(OperationError):
    """The body is no JSON."""


class InvalidMappingError(OperationError):
    """The body is JSON of another shape."""


def to_instant(name: str, text: str) -> Instant:
    """ISO date-time; without an offset it is UTC."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        _cannot_convert(name, f"`{text}` is no ISO-8601 date-time")
    return from_datetime(moment if moment.tzinfo else datetime.fromisoformat(f"{text}Z"))


def _cannot_convert(name: str, reason: str) -> NoReturn:
    raise ConversionError(f"Failed to convert argument [{name}]: {reason}")


class ConversionError(OperationError):
    """A value of the query is of another type."""


def _split_label(text: str) -> Label:
    key, colon, value = text.partition(":")
    key, value = key.strip(), value.strip()
    if not colon or not key:
        raise UnprocessableError("Can't split the queryString parameter by ':'")
    if not value:
        raise UnprocessableError("Can't have an empty part of queryString")
    if any(character.isspace() for character in key):
        raise UnprocessableError("Key of queryString can't contain a whitespace character")
    return Label(key, value)


def _sort(text: str) -> Sort:
    name, colon, direction = text.partition(":")
    if not colon or ":" in direction:
        raise UnprocessableError("Invalid sort parameter")
    return Sort(field=name.strip(), descending=direction.strip().lower() != "asc")
