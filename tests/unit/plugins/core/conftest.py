import base64
import gzip
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import socket
from threading import Thread
from urllib.parse import parse_qsl, urlsplit

import pytest


class Handler(BaseHTTPRequestHandler):
    """Answers by path; `/echo` tells what was received."""

    protocol_version = "HTTP/1.1"
    seen: list[str]

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.seen.append(f"{self.command} {path}")
        getattr(self, f"get_{path.strip('/').split('/')[0]}", self.get_missing)(body)

    do_POST = do_PUT = do_HEAD = do_PURGE = do_GET  # noqa: N815 - names of the library

    def reply(self, content: bytes, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if "Content_Length" not in headers:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def get_echo(self, body: bytes) -> None:
        told = {
            "method": self.command,
            "query": parse_qsl(urlsplit(self.path).query),
            "raw": self.path,
            "headers": dict(self.headers.items()),
            "body": body.decode("latin-1"),
        }
        self.reply(json.dumps(told).encode(), Content_Type="application/json", X_Twice="a")

    def get_status(self, body: bytes) -> None:
        self.reply(b"the reason", int(self.path.rpartition("/")[2]))

    def get_redirect(self, body: bytes) -> None:
        self.reply(b"", 302, Location="/echo?from=redirect")

    def get_binary(self, body: bytes) -> None:
        self.reply(b"\xff\xfe\x00")

    def get_empty(self, body: bytes) -> None:
        self.reply(b"")

    def get_file(self, body: bytes) -> None:
        self.reply(b"a,b\n" * 50_000)

    def get_named(self, body: bytes) -> None:
        self.reply(b"x", Content_Disposition='attachment; filename="../my report.csv"')

    def get_gzip(self, body: bytes) -> None:
        self.reply(gzip.compress(b"plain text"), Content_Encoding="gzip")

    def get_short(self, body: bytes) -> None:
        self.close_connection = True
        self.reply(b"12345", Content_Length="10")

    def get_flaky(self, body: bytes) -> None:
        if self.server.seen.count(f"{self.command} /flaky") == 1:
            self.close_connection = True
            self.connection.close()
        else:
            self.reply(b"second try")

    def get_secret(self, body: bytes) -> None:
        wanted = "Basic " + base64.b64encode(b"ana:pw").decode()
        self.reply(b"in" if self.headers.get("Authorization") == wanted else b"out")

    def get_missing(self, body: bytes) -> None:
        self.reply(b"", 404)

    def log_message(self, *_: object) -> None:
        """Quiet."""

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except (OSError, ValueError):
            self.close_connection = True


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def deaf_port() -> Iterator[int]:
    """A port that is taken, and where nobody listens."""
    with socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]
