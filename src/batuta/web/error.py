"""Errors as the API says them: `{message, _links, _embedded}` (03 §3.6, §3.7). Never a stack trace."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from batuta.operations.account import InvalidAccountError
from batuta.operations.errors import (
    BadRequestError,
    BulkError,
    ExpiredError,
    IllegalArgumentError,
    IllegalStateError,
    InvalidEntityError,
    NotFoundError,
    OperationError,
    UnavailableError,
    UnprocessableError,
)
from batuta.operations.query import InvalidFiltersError
from batuta.web.request import (
    BodyTooLargeError,
    ConversionError,
    InvalidJsonError,
    InvalidMappingError,
    UnsupportedMediaError,
)
from batuta.web.respond import json_response

_STATUS: dict[type[OperationError], tuple[int, str]] = {
    NotFoundError: (404, "Not Found"),
    ExpiredError: (410, "Resource has expired"),
    InvalidEntityError: (422, "Invalid entity"),
    IllegalArgumentError: (422, "Illegal argument"),
    UnprocessableError: (422, "Unprocessable Entity"),
    IllegalStateError: (409, "Illegal state"),
    InvalidFiltersError: (400, ""),
    InvalidAccountError: (400, ""),
    BadRequestError: (400, "Bad Request"),
    UnavailableError: (503, "Service Unavailable"),
    ConversionError: (422, "Internal server error"),
    InvalidJsonError: (422, "Invalid json"),
    InvalidMappingError: (422, "Invalid json mapping"),
    BodyTooLargeError: (413, "Request Entity Too Large"),
    UnsupportedMediaError: (415, "Unsupported Media Type"),
}


def error_response(request: Request, error: OperationError) -> Response:
    if isinstance(error, BulkError):
        return json_response(_bulk(error), status=400)
    status, reason = next(
        (_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS),
        (500, "Internal server error"),
    )
    embedded = _violations(error) if isinstance(error, InvalidEntityError) else None
    return _response(request, status, reason, detail=error.message, embedded=embedded)


def not_found(request: Request) -> Response:
    return _response(request, 404, "Not Found")


def wrong_method(request: Request, allowed: frozenset[str]) -> Response:
    names = ", ".join(sorted(allowed))
    response = _response(
        request,
        405,
        "Method Not Allowed",
        detail=f"Method [{request.method}] not allowed for URI [{request.url.path}]. Allowed methods: [{names}]",
    )
    response.headers["allow"] = names
    return response


def unexpected(request: Request) -> Response:
    """A mistake of ours. What happened is in the server's log only."""
    return _response(request, 500, "Internal server error")


def _response(
    request: Request,
    status: int,
    reason: str,
    *,
    detail: str = "",
    embedded: list[dict[str, Any]] | None = None,
) -> Response:
    query = request.scope.get("query_string", b"").decode("latin-1")
    href = request.url.path + (f"?{query}" if query else "")
    body: dict[str, Any] = {
        "message": ": ".join(part for part in (reason, detail) if part),
        "_links": {"self": {"href": href, "templated": False}},
    }
    if embedded:
        body["_embedded"] = {"errors": embedded}
    return json_response(body, status=status)


def _violations(error: InvalidEntityError) -> list[dict[str, Any]]:
    return [
        {
            name: value
            for name, value in (
                ("message", violation.message),
                ("path", violation.path or None),
                ("line", violation.line),
                ("column", violation.column),
                ("suggestion", violation.suggestion),
            )
            if value is not None
        }
        for violation in error.violations
    ]


def _bulk(error: BulkError) -> dict[str, Any]:
    return {
        "message": error.message,
        "invalids": [_invalid(message, value) for message, value in error.invalids],
    }


def _invalid(message: str, value: str) -> dict[str, Any]:
    return {
        "message": message,
        "messageTemplate": "{messageTemplate}",
        "invalidValue": value,
        "rootBean": value,
        "rootBeanClass": "java.lang.String",
        "leafBean": value,
        "executableParameters": [],
        "propertyPath": [{"name": "execution", "kind": "PROPERTY", "inIterable": False}],
    }
