"""The surroundings of templates that a worker renders: look-ups go to the server, time and randomness are local."""

import socket
from collections.abc import Callable, Mapping
from typing import Any

from batuta.expr.host import HttpRequest, Settings
from batuta.expr.temporal import Instant
from batuta.expr.values import Value, to_plain
from batuta.server.protocol import Job
from batuta.server.worker.workplace import Workplace


class LookUpHost:
    """A `batuta.expr.host.Host` for one job. `mask` is told every secret that a template reads (01 §9.2)."""

    def __init__(self, job: Job, place: Workplace, *, mask: Callable[[str], None]) -> None:
        self._job = job
        self._place = place
        self._mask = mask

    @property
    def settings(self) -> Settings:
        return self._place.rendering

    def now(self) -> Instant:
        return Instant.of_micros(self._place.clock.now())

    def random_bytes(self, count: int) -> bytes:
        return self._place.ids.entropy(count)

    def random_port(self) -> int:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
            return port

    def secret(self, key: str, *, namespace: str | None) -> str:
        text = str(self._ask("secret", key=key, namespace=namespace))
        self._mask(text)
        return text

    def kv(self, key: str, *, namespace: str | None, error_on_missing: bool) -> Value:
        return self._ask("kv", key=key, namespace=namespace, errorOnMissing=error_on_missing)

    def read(self, path: str, *, namespace: str | None) -> str:
        return str(self._ask("read", path=path, namespace=namespace))

    def file_exists(self, path: str, *, namespace: str | None) -> bool:
        return bool(self._ask("file_exists", path=path, namespace=namespace))

    def file_size(self, path: str, *, namespace: str | None) -> int:
        return int(self._ask("file_size", path=path, namespace=namespace))

    def http(self, request: HttpRequest) -> Value:
        arguments: Mapping[str, Any] = {
            "uri": request.uri,
            "method": request.method,
            "query": to_plain(request.query),
            "body": to_plain(request.body),
            "contentType": request.content_type,
            "headers": to_plain(request.headers),
            "options": to_plain(request.options),
            "accept": request.accept,
        }
        return self._ask("http", **arguments)

    def error_logs(self) -> list[Value]:
        found: list[Value] = self._ask("error_logs")
        return found

    def parse_yaml(self, text: str) -> Value:
        return self._ask("parse_yaml", text=text)

    def _ask(self, operation: str, **arguments: Any) -> Any:
        return self._place.gateway.look_up(self._job, operation, arguments)
