"""Documented properties of HTTP requests (05 §10.1, §10.2), and the one meaning of new and deprecated names."""

from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from batuta.model.duration import parse_duration
from batuta.model.instant import MINUTE, SECOND, Micros
from batuta.sdk import Property, PropertyError
from batuta.sdk.definition import Definition, Deprecated, DurationText, Format, Variant
from batuta.sdk.types import Duration

CONNECT_TIMEOUT: Micros = 3 * MINUTE

_Duration = Annotated[Duration, Format("duration")]
_Old = Annotated[str | None, Deprecated()]
_OldDuration = Annotated[DurationText | None, Deprecated()]


class ProxyType(StrEnum):
    DIRECT = "DIRECT"
    HTTP = "HTTP"
    SOCKS = "SOCKS"


class LogPart(StrEnum):
    REQUEST_HEADERS = "REQUEST_HEADERS"
    REQUEST_BODY = "REQUEST_BODY"
    RESPONSE_HEADERS = "RESPONSE_HEADERS"
    RESPONSE_BODY = "RESPONSE_BODY"


class HttpLogLevel(StrEnum):
    ALL = "ALL"
    TRACE = "TRACE"
    DEBUG = "DEBUG"
    INFO = "INFO"
    WARN = "WARN"
    ERROR = "ERROR"
    OFF = "OFF"
    NOT_SPECIFIED = "NOT_SPECIFIED"


_LOGS_OF_LEVEL: dict[HttpLogLevel, frozenset[LogPart]] = {
    HttpLogLevel.ALL: frozenset(LogPart),
    HttpLogLevel.TRACE: frozenset(LogPart),
    HttpLogLevel.DEBUG: frozenset({LogPart.REQUEST_HEADERS, LogPart.RESPONSE_HEADERS}),
    HttpLogLevel.INFO: frozenset({LogPart.RESPONSE_HEADERS}),
}


class TimeoutOptions(Definition):
    connect_timeout: Property[_Duration] | None = Field(
        default=None, description="How long connecting may take; PT3M when absent."
    )
    read_idle_timeout: Property[_Duration] = Field(
        default=5 * MINUTE,
        description="How long the server may be silent.",
        json_schema_extra={"default": "PT5M"},
    )


class ProxyOptions(Definition):
    type: Property[ProxyType] = Field(
        default=ProxyType.DIRECT, description="`HTTP` or `SOCKS` when there is an address."
    )
    address: Property[str] | None = Field(default=None, description="Host of the proxy.")
    port: Property[int] | None = Field(default=None, description="Port of the proxy.")
    username: Property[str] | None = Field(
        default=None, description="User, together with `password`."
    )
    password: Property[str] | None = Field(
        default=None, description="Password, together with `username`."
    )


class AuthOptions(Variant):
    VARIANTS: ClassVar = {
        "BASIC": {"type": True, "username": False, "password": False},
        "BEARER": {"type": True, "token": False},
    }

    type: Literal["BASIC", "BEARER"] = Field(description="`BASIC` or `BEARER`.")
    username: Property[str] | None = Field(default=None, description="User of BASIC.")
    password: Property[str] | None = Field(default=None, description="Password of BASIC.")
    token: Property[str] | None = Field(default=None, description="Token of BEARER.")


class SslOptions(Definition):
    insecure_trust_all_certificates: Property[bool] | None = Field(
        default=None,
        description="Whether any certificate of the server is accepted. Only for tests.",
    )


class HttpOptions(Definition):
    """How requests are sent and answers judged."""

    timeout: TimeoutOptions | None = Field(default=None, description="Limits of time.")
    proxy: ProxyOptions | None = Field(default=None, description="A proxy to go through.")
    auth: AuthOptions | None = Field(
        default=None, description="Authentication, sent with the first request."
    )
    ssl: SslOptions | None = Field(default=None, description="Options of TLS.")
    follow_redirects: Property[bool] = Field(
        default=True, description="Whether redirects are followed."
    )
    allow_failed: Property[bool] = Field(
        default=False, description="Whether status codes from 400 on are accepted."
    )
    allowed_response_codes: Property[list[int]] | None = Field(
        default=None,
        description="All other status codes are failures; does not replace `allowFailed`.",
    )
    default_charset: Property[str] = Field(
        default="UTF-8", description="Encoding of the request's body."
    )
    logs: list[LogPart] = Field(
        default=[], description="What is logged: headers at DEBUG, bodies at TRACE."
    )

    connect_timeout: _OldDuration = Field(default=None, description="Use `timeout.connectTimeout`.")
    read_timeout: _OldDuration = Field(default=None, description="Use `timeout.readIdleTimeout`.")
    read_idle_timeout: _OldDuration = Field(default=None, description="Without effect.")
    connection_pool_idle_timeout: _OldDuration = Field(default=None, description="Without effect.")
    max_content_length: Annotated[int | None, Deprecated()] = Field(
        default=None, description="Without effect."
    )
    proxy_type: Annotated[ProxyType | None, Deprecated()] = Field(
        default=None, description="Use `proxy.type`."
    )
    proxy_address: _Old = Field(default=None, description="Use `proxy.address`.")
    proxy_port: Annotated[int | None, Deprecated()] = Field(
        default=None, description="Use `proxy.port`."
    )
    proxy_username: _Old = Field(default=None, description="Use `proxy.username`.")
    proxy_password: _Old = Field(default=None, description="Use `proxy.password`.")
    basic_auth_user: _Old = Field(default=None, description="Use `auth`.")
    basic_auth_password: _Old = Field(default=None, description="Use `auth`.")
    log_level: Annotated[HttpLogLevel | None, Deprecated()] = Field(
        default=None, description="Use `logs`."
    )

    @property
    def connect_seconds(self) -> float:
        if self.timeout is not None and self.timeout.connect_timeout is not None:
            return self.timeout.connect_timeout / SECOND
        return (
            parse_duration(self.connect_timeout) if self.connect_timeout else CONNECT_TIMEOUT
        ) / SECOND

    @property
    def read_seconds(self) -> float | None:
        """None waits for ever: a limit applies only when one is written (05 §10.2)."""
        if self.timeout is not None:
            return self.timeout.read_idle_timeout / SECOND
        return parse_duration(self.read_timeout) / SECOND if self.read_timeout else None

    @property
    def logged(self) -> frozenset[LogPart]:
        return frozenset(self.logs) or _LOGS_OF_LEVEL.get(
            self.log_level or HttpLogLevel.OFF, frozenset()
        )

    @property
    def basic(self) -> tuple[str, str] | None:
        """User and password of BASIC authentication."""
        if self.auth is not None:
            return (
                (self.auth.username or "", self.auth.password or "")
                if self.auth.type == "BASIC"
                else None
            )
        if self.basic_auth_user is None or self.basic_auth_password is None:
            return None
        return self.basic_auth_user, self.basic_auth_password

    @property
    def bearer(self) -> str | None:
        return self.auth.token if self.auth is not None and self.auth.type == "BEARER" else None

    @property
    def trusts_all(self) -> bool:
        return self.ssl is not None and bool(self.ssl.insecure_trust_all_certificates)

    @property
    def any_proxy(self) -> ProxyOptions | None:
        """The proxy by its new or its old names. Raises `PropertyError` when it is incomplete."""
        proxy = self.proxy or ProxyOptions.model_construct(
            type=self.proxy_type or ProxyType.DIRECT,
            address=self.proxy_address,
            port=self.proxy_port,
            username=self.proxy_username,
            password=self.proxy_password,
        )
        if proxy.address is None:
            return None
        if proxy.type is ProxyType.DIRECT:
            raise PropertyError(
                "options.proxy.type", "must be HTTP or SOCKS when there is an address"
            )
        if proxy.port is None:
            raise PropertyError("options.proxy.port", "is required when there is an address")
        return proxy


class HttpProperties(Definition):
    """What Request and Download have in common."""

    uri: Property[str] = Field(
        description="The address. Spaces become `%20`; nothing else is encoded."
    )
    method: Property[str] = Field(default="GET", description="The method.")
    params: Property[dict[str, Any]] | None = Field(
        default=None, description="Added to the query, encoded: texts, or lists of texts."
    )
    headers: Property[dict[str, str]] | None = Field(
        default=None, description="Headers of the request."
    )
    content_type: Property[str] = Field(default="application/json", description="Type of the body.")
    body: Property[str] | None = Field(
        default=None, description="The body; maps and lists become JSON."
    )
    form_data: Property[dict[str, Any]] | None = Field(
        default=None,
        description="A form, sent instead of `body`: urlencoded, or multipart when `contentType` is `multipart/form-data`. "
        "There a text starting with `kestra://` and a map of `name` and `content` are files.",
    )
    options: HttpOptions = Field(default=HttpOptions(), description="How the request is sent.")
    allow_failed: Property[Annotated[bool, Deprecated()]] | None = Field(
        default=None, description="Use `options.allowFailed`."
    )
    ssl_options: Annotated[SslOptions | None, Deprecated()] = Field(
        default=None, description="Use `options.ssl`."
    )

    @property
    def accepts_failures(self) -> bool:
        return self.options.allow_failed or bool(self.allow_failed)

    @property
    def trusts_all(self) -> bool:
        old = self.ssl_options is not None and bool(
            self.ssl_options.insecure_trust_all_certificates
        )
        return self.options.trusts_all or old
